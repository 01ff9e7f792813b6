"""The command line as a user calls it."""

import os
import pty
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.real.livenps import NOTHING, livenps


def run(
    *arguments: str, environment: Mapping[str, str] = NOTHING, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end. The environment has no LIVENPS_ variable but those given."""
    return _run(*arguments, environment=environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run_answered(reply: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same, with a terminal as its input, on which a person replies."""
    with terminal() as (ours, theirs):
        os.write(ours, f"{reply}\n".encode())
        return _run(*arguments, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run_watched(*arguments: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """The same, with a terminal for its messages, and what was on it."""
    with terminal() as (ours, theirs):
        done = _run(*arguments, environment={"TERM": "xterm"}, stdout=subprocess.PIPE, stderr=theirs)
        return done, os.read(ours, 1 << 20).decode()


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal: our end of it, and the end that is a command's."""
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        os.close(theirs)


def _run(
    *arguments: str, environment: Mapping[str, str] = NOTHING, **options: Any
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LIVENPS_")}
    clean |= {"COLUMNS": "120", **environment}
    return subprocess.run(livenps(*arguments), text=True, check=False, timeout=60, env=clean, **options)
