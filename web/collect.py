"""The collector: touchpoints and answers over HTTP, one or an array; all are written or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
from litestar import Request, Response, post
from msgspec import Struct

from streams import events
from streams.answers import FUTURE
from streams.errors import LivenpsError
from streams.events import Event, Touchpoint, encode
from streams.times import from_ms, rfc3339, to_ms
from streams.topics import RESPONSES, TOUCHPOINTS
from web.edge import Edge

MAX_ITEMS = 1_000

E = TypeVar("E", bound=Event)


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

    def complete(fields: dict[str, Any]) -> None:
        fields.setdefault("event_id", uuid4().hex)
        fields.setdefault("occurred_at", rfc3339(now))

    touchpoints = read_items(
        await request.body(),
        Touchpoint,
        complete,
        lambda event: _not_future({"occurred_at": event.occurred_at}, now),
    )
    await edge.publisher.publish((TOUCHPOINTS, one.customer_id, encode(one)) for one in touchpoints)
    return _accepted([one.event_id for one in touchpoints])


@post("/v1/responses", status_code=202, summary="Answers", tags=["in"])
async def post_responses(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """One answer, or an array of up to 1,000. Required: ``survey_id`` and ``score``."""
    edge: Edge = request.app.state.edge
    now = edge.clock()

    def complete(fields: dict[str, Any]) -> None:
        fields.setdefault("response_id", uuid4().hex)
        fields.setdefault("answered_at", rfc3339(now))
        fields.setdefault("updated_at", rfc3339(now))

    def check(answer: events.Response) -> tuple[str, str] | None:
        if answer.survey_id not in edge.surveys:
            return "$.survey_id", f"Expected one of {', '.join(edge.surveys)}, got {answer.survey_id!r}"
        return _not_future({"answered_at": answer.answered_at, "updated_at": answer.updated_at}, now)

    answers = read_items(await request.body(), events.Response, complete, check)
    await edge.publisher.publish((RESPONSES, one.response_id, encode(one)) for one in answers)
    return _accepted([one.response_id for one in answers])


def read_items(
    body: bytes,
    kind: type[E],
    complete: Callable[[dict[str, Any]], None],
    check: Callable[[E], tuple[str, str] | None],
) -> list[E]:
    """The events of a body, defaults filled in by ``complete``; ``check`` may refuse one with (path, message).

    Raises BadItems with the first wrong field of each item.
    """
    try:
        raw = _items.decode(body) if body.lstrip()[:1] == b"[" else [msgspec.Raw(body)]
    except msgspec.DecodeError as error:
        raise BadItems([ItemError(0, "$", str(error))]) from error
    if not 1 <= len(raw) <= MAX_ITEMS:
        raise BadItems([ItemError(0, "$", f"Expected 1 to {MAX_ITEMS} items, got {len(raw)}")])
    items: list[E] = []
    errors: list[ItemError] = []
    for index, text in enumerate(raw):
        try:
            fields = _object.decode(text)
            complete(fields)
            item = msgspec.convert(fields, kind)
            refusal = check(item)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refusal = explained(error)
        if refusal:
            errors.append(ItemError(index, *refusal))
        else:
            items.append(item)
    if errors:
        raise BadItems(errors)
    return items


def explained(error: Exception) -> tuple[str, str]:
    """Path and message of an error of msgspec."""
    message, _, path = str(error).partition(" - at `")
    return path.rstrip("`") or "$", message


def _not_future(times: dict[str, Any], now: int) -> tuple[str, str] | None:
    for name, time in times.items():
        try:
            ms = None if time is None else to_ms(time)
        except (ValueError, OverflowError) as error:
            return f"$.{name}", str(error)
        if ms is not None and ms - now > FUTURE:
            return f"$.{name}", f"Expected a time at most 5 minutes in the future, got {from_ms(ms).isoformat()}"
    return None


def _accepted(ids: list[str]) -> Response[dict[str, Any]]:
    return Response({"accepted": len(ids), "ids": ids}, status_code=202)


_items = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(dict[str, Any])
