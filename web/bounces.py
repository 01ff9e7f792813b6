"""Mails that came back, as whoever sends them for the operator tells it: what a contact's address is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args
from uuid import uuid4

from litestar import Request, Response, post
from msgspec import Meta, Struct

from sinks.mail import request_id_of
from streams.events import Bounced, CustomerEvent, Id, Label, SurveyRequest, Unsubscribed, encode
from streams.times import from_ms
from streams.topics import TOUCHPOINTS
from web.collect import BadItems, ItemError, accepted, read_items
from web.edge import Edge

Kind = Literal["hard", "soft", "complaint"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Bounce(Struct, kw_only=True):
    """One mail that came back (``hard``, ``soft``: for now), or that its reader called spam (``complaint``).

    Which one: by ``request_id``, by ``message_id`` as our mail had it, or by ``customer_id`` and ``email``.
    ``bounce_id`` tells a repeat, where customer and address are given.
    """

    kind: Kind
    request_id: Id | None = None
    message_id: Annotated[str, Meta(max_length=300)] | None = None
    customer_id: Id | None = None
    email: Label | None = None
    bounce_id: Annotated[str, Meta(min_length=1, max_length=180)] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a bounce tells: an event, unless the mail came back for now; and the request, where it says which.

    ``id_`` tells the customer's mails apart.
    """

    customer_id: str
    id_: str
    event: CustomerEvent | None
    request: SurveyRequest | None


@post("/v1/bounces", status_code=202, summary="Mails that came back, and complaints", tags=["in"])
async def post_bounces(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """One bounce, or an array of up to 1,000. Required: ``kind`` and which mail it was."""
    edge: Edge = request.app.state.edge
    bounces = read_items(await request.body(), Bounce, _complete, _check)
    found = [await _told(edge, bounce) for bounce in bounces]
    errors = [ItemError(index, *refusal) for index, refusal in enumerate(found) if isinstance(refusal, tuple)]
    if errors:
        raise BadItems(errors)
    told = [one for one in found if isinstance(one, Told)]
    events = [one.event for one in told if one.event]
    await edge.publish([(TOUCHPOINTS, event.customer_id, encode(event)) for event in events])
    for bounce, one in zip(bounces, told, strict=True):
        # After it is written: what a crash in between left out is counted when it is told again.
        await edge.requests.count_bounce(bounce.kind, one.customer_id, one.id_)
        if bounce.kind == "hard" and one.request:
            await edge.requests.note(one.request, "bounced")
    return accepted([event.event_id for event in events])


def _complete(fields: dict[str, Any]) -> None:
    fields.setdefault("bounce_id", uuid4().hex)


def _check(bounce: Bounce) -> tuple[str, str] | None:
    """Path and message where it does not say which mail."""
    if bounce.message_id is not None and request_id_of(bounce.message_id) is None:
        return "$.message_id", "Expected the Message-ID of a mail of ours, such as <...@livenps.invalid>"
    if bounce.request_id is None and bounce.message_id is None and not (bounce.customer_id and bounce.email):
        return "$", "Expected request_id, message_id, or customer_id and email"
    return None


async def _told(edge: Edge, bounce: Bounce) -> Told | tuple[str, str]:
    """What follows from a bounce; path and message where no such mail is known."""
    customer, email, id_ = bounce.customer_id or "", bounce.email or "", bounce.bounce_id
    request = None
    if request_id := bounce.request_id or request_id_of(bounce.message_id or ""):
        place = "$.request_id" if bounce.request_id else "$.message_id"
        asked = await edge.requests.find(request_id)
        if asked is None:
            return place, "Expected a request of the last 90 days, got one that is not known"
        request = asked.request
        customer, email, id_ = request.customer_id, request.contact.email or "", request_id
        if not email:
            return place, "Expected a request to somebody with a mail address, got one without"
    at = from_ms(edge.clock())
    event: CustomerEvent | None
    match bounce.kind:
        case "hard":
            event = Bounced(event_id=f"bounced:{id_}", customer_id=customer, occurred_at=at, email=email)
        case "complaint":
            event = Unsubscribed(event_id=f"complaint:{id_}", customer_id=customer, occurred_at=at)
        case "soft":
            event = None
    return Told(customer, id_ or "", event, request)
