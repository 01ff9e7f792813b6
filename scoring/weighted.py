"""Scores of answers that stand for several: who was asked at a rate of one in five stands for five."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scoring.intervals import interval
from scoring.moments import Moments
from scoring.scales import Scale


@dataclass(frozen=True, slots=True)
class Weighted:
    """Answers of one scale: how many, the sums of their weights and of the squares of those, and what they say.

    ``values`` are the moments of the values, each answer counted as often as its weight says.
    """

    scale: Scale
    n: int
    weight: float
    squares: float
    values: Moments

    @classmethod
    def of(cls, scale: Scale, answers: Iterable[tuple[int, float]]) -> Weighted:
        """Scores with their weights. Raises ValueError where the scale has no such score."""
        pairs = [(scale.value(score), weight) for score, weight in answers]
        total = sum(weight for _, weight in pairs)
        values = Moments(total, sum(w * value for value, w in pairs), sum(w * value**2 for value, w in pairs))
        return cls(scale, len(pairs), total, sum(weight**2 for _, weight in pairs), values)

    @property
    def effective(self) -> float:
        """How many answers of one weight would tell as much: n = (sum of w)^2 / sum of w^2.

        Source: Kish, "Survey Sampling" (1965), 11.7; for weights that the answers do not depend on. Raises
        ZeroDivisionError where there is no answer.
        """
        return self.weight**2 / self.squares

    @property
    def score(self) -> float:
        """The weighted mean in points. Raises ZeroDivisionError where there is no answer."""
        return self.scale.points(self.values.mean)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval in points, as of as many answers as are effective (`scoring.intervals`)."""
        return interval(self.values * (self.effective / self.weight), self.scale)
