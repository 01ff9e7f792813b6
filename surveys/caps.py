"""Daily caps: at most so many invitations are sent off in one calendar day, of a survey and over all surveys.

A cap is divided among the partitions of the customer lane, each of which has one writer: no two have to agree, so
nothing that fails can overshoot it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.times import HOUR, from_ms, to_ms
from surveys import reasons
from surveys.hours import zone
from surveys.limits import Limit
from surveys.survey import Asking, Survey

ALL = ""  # the scope of what is sent off over all surveys
LONGEST_DAY = 25 * HOUR  # the one on which the clock goes back
UTC = ZoneInfo("UTC")


class Place(NamedTuple):
    """Where an invitation counts: on a day (the ordinal of its date), of a survey's id or of ``ALL``."""

    day: int
    scope: str


@dataclass(frozen=True)
class Caps:
    """How many may be sent off in a day, by scope: those that have a cap. Days are those of ``zone``."""

    per_day: Mapping[str, int]
    zone: ZoneInfo = UTC
    partitions: int = 1

    @classmethod
    def of(cls, surveys: Sequence[Survey], asking: Asking, partitions: int) -> Caps:
        found = {survey.id: survey.per_day for survey in surveys} | {ALL: asking.per_day}
        where = zone(asking.sending.timezone) if asking.sending else None
        return cls({scope: cap for scope, cap in found.items() if cap}, where or UTC, partitions)

    def places(self, survey_id: str, at: int) -> list[Place]:
        """Where an invitation counts that is sent off at ``at`` (ms); nowhere without a cap."""
        return [Place(self.day(at), scope) for scope in (survey_id, ALL) if scope in self.per_day]

    def around(self, now: int) -> list[Place]:
        """All that may be asked for in the moment that follows ``now`` (ms): midnight may lie in between."""
        if not self.per_day:
            return []
        return [Place(self.day(now) + ahead, scope) for ahead in (-1, 0, 1) for scope in self.per_day]

    def share(self, place: Place, partition: int) -> int:
        """A partition's part of a cap; what does not divide evenly goes around by the day."""
        part, rest = divmod(self.per_day[place.scope], self.partitions)
        return part + ((partition + place.day) % self.partitions < rest)

    def ends(self, at: int) -> int:
        """The midnight (ms) after ``at``: later than it also where the clock is put back over midnight."""
        after = datetime.combine(self._local(at).date() + timedelta(days=1), time(), self.zone)
        return next(end for end in (to_ms(after), to_ms(after.replace(fold=1))) if end > at)

    def day(self, at: int) -> int:
        """The ordinal of the date at ``at`` (ms)."""
        return self._local(at).toordinal()

    def _local(self, at: int) -> datetime:
        return from_ms(at).astimezone(self.zone)


class Sent:
    """What one partition has sent off, and what it sends off while it decides on a batch.

    ``added`` says what is new: where it counts, and the request. Whatever is sent to a customer is added here.
    """

    def __init__(self, caps: Caps, partition: int, known: Mapping[Place, int]) -> None:
        self._caps, self._partition = caps, partition
        self._counts = dict(known)
        self.added: list[tuple[Place, str]] = []

    def limits(self, survey_id: str, now: int) -> list[Limit]:
        """The caps that forbid this survey now, and when they end."""
        full = [place for place in self._caps.places(survey_id, now) if not self._left(place)]
        return [(reasons.CAP_SURVEY if place.scope else reasons.CAP_ALL, self._caps.ends(now)) for place in full]

    def add(self, survey_id: str, request_id: str, now: int) -> None:
        """Count an invitation that is sent off at ``now`` (ms)."""
        for place in self._caps.places(survey_id, now):
            self._counts[place] = self._counts.get(place, 0) + 1
            self.added.append((place, request_id))

    def _left(self, place: Place) -> bool:
        """Whether one more may be sent; none on a day of which nothing is known."""
        share = self._caps.share(place, self._partition)
        return self._counts.get(place, share) < share


NO_CAPS = Caps({})
UNCAPPED = Sent(NO_CAPS, 0, {})
