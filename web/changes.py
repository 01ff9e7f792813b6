"""What changed and why: the last day against the month before, by segment, with what the watch has gathered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromQuery

from scoring.board import Board
from scoring.changes import Decomposition, dropped
from scoring.digest import FEWEST
from scoring.explanation import RECENT, REFERENCE, before, changes, compared, sides
from scoring.moments import NONE, Moments
from scoring.ranking import flagged
from scoring.scales import Scale
from scoring.segments import Series
from streams.times import rfc3339
from streams.watch import Reading
from surveys.survey import Survey
from web.edge import Edge
from web.scores import choose, counted, described

Watched = Mapping[Series, dict[str, Any]]


@get("/v1/changes", summary="What changed and why, by segment", tags=["out"])
async def get_changes(
    request: Request[Any, Any, Any], survey: FromQuery[str | None] = None
) -> Response[dict[str, Any]]:
    """The last 24 hours against the rest of the last 30 days, as in alerts and metrics.

    ``within`` are the points that a segment's own score adds to the survey's change, ``mix`` those that its share
    of the answers adds; of a dimension both together add up to all of it. ``p`` is how often chance alone makes a
    change as large, for one look (null: fewer than 30 answers on a side). ``evidence`` is that of a watched series
    and may be looked at any time: compare ``drop`` and ``rise`` with ``threshold``; what stands out among all that
    are watched is ``flagged``.
    """
    edge: Edge = request.app.state.edge
    found, _ = choose(edge, survey, None)
    board = await counted(edge)
    watched = evidence(await edge.watched())
    return Response(await asyncio.to_thread(_body, edge, board, found, watched))


def evidence(watched: Mapping[Series, Reading]) -> Watched:
    """What is gathered of each series, with the directions that stand out among all (e-d-BH).

    A threshold has the number of watched series and days in it already, so what is ranked is the share of it.
    """
    shares = {
        (series, direction): gathered / one.threshold
        for series, one in watched.items()
        for direction, gathered in (("drop", one.drop), ("rise", one.rise))
    }
    found = flagged(shares, 1 / len(shares)) if shares else []
    return {
        series: {**one._asdict(), "flagged": [direction for which, direction in found if which == series]}
        for series, one in watched.items()
    }


def _body(edge: Edge, board: Board, survey: Survey, watched: Watched) -> dict[str, Any]:
    scale = survey.scale
    body: dict[str, Any] = {
        "survey": survey.id,
        "as_of": rfc3339(board.as_of),
        "scale": described(scale),
        "window": RECENT,
        "reference_window": REFERENCE,
        "total": None,
        "dimensions": {},
    }
    if not compared(board):
        return body
    total = Series(survey.id)
    body["total"] = _compared(
        scale, before(board, survey.id, scale), board.tally(survey.id, RECENT, scale).moments, watched.get(total)
    )
    split = changes(board, survey.id, scale, edge.dimensions)
    for name in edge.dimensions.names:
        body["dimensions"][name] = _dimension(edge, board, survey, name, split.get(name), watched)
    return body


def _dimension(
    edge: Edge, board: Board, survey: Survey, name: str, split: Decomposition[str] | None, watched: Watched
) -> dict[str, Any]:
    """One dimension; what it adds is null where there are no answers to compare."""
    scale = survey.scale
    older, recent = sides(board, survey.id, scale, name, edge.dimensions)
    segments = {}
    for value in {**older, **recent}:
        segments[value] = {
            **_compared(
                scale,
                older.get(value, NONE),
                recent.get(value, NONE),
                watched.get(Series(survey.id, name, value)),
            ),
            "within": scale.unit * split.within[value] if split and value in split.within else None,
            "mix": scale.unit * split.mix[value] if split and value in split.mix else None,
        }
    return {
        "within": scale.unit * sum(split.within.values()) if split else None,
        "mix": scale.unit * sum(split.mix.values()) if split else None,
        "mix_moved": split.mix_moved if split else False,
        "segments": segments,
    }


def _compared(scale: Scale, older: Moments, recent: Moments, gathered: dict[str, Any] | None) -> dict[str, Any]:
    """One series before and now, in points."""
    score, reference = (scale.points(one.mean) if one.n else None for one in (recent, older))
    return {
        "score": score,
        "n": round(recent.n),
        "reference": reference,
        "reference_n": round(older.n),
        "change": None if score is None or reference is None else score - reference,
        "p": dropped(older, recent).p_changed if min(older.n, recent.n) >= FEWEST else None,
        "evidence": gathered,
    }
