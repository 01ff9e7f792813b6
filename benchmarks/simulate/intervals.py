"""How often intervals hold the true score, exactly: by the probability of every outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import log
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulate.mixes import TEN, Floats, Mix
from scoring.intervals import interval
from scoring.moments import Moments
from scoring.scales import NPS, Scale

PLAIN = replace(NPS, pseudo=Moments())

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Coverage:
    """Of 95 % intervals over ten mixes."""

    n: int
    plain_worst: float
    plain_mean: float
    adjusted_worst: float
    adjusted_mean: float
    half_width: float  # points, at 55/30/15


def coverage(sizes: Sequence[int]) -> Iterator[Coverage]:
    for n in sizes:
        promoters, detractors = outcomes(n)
        drawn = [Moments(n, p - d, p + d) for p, d in zip(promoters.tolist(), detractors.tolist(), strict=True)]
        chances = [chance(mix, promoters, detractors, n) for mix in TEN]
        plain, adjusted = (_held(scale, drawn, chances) for scale in (PLAIN, NPS))
        lower, upper = interval(Moments(n, 0.4 * n, 0.7 * n), NPS)
        yield Coverage(n, min(plain), fmean(plain), min(adjusted), fmean(adjusted), (upper - lower) / 2)


def _held(scale: Scale, drawn: Sequence[Moments], chances: Sequence[Floats]) -> list[float]:
    """For each mix the chance that the interval holds its score."""
    bounds = np.array([interval(answers, scale) for answers in drawn]) / 100
    return [
        float(weights[(bounds[:, 0] <= mix.nps) & (mix.nps <= bounds[:, 1])].sum())
        for mix, weights in zip(TEN, chances, strict=True)
    ]


def outcomes(n: int) -> tuple[Counts, Counts]:
    """All numbers of promoters and detractors that n answers can have."""
    promoters, detractors = np.divmod(np.arange((n + 1) ** 2), n + 1)
    possible = promoters + detractors <= n
    return promoters[possible], detractors[possible]


def chance(mix: Mix, promoters: Counts, detractors: Counts, n: int) -> Floats:
    """The probability of every outcome."""
    factorial = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1)))))
    passives = n - promoters - detractors
    chances = np.full(len(promoters), factorial[n])
    for count, share in zip((promoters, passives, detractors), mix, strict=True):
        chances -= factorial[count]
        chances += count * log(share) if share else np.where(count > 0, -np.inf, 0.0)
    likely: Floats = np.exp(chances)
    return likely
