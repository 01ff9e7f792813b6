"""For who runs it: metrics and health."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import MediaType, Request, Response, get

from scoring.board import Board
from sinks.prometheus import CONTENT_TYPE, exposition
from streams.store import StoreCorrupt
from web.edge import Edge


@get("/metrics", media_type=MediaType.TEXT, summary="Prometheus metrics", tags=["operations"])
async def get_metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Made fresh for each scrape. Where the state does not answer the scrape fails, so that ``up`` is 0."""
    edge: Edge = request.app.state.edge
    board, pipeline = await asyncio.gather(_board(edge), edge.pipeline())
    surveys = list(edge.surveys)
    text = await asyncio.to_thread(exposition, board, surveys, edge.dimensions, pipeline, edge.zeros)
    return Response(text, media_type=CONTENT_TYPE)


async def _board(edge: Edge) -> Board | None:
    """None where the state is damaged: which partition had to stop is still to be told."""
    try:
        return await edge.board()
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
