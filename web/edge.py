"""What the HTTP edge is given: the settings it needs, and the parts it reads and writes through."""

from __future__ import annotations

import asyncio
import hmac
from base64 import b64decode
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.datastructures import Headers
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler

from scoring.board import Board, Count
from scoring.segments import Dimensions, Series
from scoring.trend import Bucket
from sinks.prometheus import Pipeline
from sinks.redis.incidents import Timeline
from sinks.redis.requests import Asked, Reaction
from streams.comments import Comment
from streams.decision_log import Found
from streams.errors import BrokerUnavailable
from streams.events import AnswerValue, Outcome, SurveyRequest
from streams.publisher import Message
from streams.watch import Reading
from surveys.contacts import ContactState
from surveys.survey import Survey
from web.branding import Branding
from web.links import Links
from web.site import Site

PUBLISH_S = 10.0
PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip")


class Publishes(Protocol):
    async def publish(self, messages: Sequence[Message]) -> None: ...


class KnowsRequests(Protocol):
    async def find(self, request_id: str) -> Asked | None: ...

    async def count_bounce(self, kind: str, customer_id: str, id_: str) -> None: ...

    async def note(self, request: SurveyRequest, reaction: Reaction) -> None: ...

    async def keep(self, request_id: str, answers: Mapping[str, AnswerValue], at: int) -> None: ...

    async def offered(self, customer_id: str, since: int) -> list[str]: ...

    async def withdraw(self, request: SurveyRequest) -> None: ...

    async def restore(self, request: SurveyRequest, outcome: Outcome) -> None: ...


@dataclass(slots=True)
class Health:
    """Named checks: an empty text is fine, anything else says what is wrong."""

    alive: Callable[[], Mapping[str, str]]
    ready: Callable[[], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Edge:
    """One value that all handlers share; nothing in it changes while the program runs."""

    roles: Collection[str]
    brand: str
    branding: Branding
    surveys: Mapping[str, Survey]
    dimensions: Dimensions
    windows: Sequence[str]
    kept: bool  # False: the embedded default, nothing outlives the program
    keys: Sequence[str]
    links: Links
    site: Site
    change_for: int  # ms after the first answer in which it can be changed and continued
    publisher: Publishes
    requests: KnowsRequests
    contact: Callable[[str], Awaitable[ContactState]]
    board: Callable[[], Awaitable[Board]]
    incentive: Callable[[str, str], Awaitable[str | None]]
    comments: Callable[[str, int], Awaitable[list[Comment]]]
    timeline: Callable[[], Awaitable[Timeline]]
    decisions: Callable[[str, int], Awaitable[Found]]
    trend: Callable[[Series, str], Awaitable[list[Bucket]]]
    watched: Callable[[], Awaitable[Mapping[Series, Reading]]]
    pipeline: Callable[[], Awaitable[Pipeline]]
    zeros: Collection[Count]  # counters that exist from the start
    health: Health
    clock: Callable[[], int]  # ms
    draining: Callable[[], bool] = field(default=lambda: False)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish while somebody waits for it, so not for long. Raises BrokerUnavailable."""
        try:
            async with asyncio.timeout(PUBLISH_S):
                await self.publisher.publish(messages)
        except TimeoutError as error:
            raise BrokerUnavailable(f"Kafka did not take the events within {PUBLISH_S:g} s, try again") from error


def guard(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """Let in who has a key, as a bearer token or as the password of basic authentication.

    Without configured keys requests from loopback are let in, with any key or none, and nobody else. What a
    browser sends in the name of another site is refused, because it would send a remembered key along.
    """
    edge: Edge = connection.app.state.edge
    headers = connection.headers
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        raise PermissionDeniedException("pages of another origin may not ask")
    if not edge.keys:
        _this_machine(connection.client.host if connection.client else "", headers)
        return
    given = _credential(headers.get("authorization", ""))
    # Every key is compared, so that time tells nothing.
    if not any([hmac.compare_digest(given.encode(), key.encode()) for key in edge.keys]):  # noqa: C419
        raise NotAuthorizedException("an API key is needed", headers={"www-authenticate": 'Basic realm="livenps"'})


def _credential(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return ""


def _this_machine(client: str, headers: Headers) -> None:
    """Raises where a request comes from elsewhere, or may do."""
    remedy = "no API keys are configured, so only this machine may ask; set LIVENPS_API_KEYS"
    if not _loopback(client):
        raise NotAuthorizedException(remedy)
    if any(name in headers for name in PROXY_HEADERS):
        raise NotAuthorizedException(f"a proxy passed this on from anywhere; {remedy}")
    name = _host(headers.get("host", ""))
    if name != "localhost" and not _loopback(name):
        # Any site can give its own name the address 127.0.0.1, and a browser then takes us for that site.
        raise PermissionDeniedException(f"asked for as {name!r}; {remedy}")


def _host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
