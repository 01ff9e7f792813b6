"""Times as other people's files write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Self
from zoneinfo import ZoneInfo

from streams.times import to_ms

_UNIX = re.compile(r"\d{9,10}(\.\d+)?")  # 1973 to 2286; fewer digits are rather a date such as 20240131
_SAMPLE = datetime(2024, 2, 29, 23, 58, 57, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Dates:
    """Reads times by a strptime ``format``, else as RFC 3339 or Unix seconds; naive ones are in ``timezone``."""

    timezone: tzinfo = UTC
    format: str | None = None

    @classmethod
    def of(cls, timezone: str, format: str | None) -> Self:
        """Raise ValueError where the zone is unknown, or the format does not say which day it is."""
        try:
            zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"unknown time zone {timezone!r}: expected a name such as Europe/Berlin") from error
        if format is not None:
            _check(format)
        return cls(zone, format)

    def parse(self, value: object) -> int:
        """The instant in ms; raises ValueError with what was expected."""
        text = str(value).strip()
        try:
            return to_ms(self._read(text))
        except (ValueError, OverflowError):
            raise ValueError(f"expected {self._expected}, got {_shown(value)}") from None

    def _read(self, text: str) -> datetime | float:
        if self.format is None and _UNIX.fullmatch(text):
            return float(text)
        time = datetime.fromisoformat(text) if self.format is None else datetime.strptime(text, self.format)
        return time if time.tzinfo else time.replace(tzinfo=self.timezone)

    @property
    def _expected(self) -> str:
        return "a time as RFC 3339 or Unix seconds" if self.format is None else f"a time such as {self.format}"


def _check(format: str) -> None:
    try:
        read = datetime.strptime(_SAMPLE.strftime(format), format)
    except ValueError as error:
        raise ValueError(f"wrong date format {format!r}: {error}") from error
    if read.date() != _SAMPLE.date():
        raise ValueError(f"wrong date format {format!r}: it has to name year, month and day")


def _shown(value: object) -> str:
    return f"{value!r:.60}"
