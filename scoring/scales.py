"""Scales: which scores there are, how they are grouped, what their mean is taken of, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scoring.moments import Moments

Group = Literal["promoter", "passive", "detractor"]
GROUPS: tuple[Group, ...] = ("promoter", "passive", "detractor")
SCORES = 11  # bins of a histogram of any scale: bin i holds the answers of score i


def group(score: int) -> Group:
    """The group of a score from 0 to 10. Source: Reichheld, HBR 12/2003."""
    if score >= 9:
        return "promoter"
    return "passive" if score >= 7 else "detractor"


@dataclass(frozen=True, slots=True)
class Scale:
    """Whole scores from ``lowest`` on, worst first, with the group and the value of each.

    A mean m of values is shown as ``zero + unit * m``. ``pseudo`` is what its confidence interval adds to the
    answers, see `scoring.intervals`.
    """

    name: Literal["nps", "csat", "ces"]
    lowest: int
    grouped: tuple[str, ...]
    values: tuple[float, ...]
    zero: float
    unit: float
    pseudo: Moments

    @property
    def highest(self) -> int:
        return self.lowest + len(self.values) - 1

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups, best first."""
        return tuple(dict.fromkeys(reversed(self.grouped)))

    def group(self, score: int) -> str:
        """Raises ValueError where the scale has no such score."""
        return self.grouped[self._place(score)]

    def value(self, score: int) -> float:
        """What the mean is taken of, from -1 to 1. Raises ValueError where the scale has no such score."""
        return self.values[self._place(score)]

    def points(self, mean: float) -> float:
        """A mean of values in the points that people read."""
        return self.zero + self.unit * mean

    def moments(self, histogram: Sequence[int]) -> Moments:
        """Of answers by score. Raises ValueError where some of them lie outside the scale."""
        outside = sum(histogram[: self.lowest]) + sum(histogram[self.highest + 1 :])
        if outside:
            raise ValueError(f"{outside} answers are no {self.name} of {self.lowest} to {self.highest}")
        held = [*zip(self.values, histogram[self.lowest :], strict=False)]  # a histogram may be empty
        return Moments(
            sum(n for _, n in held),
            sum(value * n for value, n in held),
            sum(value * value * n for value, n in held),
        )

    def _place(self, score: int) -> int:
        if not self.lowest <= score <= self.highest:
            raise ValueError(f"{score} is no {self.name} of {self.lowest} to {self.highest}")
        return score - self.lowest


_THREE = Moments(3, 0, 1.5)  # AW(3, T): 0.75 answers of the best value, 1.5 of the middle, 0.75 of the worst
_FOUR = Moments(4, 2, 2)  # two successes and two failures

# Promoters less detractors in per cent. Source: Reichheld, "The One Number You Need to Grow", HBR 12/2003.
NPS = Scale(
    name="nps",
    lowest=0,
    grouped=tuple(group(score) for score in range(SCORES)),
    values=tuple({"promoter": 1.0, "passive": 0.0, "detractor": -1.0}[group(score)] for score in range(SCORES)),
    zero=0,
    unit=100,
    pseudo=_THREE,
)

# The top two boxes of five in per cent. Source: Farris, Bendle, Pfeifer, Reibstein, "Marketing Metrics" (2010).
CSAT = Scale(
    name="csat",
    lowest=1,
    grouped=("dissatisfied", "dissatisfied", "neutral", "satisfied", "satisfied"),
    values=(0.0, 0.0, 0.0, 1.0, 1.0),
    zero=0,
    unit=100,
    pseudo=_FOUR,
)

# The mean of "it was easy", 1 (strongly disagree) to 7: CES 2.0, where more is better. Source: Dixon, Toman,
# DeLisi, "The Effortless Experience" (2013).
CES = Scale(
    name="ces",
    lowest=1,
    grouped=("difficult",) * 3 + ("neutral",) + ("easy",) * 3,
    values=tuple((score - 4) / 3 for score in range(1, 8)),
    zero=4,
    unit=3,
    pseudo=_THREE,
)

SCALES = {scale.name: scale for scale in (NPS, CSAT, CES)}
