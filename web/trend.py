"""How a score went: points over a window with their intervals, and the band since something was done."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import ClientException
from litestar.params import FromQuery

from scoring.scales import Scale
from scoring.segments import Series
from scoring.trend import Bucket, band, points, shift
from scoring.windows import ALL
from streams.events import Marker
from streams.times import rfc3339, to_ms
from web.edge import Edge
from web.scores import choose, counted, known_dimension, score


@get("/v1/trend", summary="A score over a window, and since something was done", tags=["out"])
async def get_trend(
    request: Request[Any, Any, Any],
    survey: FromQuery[str | None] = None,
    window: FromQuery[str | None] = None,
    dimension: FromQuery[str | None] = None,
    segment: FromQuery[str | None] = None,
    since: FromQuery[str | None] = None,
) -> Response[dict[str, Any]]:
    """Points of equal length, each of its own answers with its 95 % interval; of a survey, or of one segment.

    ``since`` is a marker's id, a time, or ``newest``: the newest marker in the window. Its band, a confidence
    sequence, and the bounds of the change may be looked at again and again; the change has none where fewer than
    30 answers are on a side.
    """
    edge: Edge = request.app.state.edge
    found, name = choose(edge, survey, window)
    if name == ALL:
        raise ClientException(f"window: expected one of {', '.join(one for one in edge.windows if one != ALL)}")
    series = _series(edge, found.id, dimension, segment)
    markers = [] if since is None else await _markers(edge, found.id)
    start = None if since in (None, NEWEST) else _start(markers, since)
    await counted(edge)
    buckets = await edge.trend(series, name)
    if since == NEWEST:
        start = next((at for one in markers if (at := to_ms(one.at)) >= buckets[0].at), None)
    if start is not None and start < buckets[0].at:
        raise ClientException(f"since: expected a time within the window, from {rfc3339(buckets[0].at)} on")

    def body() -> dict[str, Any]:
        return {
            "survey": found.id,
            "window": name,
            "dimension": series.dimension,
            "segment": series.value,
            "points": [{"at": rfc3339(at), **score(tally)} for at, tally in points(buckets, found.scale)],
            "since": None if start is None else _since(buckets, found.scale, start),
        }

    return Response(await asyncio.to_thread(body))


def _since(buckets: Sequence[Bucket], scale: Scale, start: int) -> dict[str, Any]:
    before, after, bounds = shift(buckets, scale, start)
    change = None if before.score is None or after.score is None else after.score - before.score
    lower, upper = bounds or (None, None)
    return {
        "at": rfc3339(start),
        "before": score(before),
        "after": score(after),
        "change": {"points": change, "lower": lower, "upper": upper},
        "points": [{**one._asdict(), "at": rfc3339(one.at)} for one in band(buckets, scale, start)],
    }


async def _markers(edge: Edge, survey: str) -> list[Marker]:
    """Those that the survey may follow, newest first."""
    return [one for one in (await edge.timeline()).markers if one.survey_id in (None, survey)]


def _series(edge: Edge, survey: str, dimension: str | None, segment: str | None) -> Series:
    if (dimension is None) != (segment is None):
        raise ClientException("dimension, segment: expected both, or neither")
    if dimension is None or segment is None:
        return Series(survey)
    return Series(survey, known_dimension(edge, dimension), segment)


def _start(markers: Sequence[Marker], since: str) -> int:
    """When it was, in ms."""
    for marker in markers:
        if marker.marker_id == since:
            return to_ms(marker.at)
    try:
        at = datetime.fromisoformat(since)
        if at.tzinfo is None:
            raise ClientException(f"since: expected {_EXAMPLE}, with its zone")
        return to_ms(at)
    except (ValueError, OverflowError) as error:
        raise ClientException(f"since: expected the id of a marker, or {_EXAMPLE}") from error


NEWEST = "newest"
_EXAMPLE = "a time such as 2026-03-01T12:00:00Z"
