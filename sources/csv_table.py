"""CSV files: a header, then rows. Quoted fields may run over several lines."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from sources.errors import BadSource
from sources.rows import AS_UTF8, Lines, Refusal, Row, decodable, open_text

DELIMITERS = ",;\t"


@dataclass
class CsvTable:
    """A CSV file; without a ``delimiter`` the one of DELIMITERS is taken that makes most columns of the header."""

    path: Path
    encoding: str = "utf-8-sig"
    delimiter: str = ""
    columns: list[str] = field(init=False)
    position: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        with self._open() as text:
            try:
                self.delimiter = self.delimiter or _sniff(text)
                header = next(csv.reader(Lines(text), delimiter=self.delimiter, strict=True), [])
            except ValueError as error:
                raise BadSource(f"the header is not readable as {self.encoding}: {error}") from error
            except csv.Error as error:
                raise BadSource(f"the header is not readable as CSV: {error}") from error
        self.columns = [name.strip() for name in header]
        if not any(self.columns):
            raise BadSource("the first line has to name the columns, and is empty")

    def rows(self) -> Iterator[Row | Refusal]:
        with self._open() as text:
            lines = Lines(text)
            records = csv.reader(lines, delimiter=self.delimiter, strict=True)
            next(records)
            while True:
                first = lines.number + 1
                lines.begin()
                try:
                    fields = next(records)
                except StopIteration:
                    return
                except UnicodeError as error:  # of an encoding in which one cannot go on after a wrong byte
                    raise BadSource(f"from line {first} on not readable: {error}") from error
                except (csv.Error, ValueError) as error:
                    yield Refusal(first, f"not readable as CSV: {error}{_until(first, lines.number)}")
                    continue
                self.position = text.buffer.tell()
                if fields:
                    yield self._row(first, fields)

    def _row(self, line: int, fields: list[str]) -> Row | Refusal:
        if len(fields) != len(self.columns):
            return Refusal(line, f"expected {len(self.columns)} fields, got {len(fields)}")
        if not decodable("".join(fields)):
            return Refusal(line, f"not readable as {self.encoding}{AS_UTF8}")
        return Row(line, dict(zip(self.columns, fields, strict=True)))

    def _open(self) -> TextIO:
        # newline="": the reader tells apart the line ends inside and outside of quotes.
        return open_text(self.path, self.encoding, newline="")


def _sniff(text: TextIO) -> str:
    header = text.readline(1 << 16)
    text.seek(0)
    return max(DELIMITERS, key=lambda delimiter: len(next(csv.reader([header], delimiter=delimiter), [])))


def _until(first: int, last: int) -> str:
    return f" (up to line {last})" if last > first else ""
