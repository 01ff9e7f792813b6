"""What looking again and again does to an interval, and the size of the test of two samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np

from benchmarks.simulate.intervals import chance, outcomes
from benchmarks.simulate.mixes import TEN, WATCHED, Floats, Mix, Random
from scoring.changes import dropped
from scoring.intervals import Z95, confidence_sequence
from scoring.moments import Moments
from scoring.scales import NPS

FIRST = 30  # answers at the first look
BEFORE = 1_500  # answers of a baseline


@dataclass(frozen=True)
class Misses:
    """The share of runs whose band leaves the true score at least once in all looks."""

    mix: str
    looks: str
    interval: float
    since: float


def misses(answers: int, runs: int, rng: Random) -> Iterator[Misses]:
    """Looks after every answer from the thirtieth on."""
    narrow, wide = _halves(answers)
    for mix in WATCHED:
        left_interval = left_band = 0
        for _ in range(runs):
            _, middle, sd = _run(mix, answers, rng)
            off = abs(middle - mix.nps) / sd
            left_interval += bool((off > narrow).any())
            left_band += bool((off > wide).any())
        yield Misses(mix.name, f"{FIRST} to {answers:,}", left_interval / runs, left_band / runs)


def _run(mix: Mix, answers: int, rng: Random) -> tuple[Floats, Floats, Floats]:
    """At each look: the score, and mean and standard deviation of the padded answers."""
    values = mix.values(answers, rng).astype(np.float64)
    n = np.arange(1, answers + 1)
    total = np.cumsum(values)
    padded = n + NPS.pseudo.n
    middle = (total + NPS.pseudo.total) / padded
    sd = np.sqrt((np.cumsum(values * values) + NPS.pseudo.squares) / padded - middle**2)
    seen = slice(FIRST - 1, None)
    return (total / n)[seen], middle[seen], sd[seen]


def _halves(answers: int) -> tuple[Floats, Floats]:
    """At each look: half the widths of the interval and of the band, in standard deviations."""
    looks = range(FIRST, answers + 1)
    narrow = [Z95 / sqrt(n + NPS.pseudo.n) for n in looks]
    return np.array(narrow), np.array([confidence_sequence(n, 1.0) for n in looks])


@dataclass(frozen=True)
class Size:
    """How often a test finds a drop where none is: the worst of ten mixes."""

    n: int
    level: float
    to_baseline: float
    worst_mix: str
    to_zero: float


def sizes(ns: Sequence[int], baselines: int, rng: Random) -> Iterator[Size]:
    """Every outcome of n answers against drawn baselines; beside it the test that shrinks both samples to 0."""
    levels = (0.05, 0.01)
    for n in ns:
        promoters, detractors = outcomes(n)
        afters = [Moments(n, p - d, p + d) for p, d in zip(promoters.tolist(), detractors.tolist(), strict=True)]
        found: dict[Mix, Floats] = {}
        for mix in TEN:
            weights = chance(mix, promoters, detractors, n)
            likely = np.flatnonzero(weights > 1e-9)
            sums = np.zeros((2, len(levels)))
            for p, _, d in rng.multinomial(BEFORE, mix, size=baselines).tolist():
                before = Moments(BEFORE, p - d, p + d)
                for place in likely:
                    chances = dropped(before, afters[place]).p_fell, _to_zero(before, afters[place])
                    sums += weights[place] * np.less.outer(chances, levels)
            found[mix] = sums / baselines
        for column, level in enumerate(levels):
            worst = max(TEN, key=lambda mix: float(found[mix][0, column]))
            zero = max(float(one[1, column]) for one in found.values())
            yield Size(n, level, float(found[worst][0, column]), worst.name, zero)


def _to_zero(before: Moments, after: Moments) -> float:
    one, other = before + NPS.pseudo, after + NPS.pseudo
    z = (other.mean - one.mean) / sqrt(one.variance / one.n + other.variance / other.n)
    return erfc(-z / sqrt(2)) / 2


def example(mix: Mix, answers: int, rng: Random) -> list[tuple[str, str, list[tuple[int, float]]]]:
    """Name, colour and points of the curves of one run: the score, its interval and its band."""
    score, middle, sd = _run(mix, answers, rng)
    drawn = [("score", "ink", score)]
    for (name, color), half in zip((("interval", "other"), ("since", "ours")), _halves(answers), strict=True):
        drawn += [(name, color, middle - sd * half), ("", color, middle + sd * half)]
    shown = np.unique(np.geomspace(FIRST, answers, 400).astype(int))
    return [
        (name, color, [*zip(shown.tolist(), (100 * values[shown - FIRST]).tolist(), strict=True)])
        for name, color, values in drawn
    ]
