"""The read API and the live page: scores as JSON, and as a stream of snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.exceptions import ClientException
from litestar.params import FromQuery
from litestar.response import ServerSentEvent, ServerSentEventMessage

from scoring.board import Board, Cohort
from scoring.scales import Scale
from scoring.segments import Dimensions
from scoring.tally import Tally
from scoring.windows import ALL
from streams.comments import Comment
from streams.errors import LivenpsError
from streams.times import rfc3339
from surveys.survey import Survey
from web.edge import Edge

COMMENTS = 20
INTERVAL_S = 0.5
SILENCE_S = 8.0  # a snapshot at least this often, so that proxies keep the stream open


class Recovering(LivenpsError):
    """The state was lost, or is new to an old log, and its answers are not all counted yet."""

    retriable = True

    def __init__(self, share: float) -> None:
        self.percent = int(100 * share)
        super().__init__(f"the answers are being counted again: {self.percent} %")


@get("/v1/scores", summary="Scores with their intervals, per segment", tags=["out"])
async def get_scores(
    request: Request[Any, Any, Any],
    survey: FromQuery[str | None] = None,
    window: FromQuery[str | None] = None,
    dimension: FromQuery[str | None] = None,
    segment: FromQuery[str | None] = None,
) -> Response[dict[str, Any]]:
    """The survey's score in a window (default: the first survey, 24h) and those of its segments.

    With ``dimension`` and ``segment`` that one alone, whether it is large enough to have a name or not.
    """
    edge: Edge = request.app.state.edge
    found, name = choose(edge, survey, window)
    if segment is not None and dimension is None:
        raise ClientException("segment: expected a dimension too, of which it is one")
    names = edge.dimensions.names if dimension is None else [known_dimension(edge, dimension)]
    board = await counted(edge)
    if segment is None:
        split = await asyncio.to_thread(segments, board, found, name, names, edge.dimensions)
    else:
        split = {names[0]: {segment: score(board.segment(found.id, name, found.scale, names[0], segment))}}
    return Response(
        {
            "survey": found.id,
            "window": name,
            "as_of": rfc3339(board.as_of),
            "scale": described(found.scale),
            **score(board.tally(found.id, name, found.scale)),
            "segments": split,
        }
    )


@get("/v1/live", summary="Snapshots of the live page as server-sent events", tags=["out"])
async def get_live(
    request: Request[Any, Any, Any],
    survey: FromQuery[str | None] = None,
    window: FromQuery[str | None] = None,
) -> ServerSentEvent:
    """Events named ``snapshot``, each a JSON object, whenever something has changed.

    While answers are counted again they are named ``recovering``, with a ``percent`` in place of scores; while
    they cannot be read, ``unavailable``.
    """
    edge: Edge = request.app.state.edge
    # A page keeps its address for long; what is gone from the configuration falls back to the defaults.
    known = survey if survey in edge.surveys else None
    found, name = choose(edge, known, window if window in edge.windows else None)
    return ServerSentEvent(_stream(edge, found, name), retry_duration=2_000)


@get("/", media_type=MediaType.HTML, include_in_schema=False)
async def get_page(request: Request[Any, Any, Any]) -> Response[str]:
    return Response(request.app.state.pages.render("live.html"), media_type=MediaType.HTML)


def choose(edge: Edge, survey: str | None, window: str | None) -> tuple[Survey, str]:
    """The survey and window asked for; refuses unknown ones by naming those there are."""
    found = next(iter(edge.surveys.values()), None) if survey is None else edge.surveys.get(survey)
    if found is None:
        raise ClientException(
            f"survey: expected one of {', '.join(edge.surveys) or 'none, no survey is configured'}"
        )
    name = ("24h" if "24h" in edge.windows else ALL) if window is None else window
    if name not in edge.windows:
        raise ClientException(f"window: expected one of {', '.join(edge.windows)}")
    return found, name


def known_dimension(edge: Edge, name: str) -> str:
    """The name itself; refuses an unknown one by naming those there are."""
    if name not in edge.dimensions.names:
        raise ClientException(f"dimension: expected one of {', '.join(edge.dimensions.names)}")
    return name


def score(tally: Tally) -> dict[str, Any]:
    """A tally as the API shows it: groups are counts, best first; score and interval unrounded points or null."""
    lower, upper = tally.interval or (None, None)
    return {
        "metric": tally.scale.name,
        "score": tally.score,
        "lower": lower,
        "upper": upper,
        "n": tally.n,
        "groups": tally.groups,
    }


def described(scale: Scale) -> dict[str, Any]:
    """How to read and show scores: the ends of what is answered and of the score, and the groups' answers."""
    return {
        "metric": scale.name,
        "title": scale.title,
        "formula": scale.formula,
        "answers": [scale.lowest, scale.highest],
        "ends": scale.ends,
        "digits": scale.digits,
        "symbol": scale.symbol,
        "groups": [
            {"name": name, "label": f"{name}{scale.plural}", "answers": [scores[0], scores[-1]]}
            for name, scores in scale.groups.items()
        ],
    }


def segments(
    board: Board, survey: Survey, window: str, names: list[str], dimensions: Dimensions
) -> dict[str, dict[str, Any]]:
    found = {name: board.segments(survey.id, window, survey.scale, name, dimensions) for name in names}
    return {name: {value: score(tally) for value, tally in values.items()} for name, values in found.items()}


async def counted(edge: Edge) -> Board:
    """A board that may be shown. Raises Recovering where its numbers are not all there."""
    board = await edge.board()
    if board.recovering:
        raise Recovering(board.share)
    return board


async def snapshot(edge: Edge, survey: Survey, window: str) -> bytes:
    """All that the live page shows, as JSON."""
    board = await counted(edge)
    comments = await edge.comments(survey.id, COMMENTS)
    return await asyncio.to_thread(lambda: msgspec.json.encode(_page(edge, board, survey, window, comments)))


def _page(edge: Edge, board: Board, survey: Survey, window: str, comments: list[Comment]) -> dict[str, Any]:
    return {
        "as_of": rfc3339(board.as_of // 1_000 * 1_000),
        "kept": edge.kept,
        "survey": survey.id,
        "window": window,
        "windows": list(edge.windows),
        "surveys": [{"id": one.id, "title": one.name, "metric": one.metric} for one in edge.surveys.values()],
        "scale": described(survey.scale),
        "scores": {name: score(board.tally(survey.id, name, survey.scale)) for name in edge.windows},
        "segments": segments(board, survey, window, edge.dimensions.names, edge.dimensions),
        "comments": comments,
        "funnel": _funnel(board, survey),
        "responded": {name: _responded(found.get(survey.id)) for name, found in board.cohorts.items()},
        "invited": {
            one.name: board.invited(survey.id, one.name, edge.dimensions) for one in edge.dimensions.single
        },
        "reasons": _reasons(board, survey),
    }


def _responded(cohort: Cohort | None) -> dict[str, Any]:
    """Of those who were invited in a window, how many have answered, whenever that was."""
    invited, answered, ratio = (*cohort, cohort.ratio) if cohort else (0, 0, None)
    return {"invited": invited, "answered": answered, "ratio": ratio}


def _funnel(board: Board, survey: Survey) -> dict[str, int]:
    return {
        "touchpoints": board.count("survey_touchpoints_total", survey.trigger) if survey.trigger else 0,
        "asked": sum(board.count("survey_requests_total", survey.id, one) for one in survey.channels),
        "delivered": sum(
            board.count("survey_deliveries_total", survey.id, one, "sent") for one in survey.channels
        ),
        "opened": sum(board.count("survey_opened_total", survey.id, one) for one in survey.channels),
        "answered": board.count("survey_answered_total", survey.id),
    }


def _reasons(board: Board, survey: Survey) -> list[dict[str, Any]]:
    """Why customers were not asked; a touchpoint that the survey does not wait for is no reason."""
    found = [
        {"decision": decision, "reason": reason, "count": n}
        for (name, *labels), n in board.counts.items()
        if name == "survey_decisions_total" and labels[0] == survey.id
        for decision, reason in [labels[1:]]
        if decision in ("scheduled", "not_asked") and reason not in ("other_event", "no_trigger")
    ]
    return sorted(found, key=lambda row: -int(str(row["count"])))


async def _stream(edge: Edge, survey: Survey, window: str) -> AsyncIterator[ServerSentEventMessage]:
    last, silent = ("", b""), 0.0
    while not edge.draining():
        try:
            event = "snapshot", await snapshot(edge, survey, window)
        except Recovering as recovering:
            event = "recovering", msgspec.json.encode({"percent": recovering.percent})
        except LivenpsError as error:
            if not error.retriable:
                raise
            event = "unavailable", b"{}"  # old values are never served as if they were new
        name, data = event
        if event != last or silent >= SILENCE_S:
            yield ServerSentEventMessage(data=data.decode(), event=name)
            last, silent = event, 0.0
        await asyncio.sleep(INTERVAL_S)
        silent += INTERVAL_S
