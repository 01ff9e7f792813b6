"""Counts of answers, and the score they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from scoring.intervals import interval
from scoring.moments import Moments
from scoring.scales import SCORES, Scale

Histogram = Sequence[int]  # answers per score, 11 bins, or none where there are no answers


class Tally(Struct, frozen=True, gc=False):
    """Answers by score. The score exists only where there are answers.

    What lies outside the scale is from before the survey had it, and none of its answers.
    """

    scale: Scale
    histogram: Histogram = ()

    @property
    def n(self) -> int:
        return sum(self.scale.inside(self.histogram))

    @property
    def score(self) -> float | None:
        """Points, unrounded; None where there is no answer."""
        try:
            return self.scale.score(self.histogram)
        except ZeroDivisionError:
            return None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval in points; None where there is no answer."""
        moments = self.moments
        return interval(moments, self.scale) if moments.n else None

    @property
    def groups(self) -> dict[str, int]:
        """Answers by group, in the scale's order."""
        return {name: sum(self.histogram[scores]) for name, scores in self.scale.bins.items()}

    @property
    def moments(self) -> Moments:
        return self.scale.moments(self.histogram)


def merge(histograms: Iterable[Histogram]) -> list[int]:
    """The sum of histograms, bin by bin."""
    return [sum(column) for column in zip(*histograms, strict=True)] or [0] * SCORES
