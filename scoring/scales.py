"""Scales: which scores there are, how they are grouped, what their mean is taken of, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter, mul
from typing import Literal

from scoring.moments import Moments

Metric = Literal["nps", "csat", "ces"]
SCORES = 11  # bins of a histogram of any scale: bin i holds the answers of score i


@dataclass(frozen=True)
class Scale:
    """Whole scores from ``lowest`` on, worst first, with the group and the value of each.

    A mean m of values is shown as ``zero + unit * m``, with so many ``digits`` behind the point and ``symbol``
    behind it. ``pseudo`` is what its confidence interval adds to the answers, see `scoring.intervals`.
    ``formula`` says to people what the score is, ``plural`` is the ending of several who are in a group.
    """

    name: Metric
    title: str
    formula: str
    lowest: int
    grouped: tuple[str, ...]
    values: tuple[float, ...]
    zero: float
    unit: float
    pseudo: Moments
    digits: int = 0
    symbol: str = ""
    plural: str = ""

    @property
    def highest(self) -> int:
        return self.lowest + len(self.values) - 1

    @cached_property
    def scores(self) -> range:
        return range(self.lowest, self.highest + 1)

    @cached_property
    def groups(self) -> Mapping[str, range]:
        """The groups by their names, best first, with their scores."""
        found = groupby(zip(self.grouped, self.scores, strict=True), itemgetter(0))
        together = [(name, [score for _, score in pairs]) for name, pairs in found]
        return {name: range(scores[0], scores[-1] + 1) for name, scores in reversed(together)}

    @cached_property
    def bins(self) -> Mapping[str, slice]:
        """The same as bins of a histogram."""
        return {name: slice(scores.start, scores.stop) for name, scores in self.groups.items()}

    @property
    def ends(self) -> tuple[float, float]:
        """The worst and the best score in points."""
        return self.points(self.values[0]), self.points(self.values[-1])

    def group(self, score: int) -> str:
        """Raises ValueError where the scale has no such score."""
        return self.grouped[self._place(score)]

    def value(self, score: int) -> float:
        """What the mean is taken of, from -1 to 1. Raises ValueError where the scale has no such score."""
        return self.values[self._place(score)]

    def points(self, mean: float) -> float:
        """A mean of values in the points that people read."""
        return self.zero + self.unit * mean

    def score(self, histogram: Sequence[int]) -> float:
        """The mean of answers by score in points, unrounded. Raises ZeroDivisionError where there are none."""
        inside = self.inside(histogram)
        total: float = sum(map(mul, self._points, inside))
        return total / sum(inside)

    def text(self, points: float, digits: int = 0) -> str:
        """A score as people read it, with so many more ``digits``: 34, 82 %, 5.6."""
        return f"{points:z.{self.digits + digits}f}{self.symbol}"

    def inside(self, histogram: Sequence[int]) -> Sequence[int]:
        """The answers that lie on the scale, from the lowest score on; nothing of an empty histogram."""
        return histogram[self.lowest : self.highest + 1]

    def holds(self, histogram: Sequence[int]) -> bool:
        """Whether all answers lie on the scale."""
        return sum(histogram) == sum(self.inside(histogram))

    def moments(self, histogram: Sequence[int]) -> Moments:
        """Of answers by score; those outside the scale are left out."""
        inside = self.inside(histogram)
        return Moments(sum(inside), sum(map(mul, self.values, inside)), sum(map(mul, self._squares, inside)))

    @cached_property
    def _points(self) -> tuple[float, ...]:
        return tuple(map(self.points, self.values))  # exact, where a value of 1/3 is not

    @cached_property
    def _squares(self) -> tuple[float, ...]:
        return tuple(value * value for value in self.values)

    def refusal(self, score: int) -> str:
        """What is wrong with a score that the scale does not have."""
        return f"expected a score from {self.lowest} to {self.highest} ({self.name}), got {score}"

    def _place(self, score: int) -> int:
        if score not in self.scores:
            raise ValueError(self.refusal(score))
        return score - self.lowest


_THREE = Moments(3, 0, 1.5)  # AW(3, T): 0.75 answers of the best value, 1.5 of the middle, 0.75 of the worst
_FOUR = Moments(4, 2, 2)  # two successes and two failures

# Promoters less detractors in per cent. Source: Reichheld, "The One Number You Need to Grow", HBR 12/2003.
NPS = Scale(
    name="nps",
    title="Net Promoter Score",
    formula="% promoters − % detractors",
    lowest=0,
    grouped=("detractor",) * 7 + ("passive",) * 2 + ("promoter",) * 2,
    values=(-1.0,) * 7 + (0.0,) * 2 + (1.0,) * 2,
    zero=0,
    unit=100,
    pseudo=_THREE,
    plural="s",
)

# The top two boxes of five in per cent. Source: Farris, Bendle, Pfeifer, Reibstein, "Marketing Metrics" (2010).
CSAT = Scale(
    name="csat",
    title="Customer Satisfaction Score",
    formula="% satisfied",
    lowest=1,
    grouped=("dissatisfied", "dissatisfied", "neutral", "satisfied", "satisfied"),
    values=(0.0, 0.0, 0.0, 1.0, 1.0),
    zero=0,
    unit=100,
    pseudo=_FOUR,
    symbol=" %",
)

# The mean of "it was easy", 1 (strongly disagree) to 7: CES 2.0, where more is better. Source: Dixon, Toman,
# DeLisi, "The Effortless Experience" (2013).
CES = Scale(
    name="ces",
    title="Customer Effort Score",
    formula="mean of the answers, more is easier",
    lowest=1,
    grouped=("difficult",) * 3 + ("neutral",) + ("easy",) * 3,
    values=tuple((score - 4) / 3 for score in range(1, 8)),
    zero=4,
    unit=3,
    pseudo=_THREE,
    digits=1,
)

SCALES: Mapping[str, Scale] = {scale.name: scale for scale in (NPS, CSAT, CES)}
