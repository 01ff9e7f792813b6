"""Why a survey's score changed: what each segment adds to it, by its own score and by its share of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from scoring.board import Board
from scoring.changes import Decomposition, decompose
from scoring.moments import NONE, Moments
from scoring.scales import Scale
from scoring.segments import Dimensions
from scoring.tally import Tally

# The windows that are compared: what is new, against all that is older in the longer one.
RECENT, REFERENCE = "24h", "30d"


class Part(NamedTuple):
    """What one segment adds to the change of a survey's score, in points; its own score, from ``n`` answers."""

    dimension: str
    segment: str
    within: float
    mix: float
    score: float | None
    n: int


def changes(board: Board, survey: str, scale: Scale, dimensions: Dimensions) -> dict[str, Decomposition[str]]:
    """By dimension, the change of a survey's score split over its segments.

    Of those that have answers, recent and before; none where one of the windows is not configured.
    """
    found: dict[str, Decomposition[str]] = {}
    for dimension in dimensions.names if compared(board) else ():
        older, after = sides(board, survey, scale, dimension, dimensions)
        if any(one.n for one in older.values()) and any(one.n for one in after.values()):
            found[dimension] = decompose(older, after)
    return found


def compared(board: Board) -> bool:
    """Whether the windows that are compared are configured."""
    return {RECENT, REFERENCE} <= board.windows.keys()


def sides(
    board: Board, survey: str, scale: Scale, dimension: str, dimensions: Dimensions
) -> tuple[dict[str, Moments], dict[str, Moments]]:
    """The answers of each segment of a dimension: those before, and the recent ones."""
    whole, recent = (
        _moments(board.segments(survey, window, scale, dimension, dimensions)) for window in (REFERENCE, RECENT)
    )
    return {value: one - recent.get(value, NONE) for value, one in whole.items()}, recent


def before(board: Board, survey: str, scale: Scale) -> Moments:
    """A survey's answers of the longer window that are no recent ones."""
    recent, reference = (board.tally(survey, window, scale).moments for window in (RECENT, REFERENCE))
    return reference - recent


def parts(
    board: Board, survey: str, scale: Scale, dimensions: Dimensions, split: Mapping[str, Decomposition[str]]
) -> list[Part]:
    """The segments of all dimensions, those first whose own scores changed the survey's most."""
    found = []
    for dimension, one in split.items():
        tallies = board.segments(survey, RECENT, scale, dimension, dimensions)
        for segment, within in one.within.items():
            tally = tallies.get(segment)
            score, n = (tally.score, tally.n) if tally else (None, 0)
            found.append(Part(dimension, segment, scale.unit * within, scale.unit * one.mix[segment], score, n))
    return sorted(found, key=lambda part: (-abs(part.within), part.dimension, part.segment))


def _moments(tallies: Mapping[str, Tally]) -> dict[str, Moments]:
    return {value: tally.moments for value, tally in tallies.items()}
