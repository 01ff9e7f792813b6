"""What moved in a while: every survey and segment against what it was before, for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scoring.board import Board
from scoring.changes import dropped
from scoring.moments import Moments
from scoring.ranking import discoveries
from scoring.scales import Scale
from scoring.segments import OTHER, Dimensions, Series
from scoring.tally import Tally
from scoring.windows import Window

FEWEST = 30  # answers on each side of a comparison
TIMES = 4  # as long, at least, is what a window is compared with
LISTED = 3  # best and lowest segments


class Line(NamedTuple):
    """One survey or segment: its answers, those before, and how sure a change of its score is.

    ``p`` is two-sided; None where there are too few answers to compare. ``moved``: it stands out among all lines,
    of which at most 5 % are expected to be chance (Benjamini-Hochberg).
    """

    series: Series
    now: Tally
    before: Moments
    p: float | None
    moved: bool

    @property
    def change(self) -> float | None:
        """Points, None where one side has no answers."""
        if not self.now.n or not self.before.n:
            return None
        return self.now.scale.unit * (self.now.moments.mean - self.before.mean)

    @property
    def rose(self) -> bool:
        return (self.change or 0) > 0


@dataclass(frozen=True, slots=True)
class Digest:
    """One survey: the whole of it, its segments that moved, and the best and the lowest of those with answers."""

    survey: str
    total: Line
    moved: Sequence[Line]
    best: Sequence[Line]
    lowest: Sequence[Line]


def reference(windows: Iterable[Window], recent: Window) -> Window | None:
    """What a window is compared with: the shortest that is long enough, or None."""
    longer = [one for one in windows if one.length >= TIMES * recent.length]
    return min(longer, key=lambda window: window.length, default=None)


def digest(
    board: Board, surveys: Mapping[str, Scale], dimensions: Dimensions, recent: Window, longer: Window
) -> list[Digest]:
    """A survey each, in the order given. What is compared is ``recent`` with the rest of ``longer``."""
    sides: dict[Series, tuple[Tally, Moments]] = {}
    for survey, scale in surveys.items():
        sides[Series(survey)] = _sides(
            board.tally(survey, recent.name, scale), board.tally(survey, longer.name, scale)
        )
        for dimension in dimensions.single:
            now, whole = (
                board.segments(survey, window.name, scale, dimension.name, dimensions)
                for window in (recent, longer)
            )
            for value in now.keys() | whole.keys():
                nobody = Tally(scale)
                found = _sides(now.get(value, nobody), whole.get(value, nobody))
                sides[Series(survey, dimension.name, value)] = found
    sure = {series: p for series, side in sides.items() if (p := _p(*side)) is not None}
    moved = set(discoveries(sure))
    lines = [Line(series, *side, sure.get(series), series in moved) for series, side in sides.items()]
    return [_digest(survey, [line for line in lines if line.series.survey == survey]) for survey in surveys]


def _sides(now: Tally, whole: Tally) -> tuple[Tally, Moments]:
    return now, whole.moments - now.moments


def _p(now: Tally, before: Moments) -> float | None:
    return dropped(before, now.moments).p_changed if min(now.n, before.n) >= FEWEST else None


def _digest(survey: str, lines: Sequence[Line]) -> Digest:
    total, *segments = lines
    moved = sorted((line for line in segments if line.moved), key=lambda line: (line.p or 0.0, line.series))
    # `other` sums up whatever is not exposed by name: nobody can act on it.
    named = [line for line in segments if line.series.value != OTHER and line.now.n >= FEWEST]
    ranked = sorted(named, key=lambda line: (-(line.now.score or 0.0), line.series))
    best = ranked[: min(LISTED, len(ranked) // 2)]
    return Digest(survey, total, moved, best, [*reversed(ranked[-len(best) :])] if best else [])
