"""The collector: touchpoints and answers over HTTP, one or an array; all are written or none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
from litestar import Request, Response, post
from msgspec import Struct

from streams import events
from streams.errors import LivenpsError
from streams.events import Ask, Bounced, Declined, Identify, Merge, Touchpoint, Unsubscribed, encode
from streams.times import FUTURE, from_ms, rfc3339, to_ms
from streams.topics import RESPONSES, TOUCHPOINTS
from web.edge import Edge

MAX_ITEMS = 1_000

# What others may tell of a customer.
Told = Touchpoint | Identify | Merge | Ask | Declined | Unsubscribed | Bounced

E = TypeVar("E", bound=Struct)


class ItemError(Struct, omit_defaults=True):
    """The first thing wrong with one item: its place in the array, the path in the item, what was expected."""

    index: int
    path: str
    message: str


class BadItems(LivenpsError):
    """A body that does not validate; nothing of it was written."""

    def __init__(self, errors: list[ItemError]) -> None:
        super().__init__(f"{len(errors)} items are not valid")
        self.errors = errors


@post("/v1/touchpoints", status_code=202, summary="Product events that may trigger surveys", tags=["in"])
async def post_touchpoints(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """One touchpoint, or an array of up to 1,000. Required: ``event`` and ``customer_id``."""
    edge: Edge = request.app.state.edge
    now = edge.clock()

    touchpoints: list[Touchpoint] = read_items(
        await request.body(),
        Touchpoint,
        _dated(now),
        lambda event: not_future({"occurred_at": event.occurred_at}, now),
    )
    await edge.publish([(TOUCHPOINTS, one.customer_id, encode(one)) for one in touchpoints])
    return accepted([one.event_id for one in touchpoints])


@post("/v1/events", status_code=202, summary="Whatever concerns a customer, by type", tags=["in"])
async def post_events(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """One event, or an array of up to 1,000. Required: ``type``, ``customer_id``, and what the type needs."""
    edge: Edge = request.app.state.edge
    now = edge.clock()

    def check(event: Told) -> tuple[str, str] | None:
        if isinstance(event, Merge) and event.into == event.customer_id:
            return "$.into", "Expected another customer than the one that is merged"
        return not_future({"occurred_at": event.occurred_at}, now)

    told: list[Told] = read_items(await request.body(), Told, _dated(now), check)
    await edge.publish([(TOUCHPOINTS, one.customer_id, encode(one)) for one in told])
    return accepted([one.event_id for one in told])


@post("/v1/responses", status_code=202, summary="Answers", tags=["in"])
async def post_responses(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """One answer, or an array of up to 1,000. Required: ``survey_id`` and ``score``."""
    edge: Edge = request.app.state.edge
    now = edge.clock()

    def complete(fields: dict[str, Any]) -> None:
        # No times: they are the log's then, and a repeat keeps the first one's.
        fields.setdefault("response_id", uuid4().hex)

    def check(answer: events.Response) -> tuple[str, str] | None:
        if answer.survey_id not in edge.surveys:
            return "$.survey_id", f"Expected one of {', '.join(edge.surveys)}, got {answer.survey_id!r}"
        scale = edge.surveys[answer.survey_id].scale
        if answer.score not in scale.scores:
            return "$.score", scale.refusal(answer.score).capitalize()
        return not_future({"answered_at": answer.answered_at, "updated_at": answer.updated_at}, now)

    answers: list[events.Response] = read_items(await request.body(), events.Response, complete, check)
    await edge.publish([(RESPONSES, one.response_id, encode(one)) for one in answers])
    return accepted([one.response_id for one in answers])


def _dated(now: int) -> Callable[[dict[str, Any]], None]:
    """Completes an event: an id of its own, and that it happened now (ms)."""

    def complete(fields: dict[str, Any]) -> None:
        fields.setdefault("event_id", uuid4().hex)
        fields.setdefault("occurred_at", rfc3339(now))

    return complete


def read_items(
    body: bytes,
    kind: Any,  # a type of events, or a union of them
    complete: Callable[[dict[str, Any]], None],
    check: Callable[[E], tuple[str, str] | None],
) -> list[E]:
    """The events of a body, defaults filled in by ``complete``; ``check`` may refuse one with (path, message).

    Raises BadItems with the first wrong field of each item.
    """
    raw, malformed = _parsed(body)
    if not (malformed or 1 <= len(raw) <= MAX_ITEMS):
        raise BadItems([ItemError(0, "$", f"Expected 1 to {MAX_ITEMS} items, got {len(raw)}")])
    items: list[E] = []
    errors: list[ItemError] = []
    for index, one in enumerate(raw):
        try:
            fields = msgspec.convert(one, dict[str, Any])
            complete(fields)
            item = msgspec.convert(fields, kind)
            refusal = check(item)
        except msgspec.ValidationError as error:
            refusal = explained(error)
        if refusal:
            errors.append(ItemError(index, *refusal))
        else:
            items.append(item)
    if malformed and not errors:
        errors.append(ItemError(0, "$", malformed))
    if errors:
        raise BadItems(errors)
    return items


class NaN:
    """What stands for NaN and Infinity, which no field accepts."""

    def __init__(self, text: str) -> None: ...


def _parsed(body: bytes) -> tuple[list[Any], str]:
    """The items of a body, and what is wrong with it where it is no JSON.

    NaN and Infinity are no JSON, but Python's parser reads them, so that they can be refused by name.
    """
    malformed = ""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        malformed = str(error)
        try:
            value = json.loads(body, parse_constant=NaN)
        except (ValueError, RecursionError):
            value = []
    return value if isinstance(value, list) else [value], malformed


def explained(error: msgspec.ValidationError) -> tuple[str, str]:
    """Path and message of an error of msgspec; the path of a missing field is where it should stand."""
    message, _, where = str(error).partition(" - at `")
    path = where.removeprefix("key` in `").rstrip("`") or "$"
    missing = _MISSING.fullmatch(message)
    return (f"{path}.{missing[1]}" if missing else path), message


_MISSING = re.compile("Object missing required field `(.+)`")


def not_future(times: dict[str, Any], now: int) -> tuple[str, str] | None:
    """Path and message of the first time that no event may carry at ``now`` (ms)."""
    for name, time in times.items():
        try:
            ms = None if time is None else to_ms(time)
        except (ValueError, OverflowError) as error:
            return f"$.{name}", str(error)
        if ms is not None and ms - now > FUTURE:
            return f"$.{name}", f"Expected a time at most 5 minutes in the future, got {from_ms(ms).isoformat()}"
    return None


def accepted(ids: list[str]) -> Response[dict[str, Any]]:
    """What whoever has sent events is told."""
    return Response({"accepted": len(ids), "ids": ids}, status_code=202)
