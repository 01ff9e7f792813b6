"""For who runs it: metrics and health."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from litestar import MediaType, Request, Response, get

from sinks.prometheus import CONTENT_TYPE, exposition
from streams.store import StoreCorrupt
from web.edge import Edge

T = TypeVar("T")


@get("/metrics", media_type=MediaType.TEXT, summary="Prometheus metrics", tags=["operations"])
async def get_metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Made fresh for each scrape. Where the state does not answer the scrape fails, so that ``up`` is 0."""
    edge: Edge = request.app.state.edge
    board, watched, timeline, pipeline = await asyncio.gather(
        _sound(edge.board()), _sound(edge.watched()), _sound(edge.timeline()), edge.pipeline()
    )
    markers = timeline.markers if timeline else []
    text = await asyncio.to_thread(
        exposition, board, edge.surveys, edge.dimensions, pipeline, edge.zeros, watched or {}, markers
    )
    return Response(text, media_type=CONTENT_TYPE)


async def _sound(read: Awaitable[T]) -> T | None:
    """None where the state is damaged: which partition had to stop is still to be told."""
    try:
        return await read
    except StoreCorrupt:
        return None


@get("/healthz", summary="Alive: the loop turns, the consumers poll", tags=["operations"])
async def get_healthz(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    return _report(dict(request.app.state.edge.health.alive()))


@get("/readyz", summary="Ready: partitions claimed, Redis answers, not draining", tags=["operations"])
async def get_readyz(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    return _report(dict(await request.app.state.edge.health.ready()))


def _report(checks: dict[str, str]) -> Response[dict[str, Any]]:
    wrong = {name: text for name, text in checks.items() if text}
    body = {"status": "failing" if wrong else "ok", "checks": {n: t or "ok" for n, t in checks.items()}}
    return Response(body, status_code=503 if wrong else 200)
