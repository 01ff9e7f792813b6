"""When something is due: some days of the week, at a time of the day, in a time zone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from streams.times import from_ms, to_ms

WEEK = range(8)  # days from one occasion to the next, at most, and the day itself


@dataclass(frozen=True, slots=True)
class Schedule:
    """``days`` of the week, Monday is 0; ``at`` is what clocks in the ``zone`` show, whatever summer does to them.

    A time that is skipped when clocks go forward comes as much later; of one that comes twice, the first counts.
    """

    days: Collection[int]
    at: time
    zone: ZoneInfo

    def last(self, now: int) -> int:
        """The newest occasion up to ``now``; both in ms."""
        return max(one for one in self._around(now, -1) if one <= now)

    def next(self, now: int) -> int:
        """The first occasion after ``now``; both in ms."""
        return min(one for one in self._around(now, 1) if one > now)

    def _around(self, now: int, direction: int) -> list[int]:
        today = from_ms(now).astimezone(self.zone).date()
        dates = [today + timedelta(days=direction * number) for number in WEEK]
        return [to_ms(datetime.combine(date, self.at, self.zone)) for date in dates if date.weekday() in self.days]
