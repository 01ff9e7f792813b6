"""Small builders: what a test does not care about is filled in."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from scoring.scales import CSAT, NPS, Scale
from scoring.segments import Series
from streams.customers import DecideSurveys, NothingDecided
from streams.events import (
    Alert,
    Ask,
    Contact,
    CustomerEvent,
    Event,
    Increment,
    Response,
    Touchpoint,
)
from streams.store import Batch, Item
from streams.times import DAY, Duration, from_ms, to_ms
from surveys.contacts import ContactState
from surveys.rules import Rules
from surveys.survey import Asking, Survey

NOW = to_ms(datetime(2026, 3, 1, 12, tzinfo=UTC))
DELIVERED = "Order Delivered"
SERIES = Series("nps")
SURVEYS: dict[str, Scale] = {"nps": NPS, "csat": CSAT}


def answer(score: int = 9, response_id: str = "r1", *, survey: str = "nps", **fields: Any) -> Response:
    return Response(response_id=response_id, survey_id=survey, score=score, **fields)


def answers(promoters: int, passives: int, detractors: int, **fields: Any) -> list[Response]:
    """As many answers of each group; their ids name the attributes, so that calls can be put together."""
    scores = [10] * promoters + [7] * passives + [3] * detractors
    return [answer(score, f"{sorted(fields.items())}:{n}", **fields) for n, score in enumerate(scores)]


def groups(promoters: int = 0, passives: int = 0, detractors: int = 0) -> dict[str, int]:
    """What the tally of an NPS has of each group."""
    return {"promoter": promoters, "passive": passives, "detractor": detractors}


def increment(
    *scores: int, offset: int = 0, series: Series = SERIES, source: str = "survey.responses:0"
) -> Increment:
    """Steps of a watched series, from answers that stood one behind the other from ``offset`` on."""
    survey, dimension, segment = series
    offsets = [offset + n for n in range(len(scores))]
    return Increment(
        survey_id=survey, dimension=dimension, segment=segment, source=source, scores=[*scores], offsets=offsets
    )


def alert(alert_id: str = "a1", *, at: int = NOW, until: int | None = None, **fields: Any) -> Alert:
    """An alert that fires since ``at``, or was resolved at ``until``."""
    fields = {"labels": {"alertname": "NpsDrop", "survey": "nps"}, "annotations": {}, **fields}
    return Alert(
        alert_id=alert_id,
        status="firing" if until is None else "resolved",
        starts_at=from_ms(at),
        ends_at=None if until is None else from_ms(until),
        **fields,
    )


def touchpoint(event_id: str = "e1", *, customer: str = "c1", at: int = NOW, **fields: Any) -> Touchpoint:
    fields.setdefault("event", DELIVERED)
    return Touchpoint(event_id=event_id, customer_id=customer, occurred_at=from_ms(at), **fields)


def ask(survey_id: str, event_id: str = "e1", *, customer: str = "c1", at: int = NOW) -> Ask:
    return Ask(event_id=event_id, customer_id=customer, survey_id=survey_id, occurred_at=from_ms(at))


def on(kind: type[CustomerEvent], event_id: str = "e1", *, at: int = NOW, **fields: Any) -> Any:
    """An event of any kind that concerns the customer c1."""
    return kind(event_id=event_id, customer_id="c1", occurred_at=from_ms(at), **fields)


def batch(
    *events: Event, start: int = 0, partition: int = 0, timestamp: int = NOW, times: Sequence[int] = ()
) -> Batch:
    """Records from ``start`` on, one behind the other; ``times`` are their timestamps where they differ."""
    stamps = times or [timestamp] * len(events)
    items = [Item(event, start + n, stamp) for n, (event, stamp) in enumerate(zip(events, stamps, strict=True))]
    return Batch(partition, start, start + len(events), stamps[-1] if stamps else timestamp, items, [])


def survey(survey_id: str = "nps", **fields: Any) -> Survey:
    fields.setdefault("trigger", DELIVERED)
    return Survey(id=survey_id, **fields)


def rules(*surveys: Survey, quiet_period: int = 7 * DAY, **asking: Any) -> Rules:
    return Rules(surveys, Asking(quiet_period=Duration(quiet_period), **asking))


def deciding(*surveys: Survey, **asking: Any) -> DecideSurveys:
    """The rule over surveys, on its first way through the log."""
    return DecideSurveys(rules(*surveys, **asking), NothingDecided())


def contact(email: str | None = "ann@example.com", **fields: Any) -> ContactState:
    return ContactState(contact=Contact(email=email), **fields)
