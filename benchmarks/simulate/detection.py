"""How often the detector is wrong, and how soon it is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulate.mixes import USUAL, Mix, Narrow, Random
from scoring.detector import CAP, DAYS, END, WEIGHTS, Baseline, Detector
from scoring.moments import Moments
from scoring.scales import NPS

Flags = NDArray[np.bool_]

SERIES = (1, 20, 100, 500)
A_DAY = 50  # answers of each series
BUSY = 500
STEADY = 500  # answers before a fall, in which the detector forgets that it has just begun
PATIENCE = 20_000  # answers after a fall, after which it counts as not found


class Bank:
    """Detectors side by side: `Detector.step` in columns. The shape is (times watched, runs)."""

    def __init__(self, detectors: Sequence[Sequence[Detector]], end: float = END) -> None:
        """``end``: the share of the level below which an alarm ends."""
        self.bar = np.array([[one.bar for one in row] for row in detectors], np.float32)
        self.level = np.array([[one.level for one in row] for row in detectors], np.float32)
        bets = np.array([[one.bets for one in row] for row in detectors], np.float32)
        self.bets = np.ascontiguousarray(np.moveaxis(bets, 2, 0))
        self.end = end
        self.sums = np.zeros_like(self.bets)
        self.alarmed: Flags = np.zeros(self.bar.shape, bool)

    @property
    def evidence(self) -> Narrow:
        found: Narrow = np.tensordot(np.float32(WEIGHTS), self.sums, 1)
        return found

    def step(self, values: Narrow) -> Flags:
        """One more answer in each run. Returns where an alarm began."""
        self.sums += 1
        self.sums *= 1 + self.bets * (self.bar - values)
        np.minimum(self.sums, CAP * self.level, out=self.sums)
        before = self.alarmed
        self.alarmed = self.evidence >= np.where(before, self.end * self.level, self.level)
        return self.alarmed & ~before


def frozen(mix: Mix, answers: int | None, a_day: float, runs: int, rng: Random) -> list[Baseline]:
    """Baselines that are estimated from so many answers of the mix each, or known (None)."""
    if answers is None:
        return [Baseline(mix.nps, 0.0, float("inf"), a_day, float("inf"))] * runs
    counts = rng.multinomial(answers, mix, size=runs).tolist()
    return [Baseline.of(Moments(answers, p - d, p + d), NPS, answers / a_day) for p, _, d in counts]


def bank(baselines: Sequence[Baseline], watched: Sequence[int]) -> Bank:
    """A row of detectors for each number of series that are watched."""
    return Bank([[Detector.of(one, NPS, series=series) for one in baselines] for series in watched])


@dataclass(frozen=True)
class FalseAlarms:
    """Expected in 90 days over all watched series, none of which changes."""

    mix: str
    baseline: int | None  # answers it was estimated from; None: known
    a_day: int
    weekend: int  # points that weekends score below other days
    series: int
    alarms: float
    error: float  # standard error of the simulation
    bars_above: float  # expected number of series whose bar lies above their true score


def false_alarms(
    mix: Mix,
    baseline: int | None,
    runs: int,
    rng: Random,
    *,
    a_day: int = A_DAY,
    swing: float = 0.0,
    watched: Sequence[int] = SERIES,
) -> Iterator[FalseAlarms]:
    """``swing``: what weekends score below other days, as a fraction."""
    watching = bank(frozen(mix, baseline, a_day, runs, rng), watched)
    begun = np.zeros(watching.bar.shape)
    for answer in range(round(DAYS * a_day)):
        begun += watching.step(mix.on(answer // a_day, swing).values(runs, rng))
    above = (watching.bar > mix.nps).mean(axis=1)
    for row, series in enumerate(watched):
        yield FalseAlarms(
            mix.name,
            baseline,
            a_day,
            weekend=round(100 * swing),
            series=series,
            alarms=float(series * begun[row].mean()),
            error=float(series * begun[row].std() / sqrt(runs)),
            bars_above=float(series * above[row]),
        )


@dataclass(frozen=True)
class Ablation:
    """The detector with and without what keeps false alarms few: expected in 90 days over all watched series."""

    series: int
    as_it_is: float
    same_bar: (
        float  # the dead band and 1.64 standard errors below, whatever the baseline, however many are watched
    )
    ends_at_level: float  # an alarm ends below the level
    neither: float


def ablation(runs: int, rng: Random, *, baseline: int = 200, a_day: int = BUSY) -> Iterator[Ablation]:
    """What is hardest: baselines of few answers, and many answers to find out that they were wrong."""
    baselines = frozen(USUAL, baseline, a_day, runs, rng)
    for series in SERIES:
        own = [Detector.of(one, NPS, series=series) for one in baselines]
        same = [
            replace(
                Detector.of(one._replace(n=float("inf"), covered=float("inf")), NPS),
                level=one.answers_per_day * DAYS * series,
            )
            for one in baselines
        ]
        banks = [Bank([row], end) for end in (END, 1.0) for row in (own, same)]
        begun = [0] * len(banks)
        for _ in range(round(DAYS * a_day)):
            values = USUAL.values(runs, rng)
            for place, one in enumerate(banks):
                begun[place] += int(one.step(values).sum())
        as_it_is, same_bar, ends_at_level, neither = (series * alarms / runs for alarms in begun)
        yield Ablation(series, as_it_is, same_bar, ends_at_level, neither)


@dataclass(frozen=True)
class Delay:
    """Answers until a fall is found."""

    mix: str
    fall: str
    baseline: int | None
    series: int
    mean: float | None  # of the runs that found it
    median: float | None
    p90: float | None
    found: float  # share of runs, within 20,000 answers


def delays(
    mix: Mix, fall: float, baseline: int | None, runs: int, rng: Random, *, watched: Sequence[int] = SERIES
) -> Iterator[Delay]:
    watching = bank(frozen(mix, baseline, A_DAY, runs, rng), watched)
    for _ in range(STEADY):
        watching.step(mix.values(runs, rng))
    counted = ~watching.alarmed
    after = mix.moved(-fall)
    found = np.zeros(counted.shape, np.int64)
    for answer in range(1, PATIENCE + 1):
        begun = watching.step(after.values(runs, rng))
        found[begun & (found == 0)] = answer
        if (found > 0)[counted].all():
            break
    name = f"{100 * mix.nps:.0f} to {100 * after.nps:.0f}"
    for series, lane, kept in zip(watched, found, counted, strict=True):
        waits = np.where(lane[kept] > 0, lane[kept], np.inf)
        hits = waits[np.isfinite(waits)]
        share = len(hits) / len(waits)
        yield Delay(
            mix.name,
            name,
            baseline,
            series,
            mean=float(hits.mean()) if share == 1 else None,
            median=_quantile(waits, 0.5),
            p90=_quantile(waits, 0.9),
            found=share,
        )


def _quantile(waits: NDArray[np.float64], q: float) -> float | None:
    """None where so many runs have not found it."""
    found = float(np.quantile(waits, q, method="higher"))
    return found if np.isfinite(found) else None


def trace(seed: int) -> tuple[list[float], int]:
    """Evidence as a share of the level, answer by answer, and the answer after which 40 becomes 20."""
    rng = np.random.default_rng(seed)
    watching = bank(frozen(USUAL, None, A_DAY, 1, rng), (1,))
    shares, fall = [], 1_000
    for answer in range(2 * fall):
        mix = USUAL if answer < fall else USUAL.moved(-0.2)
        watching.step(mix.values(1, rng))
        shares.append(float((watching.evidence / watching.level)[0, 0]))
    return shares, fall
