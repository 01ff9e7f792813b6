"""What a person at the terminal got wrong: exit code 2 and a message, never a traceback."""

from __future__ import annotations

from streams.errors import LivenpsError


class UsageError(LivenpsError):
    """A wrong argument, file or address; the message says what to do."""


class ConfigError(UsageError):
    """A configuration that cannot be used: file, key, what was expected, what stands there."""

    def __init__(self, source: str, key: str, message: str) -> None:
        super().__init__(f"{source}: {key + ': ' if key else ''}{message}")
