"""What every table yields: rows with the number of their first line, and refusals of what is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol, TextIO

MAX_RECORD = 1 << 20  # characters; an answer is at most some 60,000, so a longer record is a broken one

AS_UTF8 = "; save it as UTF-8, or import with --encoding"

_UNDECODABLE = re.compile("[\udc80-\udcff]")


class Row(NamedTuple):
    """One record: column -> value, which is a text in CSV and any JSON value in JSON Lines."""

    line: int
    values: dict[str, object]


class Refusal(NamedTuple):
    """One record that cannot be used, and why."""

    line: int
    reason: str


class Table(Protocol):
    """A file of rows, which can be read more than once."""

    @property
    def columns(self) -> list[str]:
        """The names of all columns."""
        ...

    @property
    def position(self) -> int:
        """How many bytes of the file the running pass has read."""
        ...

    def rows(self) -> Iterator[Row | Refusal]:
        """One pass over the file."""
        ...


class TooLong(ValueError):
    """A record of more than MAX_RECORD characters."""

    def __init__(self) -> None:
        super().__init__(f"longer than {MAX_RECORD:,} characters")


class Lines:
    """The lines of a text, counted and bounded; what is too long is skipped to its end of line."""

    def __init__(self, text: TextIO) -> None:
        self.number = 0
        self._text = text
        self._size = 0

    def begin(self) -> None:
        """Say that the next line is the first of a record."""
        self._size = 0

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_RECORD + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._size += len(line)
        if self._size > MAX_RECORD:
            while line and not line.endswith(("\n", "\r")):
                line = self._text.readline(MAX_RECORD)
            raise TooLong
        return line


def open_text(path: Path, encoding: str, newline: str | None = None) -> TextIO:
    """Open a file so that bytes which are not of its encoding spoil their row only; see ``decodable``."""
    return path.open(encoding=encoding, errors="surrogateescape", newline=newline)


def decodable(text: str) -> bool:
    """Whether all bytes of a text were of its encoding."""
    return not _UNDECODABLE.search(text)
