"""Rows to answers: which column is which field, and what a value has to be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import msgspec

from sources.dates import Dates
from sources.errors import BadSource
from sources.rows import Row
from streams.events import Attributes, Response, Scalar
from streams.times import LATEST, from_ms, to_ms

FIELDS = ("response_id", "customer_id", "score", "comment", "answered_at", "updated_at", "channel")

_TYPES = get_type_hints(Response, include_extras=True)
_TAKEN = frozenset(_TYPES) - set(FIELDS) | {"type"}
_SCORE = re.compile(r"[0-9]|10")
_LISTED = 50


@dataclass(frozen=True, slots=True)
class Columns:
    """Event field -> column and attribute -> column; ``ignored`` are the columns that nothing takes."""

    fields: Mapping[str, str]
    attributes: Mapping[str, str] = field(default_factory=dict)
    ignored: Sequence[str] = ()


def choose(chosen: Mapping[str, str], present: Sequence[str]) -> Columns:
    """The columns of a file: those chosen by name, and those named like a field. Raises BadSource."""
    for name in chosen:
        if name in _TAKEN:
            raise BadSource(f"{name} cannot be taken from a column")
    wanted = {name: name for name in FIELDS if name in present} | dict(chosen)
    if "score" not in wanted:
        raise BadSource(f"which column is the score? Say --column score=NAME; {_list(present)}")
    count = Counter(present)
    for name, column in wanted.items():
        if not count[column]:
            raise BadSource(f"there is no column {column!r} for {name}; {_list(present)}")
        if count[column] > 1:
            raise BadSource(f"there are {count[column]} columns {column!r}; {_list(present)}")
    attributes = {name: column for name, column in wanted.items() if name not in FIELDS}
    try:
        msgspec.convert(attributes, Attributes)
    except msgspec.ValidationError as error:
        raise BadSource(f"the attributes' names: {error}") from error
    used = set(wanted.values())
    return Columns(
        fields={name: column for name, column in wanted.items() if name in FIELDS},
        attributes=attributes,
        ignored=[name for name in count if name not in used],
    )


@dataclass(frozen=True, slots=True)
class Mapper:
    """Makes answers of rows. All times move by ``shift`` ms; later than ``latest`` is refused."""

    survey: str
    columns: Columns
    dates: Dates
    shift: int = 0
    latest: int = LATEST

    def response(self, row: Row) -> Response:
        """The answer of a row; its ``response_id`` is empty where the row has none. Raises ValueError."""
        found = {name: _cell(row, column) for name, column in self.columns.fields.items()}
        answered = self._time(found, "answered_at")
        updated = answered if found.get("updated_at") is None else self._time(found, "updated_at")
        attributes = {name: _cell(row, column) for name, column in self.columns.attributes.items()}
        return Response(
            response_id=_text(found, "response_id") or "",
            survey_id=self.survey,
            score=_score(found["score"]),
            customer_id=_text(found, "customer_id"),
            comment=_text(found, "comment") or "",
            attributes={
                name: _valid(name, value, Scalar) for name, value in attributes.items() if value is not None
            },
            answered_at=None if answered is None else from_ms(answered),
            updated_at=None if updated is None else from_ms(updated),
            channel=_text(found, "channel") or "",
        )

    def _time(self, found: Mapping[str, object], name: str) -> int | None:
        # A missing time of a column that is there is no answer of this moment, and not to be counted as one.
        if name not in found:
            return None
        try:
            ms = self.dates.parse("" if found[name] is None else found[name]) + self.shift
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        if ms > self.latest:
            raise ValueError(f"{name}: more than 5 minutes in the future: {found[name]!r:.60}")
        if not 0 <= ms <= LATEST:
            raise ValueError(f"{name}: not between 1970 and 9999 after the shift: {found[name]!r:.60}")
        return ms


def newest(response: Response) -> int | None:
    """The latest time that an answer carries, in ms."""
    return max((to_ms(time) for time in (response.answered_at, response.updated_at) if time), default=None)


def _cell(row: Row, column: str) -> object:
    """A row's value without blanks around it; None where there is nothing."""
    value = row.values.get(column)
    return value.strip() or None if isinstance(value, str) else value


def _score(value: object) -> int:
    if isinstance(value, bool | float) or not _SCORE.fullmatch(str(value)):
        raise ValueError(
            f"score: expected a whole number from 0 to 10, got {'' if value is None else value!r:.60}"
        )
    return int(str(value))


def _text(found: Mapping[str, object], name: str) -> str | None:
    value = found.get(name)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # JSON often has numbers for ids
    return str(_valid(name, value, _TYPES[name]))


def _valid(name: str, value: object, kind: object) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{name}: {str(error)[0].lower()}{str(error)[1:]}") from error


def _list(columns: Sequence[str]) -> str:
    shown = ", ".join(f"{name!r:.80}" for name in columns[:_LISTED])
    more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
    return f"the file's columns are: {shown}{more}"
