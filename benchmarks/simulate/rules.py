"""The alert rules that come to mind first, beside the detector: minute by minute, as Prometheus looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulate.detection import A_DAY, delays, false_alarms
from benchmarks.simulate.mixes import USUAL, Mix, Random
from scoring.detector import DAYS
from scoring.intervals import Z95
from scoring.scales import NPS

Counts = NDArray[np.float32]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

MINUTES = 1_440
MONTH = 30
WARM_UP = 7  # days, until the longest window is full
HELD = 60  # minutes of `for: 1h`
SAME_SCORE = Mix(0.62, 0.16, 0.22)
FALL = 0.2
THRESHOLD = 6.0  # of the CUSUM: about 0.08 false alarms a month at 55/30/15


@dataclass(frozen=True)
class Rule:
    """A rule on a window of so many days, which has to hold for an hour."""

    name: str
    days: float
    least: int = 1  # answers
    interval: bool = False  # whether the upper end of the interval has to lie below 40


RULES = (
    Rule("nps < 30 for 1h, window 1h", 1 / 24),
    Rule("the same, with n >= 30", 1 / 24, least=30),
    Rule("nps < 30 for 1h, window 24h", 1),
    Rule("nps < 30 for 1h, window 7d", 7),
    Rule("upper end of interval < 40 for 1h, window 7d", 7, interval=True),
)


@dataclass(frozen=True)
class Judged:
    """A rule at 50 answers a day, steady at NPS 40 and then at 20."""

    rule: str
    false_a_month: float
    other_mix: float  # the same at another mix of the same score
    delay: float | None  # answers on average, None where a run of 60 days did not find it or each fired before


def judged(runs: int, rng: Random) -> Iterator[Judged]:
    for rule in RULES:
        yield Judged(
            rule.name,
            _false(rule, USUAL, runs, rng),
            _false(rule, SAME_SCORE, runs, rng),
            _delay(rule, runs, rng),
        )
    yield _cusum(20 * runs, rng)
    yield _detector(20 * runs, rng)


def _false(rule: Rule, mix: Mix, runs: int, rng: Random) -> float:
    days = 2 * MONTH
    begun = 0
    for _ in range(runs):
        promoters, detractors, answers = _arrivals([(mix, WARM_UP + days)], rng)
        fires = _fires(rule, promoters, detractors, answers)[WARM_UP * MINUTES :]
        begun += int((fires[1:] & ~fires[:-1]).sum())
    return begun / runs * MONTH / days


def _delay(rule: Rule, runs: int, rng: Random) -> float | None:
    """Answers from the fall to the alert, of the runs in which it does not fire already."""
    fall = WARM_UP * MINUTES
    waits = []
    for _ in range(runs):
        promoters, detractors, answers = _arrivals([(USUAL, WARM_UP), (USUAL.moved(-FALL), 60)], rng)
        fires = _fires(rule, promoters, detractors, answers)[fall:]
        if not fires.any():
            return None
        if not fires[0]:
            waits.append(answers[fall : fall + int(fires.argmax()) + 1].sum())
    return float(np.mean(waits)) if waits else None


def _arrivals(spans: list[tuple[Mix, int]], rng: Random) -> tuple[Counts, Counts, Counts]:
    """Promoters, detractors and all answers in each minute."""
    groups = [
        np.concatenate([rng.poisson(mix[group] * A_DAY / MINUTES, days * MINUTES) for mix, days in spans])
        for group in range(3)
    ]
    promoters, passives, detractors = (group.astype(np.float32) for group in groups)
    return promoters, detractors, promoters + passives + detractors


def _fires(rule: Rule, promoters: Counts, detractors: Counts, answers: Counts) -> Flags:
    """The minutes in which the rule's alert fires."""
    width = round(rule.days * MINUTES)
    p, d, n = (_trailing(counts, width) for counts in (promoters, detractors, answers))
    if rule.interval:
        total = n + NPS.pseudo.n
        mean = (p - d) / total
        upper = mean + Z95 * np.sqrt((p + d + NPS.pseudo.squares) / total - mean**2) / np.sqrt(total)
        holds = upper < USUAL.nps
    else:
        holds = (n >= rule.least) & (p - d < 0.3 * n)
    held: Flags = _trailing(holds.astype(np.float32), HELD) == HELD
    return held


def _trailing(counts: Counts, width: int) -> Counts:
    """The sum of the last ``width`` minutes at each minute."""
    sums = np.cumsum(counts, dtype=np.float64)
    sums[width:] -= sums[:-width].copy()
    return sums.astype(np.float32)


def _cusum(runs: int, rng: Random) -> Judged:
    months = 4
    usual, other = (
        float(_cusum_alarms(mix, months * MONTH * A_DAY, runs, rng)[0].mean() / months)
        for mix in (USUAL, SAME_SCORE)
    )
    first = _cusum_alarms(USUAL.moved(-FALL), 60 * A_DAY, runs, rng)[1]
    return Judged("CUSUM tuned for 55/30/15", usual, other, float(first.mean()))


def _cusum_alarms(mix: Mix, answers: int, runs: int, rng: Random) -> tuple[Ints, Ints]:
    """How many alarms each run has, and after how many answers the first.

    Page's CUSUM of log-likelihood ratios, made for 55/30/15 against 45/30/25; it begins anew after an alarm.
    """
    after = USUAL.moved(-FALL)
    up, down = log(after.promoters / USUAL.promoters), log(after.detractors / USUAL.detractors)
    sums = np.zeros(runs)
    begun, first = np.zeros((2, runs), np.int64)
    for answer in range(1, answers + 1):
        values = mix.values(runs, rng)
        sums = np.maximum(0, sums + np.where(values > 0, up, np.where(values < 0, down, 0.0)))
        over = sums >= THRESHOLD
        begun += over
        first[over & (first == 0)] = answer
        sums[over] = 0
    return begun, first


def _detector(runs: int, rng: Random) -> Judged:
    usual, other = (
        next(false_alarms(mix, None, runs, rng, watched=(1,))).alarms * MONTH / DAYS for mix in (USUAL, SAME_SCORE)
    )
    return Judged("the detector", usual, other, next(delays(USUAL, FALL, None, runs, rng, watched=(1,))).mean)
