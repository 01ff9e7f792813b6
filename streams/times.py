"""Instants and durations, all in whole milliseconds since the epoch (UTC).

The lowest module of the house: no clock is read here, time is always an argument.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# Clocks differ: up to here a time from the future is taken for now, beyond it is refused.
FUTURE = 5 * MINUTE
LATEST = 253_402_300_799_000  # 9999-12-31T23:59:59Z: what RFC 3339 can still write
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION = re.compile(r"(\d{1,9})(ms|s|m|h|d)")


class Duration(int):
    """A duration in milliseconds, written like ``90s``, ``15m``, ``24h`` or ``30d`` in a configuration."""

    @classmethod
    def parse(cls, text: object) -> Duration:
        """Raise ValueError, with what was expected, for anything but a text such as ``30d``."""
        match = _DURATION.fullmatch(text) if isinstance(text, str) else None
        if not match:
            raise ValueError('Expected a duration such as "90s", "15m", "24h" or "30d"')
        return cls(int(match[1]) * _UNITS[match[2]])

    def __str__(self) -> str:
        for unit in ("d", "h", "m", "s"):
            if self % _UNITS[unit] == 0:
                return f"{self // _UNITS[unit]}{unit}"
        return f"{int(self)}ms"


def to_ms(instant: datetime | float) -> int:
    """Milliseconds of an aware datetime or of Unix seconds.

    Raises OverflowError or ValueError where the number is no instant between 1970 and 9999.
    """
    seconds = instant.timestamp() if isinstance(instant, datetime) else instant
    ms = round(seconds * SECOND)
    if not 0 <= ms <= LATEST:
        raise ValueError("Expected a time between 1970 and 9999 (RFC 3339 or Unix seconds)")
    return ms


def from_ms(ms: int) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + ms * _MILLISECOND  # exact, which Unix seconds as a float are not


def rfc3339(ms: int) -> str:
    """An instant as people and JSON read it, with milliseconds only where there are some."""
    text = from_ms(ms).isoformat(timespec="milliseconds" if ms % SECOND else "seconds")
    return text.replace("+00:00", "Z")
