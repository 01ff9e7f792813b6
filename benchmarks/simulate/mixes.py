"""Mixes of promoters, passives and detractors, and answers drawn from them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Narrow = NDArray[np.float32]
Random = np.random.Generator

WEEKEND = (5, 6)


class Mix(NamedTuple):
    """Shares of all answers."""

    promoters: float
    passives: float
    detractors: float

    @property
    def nps(self) -> float:
        """A fraction."""
        return self.promoters - self.detractors

    @property
    def name(self) -> str:
        return "/".join(f"{100 * share:.0f}" for share in self)

    def moved(self, change: float) -> Mix:
        """The mix whose NPS differs by ``change``: promoters become detractors, or the other way round."""
        return Mix(self.promoters + change / 2, self.passives, self.detractors - change / 2)

    def on(self, day: int, swing: float) -> Mix:
        """The mix of a day, where weekends score ``swing`` below other days and the week's mean is the same."""
        return self.moved(-swing * 5 / 7 if day % 7 in WEEKEND else swing * 2 / 7)

    def values(self, size: int, rng: Random) -> Narrow:
        """The values of answers: 1, 0 or -1."""
        drawn = rng.random(size, dtype=np.float32)
        return (drawn < self.promoters).astype(np.float32) - (drawn >= 1 - self.detractors).astype(np.float32)


USUAL = Mix(0.55, 0.30, 0.15)

TEN = (
    Mix(0.30, 0.20, 0.50),
    Mix(0.20, 0.60, 0.20),
    Mix(0.50, 0.00, 0.50),
    Mix(0.40, 0.30, 0.30),
    Mix(0.43, 0.48, 0.09),
    USUAL,
    Mix(0.62, 0.16, 0.22),
    Mix(0.70, 0.20, 0.10),
    Mix(0.80, 0.15, 0.05),
    Mix(0.93, 0.05, 0.02),
)

# Four at NPS 40, the most uneven one there is, and a very good one.
WATCHED = (
    USUAL,
    Mix(0.62, 0.16, 0.22),
    Mix(0.45, 0.50, 0.05),
    Mix(0.70, 0.00, 0.30),
    Mix(0.50, 0.00, 0.50),
    Mix(0.80, 0.15, 0.05),
)
