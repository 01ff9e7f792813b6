"""Did a score change, and what of it is the segments' scores and what their sizes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import copysign, erfc, inf, sqrt
from typing import Generic, NamedTuple, TypeVar

from scoring.moments import NONE, Moments

K = TypeVar("K", bound=Hashable)

_PSEUDO = 3.0


class Comparison(NamedTuple):
    """``z`` is below 0 where the score fell. ``p_fell`` is one-sided, ``p_changed`` two-sided."""

    z: float
    p_fell: float
    p_changed: float


def dropped(before: Moments, after: Moments) -> Comparison:
    """Compare a small sample with its baseline ``before``, both of the same scale.

    Three pseudo-answers, shared out as the baseline's, are added to ``after``: shrinking both samples to the
    middle of the scale, as for an interval, fakes drops of high scores. z = (m1 - m0) / sqrt(v1/n1 + v0/n0).
    It is for confirming and explaining: watched all the time it is peeking, see `scoring.detector`. Raises
    ValueError where a side has no answer.
    """
    if before.n <= 0 or after.n <= 0:
        raise ValueError("a comparison needs answers before and after")
    shrunk = after + before * (_PSEUDO / before.n)
    change = shrunk.mean - before.mean
    error = sqrt(shrunk.variance / shrunk.n + before.variance / before.n)
    z = change / error if error else (copysign(inf, change) if change else 0.0)
    return Comparison(z, erfc(-z / sqrt(2)) / 2, erfc(abs(z) / sqrt(2)))


@dataclass(frozen=True, slots=True)
class Decomposition(Generic[K]):
    """What each segment adds to a change of the total, in units of the mean.

    ``within`` is what changed because the segment's score did, ``mix`` because its share of the answers did.
    All of both add up to ``change``.
    """

    change: float
    within: Mapping[K, float]
    mix: Mapping[K, float]

    @property
    def mix_moved(self) -> bool:
        """Whether the shares explain more of the change than the segments' scores do."""
        return abs(sum(self.mix.values())) > abs(sum(self.within.values()))


def decompose(before: Mapping[K, Moments], after: Mapping[K, Moments]) -> Decomposition[K]:
    """Split the change of a score over the values of one dimension, exactly.

    With shares w and means m before (0) and after (1): within = (w0 + w1)/2 * (m1 - m0) and
    mix = (w1 - w0) * ((m0 + m1)/2 - M), where M is halfway between the totals' means. A segment without answers
    on one side has the other side's mean there: its share alone changed, so all of it is mix. Source: Kitagawa,
    "Components of a difference between two rates", JASA 50 (1955). Raises ValueError where a side has no answer.
    """
    total0, total1 = sum(before.values(), NONE), sum(after.values(), NONE)
    if total0.n <= 0 or total1.n <= 0:
        raise ValueError("a decomposition needs answers before and after")
    halfway = (total0.mean + total1.mean) / 2
    within: dict[K, float] = {}
    mix: dict[K, float] = {}
    for key in {**before, **after}:
        one, other = before.get(key, NONE), after.get(key, NONE)
        if not one.n and not other.n:
            continue
        share0, share1 = one.n / total0.n, other.n / total1.n
        mean0, mean1 = (one if one.n else other).mean, (other if other.n else one).mean
        within[key] = (share0 + share1) / 2 * (mean1 - mean0)
        mix[key] = (share1 - share0) * ((mean0 + mean1) / 2 - halfway)
    return Decomposition(total1.mean - total0.mean, within, mix)
