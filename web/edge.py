"""What the HTTP edge is given: the settings it needs, and the parts it reads and writes through."""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Protocol

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler

from scoring.board import Board, Count
from scoring.segments import Dimensions
from sinks.prometheus import Pipeline
from sinks.redis.requests import Asked
from streams.comments import Comment
from surveys.survey import Survey
from web.links import Links


class Publishes(Protocol):
    async def publish(
        self, messages: Iterable[tuple[str, str, str | bytes]], partition_key: str | None = None
    ) -> None: ...


class FindsRequests(Protocol):
    async def find(self, request_id: str) -> Asked | None: ...

    async def mark_answered(self, request_id: str) -> None: ...


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
    surveys: Mapping[str, Survey]
    dimensions: Dimensions
    windows: Sequence[str]
    kept: bool  # False: the embedded default, nothing outlives the program
    keys: Sequence[str]
    links: Links
    publisher: Publishes
    requests: FindsRequests
    board: Callable[[], Awaitable[Board]]
    comments: Callable[[str, int], Awaitable[list[Comment]]]
    pipeline: Callable[[], Awaitable[Pipeline]]
    zeros: Collection[Count]  # counters that exist from the start
    health: Health
    clock: Callable[[], int]  # ms
    draining: Callable[[], bool] = field(default=lambda: False)


def guard(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """Let in who has a key, as a bearer token or as the password of basic authentication.

    Without configured keys requests from loopback are let in, with any key or none, and nobody else.
    """
    edge: Edge = connection.app.state.edge
    if not edge.keys:
        if connection.client is None or not _loopback(connection.client.host):
            raise NotAuthorizedException(
                "no API keys are configured, so only this machine may ask; set LIVENPS_API_KEYS"
            )
        return
    given = _credential(connection.headers.get("authorization", ""))
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


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
