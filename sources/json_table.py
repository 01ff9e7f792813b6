"""JSON Lines files: one object a line. What is nested is a column with a dotted name: ``customer.plan``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sources.errors import BadSource
from sources.rows import AS_UTF8, Lines, Refusal, Row, TooLong, decodable, open_text

MAX_COLUMNS = 10_000
MAX_NAME = 200


@dataclass
class JsonTable:
    """A JSON Lines file; its columns are the names in any of its objects, which takes one pass to find."""

    path: Path
    encoding: str = "utf-8-sig"
    columns: list[str] = field(init=False)
    position: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        names: dict[str, None] = {}  # a set in the order of the file
        for row in self.rows():
            if isinstance(row, Row):
                names.update(dict.fromkeys(row.values))
            if len(names) > MAX_COLUMNS:
                raise BadSource(f"more than {MAX_COLUMNS:,} different names: these are no rows")
        self.columns = list(names)

    def rows(self) -> Iterator[Row | Refusal]:
        with open_text(self.path, self.encoding) as text:
            lines = Lines(text)
            while True:
                lines.begin()
                try:
                    line = next(lines)
                except StopIteration:
                    return
                except UnicodeError as error:
                    raise BadSource(f"from line {lines.number + 1} on not readable: {error}") from error
                except TooLong as error:
                    yield Refusal(lines.number, str(error))
                    continue
                self.position = text.buffer.tell()
                if line.strip():
                    yield self._row(lines.number, line)

    def _row(self, number: int, line: str) -> Row | Refusal:
        if not decodable(line):
            return Refusal(number, f"not readable as {self.encoding}{AS_UTF8}")
        try:
            return Row(number, dict(_flat(_object.decode(line))))
        except msgspec.ValidationError:
            return Refusal(number, "expected a JSON object")
        except (msgspec.DecodeError, RecursionError) as error:
            return Refusal(number, f"not readable as JSON: {error}")


def _flat(value: dict[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, item in value.items():
        name = prefix + key
        if isinstance(item, dict) and len(name) <= MAX_NAME:
            yield from _flat(item, name + ".")
        else:
            yield name, item


_object = msgspec.json.Decoder(dict[str, object])
