"""Sending hours: the days and hours in which surveys go out, by the clock on the customer's wall."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct, field

from streams.events import Name
from streams.times import from_ms, to_ms

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
_HOURS = r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_AHEAD = 16  # days: where a zone left out the only day of a week (Samoa, 2011), it is the one after


class Sending(Struct, frozen=True, forbid_unknown_fields=True):
    """When surveys go out. The contact's time zone counts; ``timezone`` is for those of whom none is known."""

    hours: Annotated[str, Meta(pattern=_HOURS, description="hours such as 09:00-18:00")] = "00:00-24:00"
    days: Annotated[list[Day], Meta(min_length=1)] = field(default_factory=lambda: list(DAYS))
    timezone: Name = "UTC"

    def __post_init__(self) -> None:
        """Raise ValueError for hours that end before they begin, and for an unknown time zone."""
        begin, end = self.minutes
        if begin >= end:
            raise ValueError(f"Expected hours of one day, such as 09:00-18:00, found {self.hours}")
        if zone(self.timezone) is None:
            raise ValueError(f"Expected a time zone such as Europe/Berlin, found {self.timezone!r}")

    @property
    def minutes(self) -> tuple[int, int]:
        """Begin and end in minutes of the day; the end is not in it."""
        (begin_h, begin_m), (end_h, end_m) = (map(int, text.split(":")) for text in self.hours.split("-"))
        return begin_h * 60 + begin_m, end_h * 60 + end_m


def next_open(sending: Sending, timezone: str | None, at: int) -> int:
    """The first instant (ms) from ``at`` on in which a survey may go out to a contact in a time zone.

    An hour that a clock shows twice counts both times; one that it leaves out opens when it goes on.
    """
    place = (timezone and zone(timezone)) or zone(sending.timezone)
    if _open(sending, from_ms(at).astimezone(place)):
        return at
    begins = _next_begin(sending, place, at)
    changed = _changed(place, at, begins)  # it may put the clock into the hours
    return changed if changed and _open(sending, from_ms(changed).astimezone(place)) else begins


def _next_begin(sending: Sending, place: tzinfo | None, at: int) -> int:
    """The first instant (ms) after ``at`` at which the hours begin."""
    local = from_ms(at).astimezone(place)
    begin = time(*divmod(sending.minutes[0], 60))
    for ahead in range(_AHEAD):
        date = local.date() + timedelta(days=ahead)
        for fold in (0, 1):
            opens = to_ms(datetime.combine(date, begin.replace(fold=fold), place))
            if opens > at and _open(sending, from_ms(opens).astimezone(place)):
                return opens
    raise AssertionError(f"no sending hours within {_AHEAD} days of {local}")


def _changed(place: tzinfo | None, since: int, until: int) -> int | None:
    """When (ms) the clock is put forward or back between two instants, None where it is not."""

    def differs(at: int) -> bool:
        return _offset(place, at) != _offset(place, since)

    return bisect_left(range(since, until), 1, key=differs) + since if differs(until) else None


def _offset(place: tzinfo | None, at: int) -> timedelta | None:
    return from_ms(at).astimezone(place).utcoffset()


@lru_cache(maxsize=4_096)
def zone(name: str) -> ZoneInfo | None:
    """A time zone by its name in the tz database, None where there is none. The name may be anybody's."""
    try:
        return ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        return None


def _open(sending: Sending, local: datetime) -> bool:
    begin, end = sending.minutes
    return DAYS[local.weekday()] in sending.days and begin <= local.hour * 60 + local.minute < end
