"""Counts of answers, and the score they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from scoring.intervals import adjusted_wald
from scoring.moments import Moments
from scoring.scales import SCORES, Group

Histogram = Sequence[int]  # answers per score, 11 bins


class Tally(Struct, frozen=True, gc=False):
    """Answers by group. The score exists only where there are answers."""

    promoters: int = 0
    passives: int = 0
    detractors: int = 0

    @classmethod
    def of(cls, histogram: Histogram) -> Tally:
        """The groups of a histogram of scores 0 to 10."""
        return cls(promoters=sum(histogram[9:]), passives=sum(histogram[7:9]), detractors=sum(histogram[:7]))

    @property
    def n(self) -> int:
        return self.promoters + self.passives + self.detractors

    @property
    def nps(self) -> float | None:
        """Points from -100 to 100, unrounded; None where there is no answer."""
        return 100 * (self.promoters - self.detractors) / self.n if self.n else None

    @property
    def moments(self) -> Moments:
        """Of the values 1, 0 and -1 that an NPS is the mean of."""
        return Moments(self.n, self.promoters - self.detractors, self.promoters + self.detractors)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval in points; None where there is no answer."""
        return adjusted_wald(self.promoters, self.detractors, self.n) if self.n else None

    def count(self, group: Group) -> int:
        match group:
            case "promoter":
                return self.promoters
            case "passive":
                return self.passives
            case "detractor":
                return self.detractors


def merge(histograms: Iterable[Histogram]) -> list[int]:
    """The sum of histograms, bin by bin."""
    return [sum(column) for column in zip(*histograms, strict=True)] or [0] * SCORES
