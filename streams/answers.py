"""The answers lane's rule: which series each answer feeds, and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from scoring.segments import Dimensions, Series
from streams.events import Answered, Event, Response
from streams.store import Batch, Item, Outgoing, Plan, Refused, misdated
from streams.times import FUTURE, MINUTE, from_ms, to_ms
from streams.topics import TOUCHPOINTS


class Answer(NamedTuple):
    """One answer as it is counted."""

    response_id: str
    version: int  # updated_at or the log's timestamp, ms
    timed: bool  # False: a repeat keeps the first one's time
    feed: int  # index into AnswersPlan.feeds
    minute: int  # of the event's time
    score: int
    answered: Outgoing | None  # returned when this is the first version


@dataclass(slots=True)
class AnswersPlan(Plan):
    """``feeds`` are the distinct lists of series that the batch's answers feed."""

    feeds: list[list[Series]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


class CountAnswers:
    """Pure: a batch of answers becomes a plan of what to count."""

    types = (Response,)
    max_records = 10_000

    def __init__(self, surveys: Iterable[str], dimensions: Dimensions) -> None:
        self._surveys = frozenset(surveys)
        self._dimensions = dimensions

    def key(self, event: Event) -> str:
        return event.response_id  # type: ignore[attr-defined, no-any-return]

    def decide(self, batch: Batch, known: None, now: int) -> AnswersPlan:
        plan = AnswersPlan()
        feeds: dict[tuple[object, ...], int] = {}
        names = [dimension.name for dimension in self._dimensions.single]
        for item in batch.items:
            response: Response = item.event  # type: ignore[assignment]
            refusal = self._refusal(item, response, now)
            if refusal:
                plan.refused.append(refusal)
                continue
            # Answers with the same attributes feed the same series: worked out once a batch, not once an answer.
            # With their types, because True, 1 and 1.0 are equal in Python and different segments.
            values = [response.attributes.get(name) for name in names]
            kind = (response.survey_id, *values, *map(type, values))
            feed = feeds.get(kind)
            if feed is None:
                feed = feeds[kind] = len(plan.feeds)
                plan.feeds.append(self._dimensions.series(response.survey_id, response.attributes))
            plan.answers.append(_count(item, response, feed))
        return plan

    def _refusal(self, item: Item, response: Response, now: int) -> Refused | None:
        if refused := misdated(item, now):
            return refused
        if response.survey_id not in self._surveys:
            return Refused(item, "unknown_survey", f"no survey {response.survey_id!r} is configured")
        for name, time in (("answered_at", response.answered_at), ("updated_at", response.updated_at)):
            if time is None:
                continue
            try:
                late = to_ms(time) - item.timestamp > FUTURE
            except (ValueError, OverflowError) as error:
                return Refused(item, "invalid", f"{name}: {error}")
            if late:
                return Refused(item, "future", f"{name} is more than 5 minutes later than the record")
        return None


def _count(item: Item, response: Response, feed: int) -> Answer:
    at = item.timestamp if response.answered_at is None else min(to_ms(response.answered_at), item.timestamp)
    answered = None
    if response.customer_id is not None:
        answered = Outgoing(
            TOUCHPOINTS,
            response.customer_id,
            Answered(
                event_id=f"answered:{response.response_id}",
                customer_id=response.customer_id,
                survey_id=response.survey_id,
                occurred_at=from_ms(at),
            ),
        )
    return Answer(
        response_id=response.response_id,
        version=item.timestamp if response.updated_at is None else to_ms(response.updated_at),
        timed=response.answered_at is not None,
        feed=feed,
        minute=at // MINUTE,
        score=response.score,
        answered=answered,
    )
