"""The answers lane's rule: which series each answer feeds, and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from msgspec import Struct

from scoring.scales import Scale
from scoring.segments import Dimensions, Series
from streams.errors import BadRecord
from streams.events import Answered, Increment, Response, Time
from streams.store import Batch, Item, Outgoing, Plan, Refused, misdated
from streams.times import DAY, FUTURE, MINUTE, from_ms, to_ms
from streams.topics import INCREMENTS, RESPONSES, TOUCHPOINTS

REMEMBERED = 100_000  # combinations of attributes; whoever has seen more begins anew
# What is older, such as an import or a log that is read anew, is history and no news: nobody is alarmed by it.
FRESH = 7 * DAY

Kind = tuple[object, ...]  # what decides on the series that an answer feeds


class Answer(Struct, frozen=True, gc=False):
    """One answer as it is counted."""

    response_id: str
    version: int  # updated_at or the log's timestamp, ms
    timed: bool  # False: a repeat keeps the first one's time
    feed: int  # index into AnswersPlan.feeds
    minute: int  # of the event's time
    score: int
    day: int  # of its arrival, which expiry goes by
    offset: int
    answered: Outgoing | None  # returned when this is the first version


class Step(Struct, frozen=True, gc=False):
    """Answers of a watched series, by their places in the plan; the state fills in those that are no repeats."""

    answers: list[int]
    increment: Outgoing


@dataclass(slots=True)
class AnswersPlan(Plan):
    """``feeds`` are lists of series, to which the rule adds more as they come; ``scales`` are all surveys'."""

    scales: Mapping[str, Scale] = field(default_factory=dict)
    feeds: list[tuple[Series, ...]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


class CountAnswers:
    """Pure: a batch of answers becomes a plan of what to count."""

    types = (Response,)
    max_records = 10_000
    key = attrgetter("response_id")

    def __init__(
        self,
        scales: Mapping[str, Scale],
        dimensions: Dimensions,
        watched: Iterable[Series] = (),
        topic: str = RESPONSES,
    ) -> None:
        self._scales = scales
        self._scores = {survey: scale.scores for survey, scale in scales.items()}
        self._watched = frozenset(watched)
        self._topic = topic
        self._dimensions = dimensions
        self._names = [dimension.name for dimension in dimensions.single]
        self._forget()

    def decide(self, batch: Batch, known: None, now: int) -> AnswersPlan:
        if len(self._fed) >= REMEMBERED:
            self._forget()
        plan = AnswersPlan(scales=self._scales, feeds=self._feeds)
        names, fed = self._names, self._fed
        for item in batch.items:
            response: Response = item.event  # type: ignore[assignment]
            try:
                at, version = self._times(item, response, now)
            except BadRecord as bad:
                plan.refused.append(Refused(item, bad.reason, bad.detail))
                continue
            # With their types, because True, 1 and 1.0 are equal in Python and different segments.
            values = (*map(response.attributes.get, names),)
            kind = (response.survey_id, *values, *map(type, values))
            feed = fed.get(kind)
            if feed is None:
                feed = fed[kind] = self._feed(response)
            plan.answers.append(
                Answer(
                    response.response_id,
                    version,
                    response.answered_at is not None,
                    feed,
                    at // MINUTE,
                    response.score,
                    item.timestamp // DAY,
                    item.offset,
                    None
                    if response.customer_id is None
                    else _answered(response, response.customer_id, at, self._segments[feed]),
                )
            )
        if self._watched:
            plan.steps = [*self._steps(batch.partition, plan, (now - FRESH) // MINUTE)]
        return plan

    def _steps(self, partition: int, plan: AnswersPlan, since: int) -> Iterator[Step]:
        """The watched series with their answers since then (a minute)."""
        for series, feeds in sorted(self._feeding.items()):
            found = [n for n, one in enumerate(plan.answers) if one.feed in feeds and one.minute >= since]
            if found:
                increment = Increment(
                    survey_id=series.survey,
                    dimension=series.dimension,
                    segment=series.value,
                    source=f"{self._topic}:{partition}",
                    scores=[],
                    offsets=[plan.answers[n].offset for n in found],
                )
                yield Step(found, Outgoing(INCREMENTS, series.key, increment))

    def _forget(self) -> None:
        """Number feeds anew."""
        self._fed: dict[Kind, int] = {}
        self._feeds: list[tuple[Series, ...]] = []
        self._segments: list[dict[str, str]] = []  # of each feed
        self._numbers: dict[tuple[Series, ...], int] = {}
        self._feeding: dict[Series, set[int]] = {}  # what feeds each watched series

    def _feed(self, response: Response) -> int:
        """What answers with these attributes feed: worked out once, not for each answer."""
        fed = (*self._dimensions.series(response.survey_id, response.attributes),)
        number = self._numbers.setdefault(fed, len(self._feeds))  # two ages of one band feed the same
        if number == len(self._feeds):
            self._feeds.append(fed)
            self._segments.append({one.dimension: one.value for one in fed if one.dimension in self._names})
            for series in self._watched.intersection(fed):
                self._feeding.setdefault(series, set()).add(number)
        return number

    def _times(self, item: Item, response: Response, now: int) -> tuple[int, int]:
        """When it was answered, and its version, in ms. Raises BadRecord where it cannot be counted."""
        if refused := misdated(item, now):
            raise BadRecord(refused.reason, refused.detail)
        scores = self._scores.get(response.survey_id)
        if scores is None:
            raise BadRecord("unknown_survey", f"no survey {response.survey_id!r} is configured")
        if response.score not in scores:
            raise BadRecord("invalid", self._scales[response.survey_id].refusal(response.score))
        at = version = item.timestamp
        if response.answered_at is not None:
            at = min(at, _told("answered_at", response.answered_at, item.timestamp))
        if response.updated_at is not None:
            version = _told("updated_at", response.updated_at, item.timestamp)
        return at, version


def _told(name: str, time: Time, timestamp: int) -> int:
    """A time that the answer itself names, in ms."""
    try:
        at = to_ms(time)
    except (ValueError, OverflowError) as error:
        raise BadRecord("invalid", f"{name}: {error}") from error
    if at - timestamp > FUTURE:
        raise BadRecord("future", f"{name} is more than 5 minutes later than the record")
    return at


def _answered(response: Response, customer_id: str, at: int, segments: dict[str, str]) -> Outgoing:
    event = Answered(
        event_id=f"answered:{response.response_id}",
        customer_id=customer_id,
        survey_id=response.survey_id,
        occurred_at=from_ms(at),
        segments=segments,
        score=response.score,
    )
    return Outgoing(TOUCHPOINTS, customer_id, event)
