"""Finds that a score fell or rose, answer by answer; however often it is looked at, false alarms stay few."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Literal, NamedTuple, Self

from scoring.moments import Moments
from scoring.scales import Scale

Direction = Literal["drop", "rise"]

DAYS = 90.0  # in which there is at most about one false alarm
DEAD_BAND = 0.05  # a change this small is none: 5 points of an NPS
BETS = (0.15, 0.30, 0.60)
# Of the bets: extreme answers ask for careful ones, and a large fall is found soon anyway.
WEIGHTS = (0.5, 0.35, 0.15)
_BOLDEST = 0.9  # of the largest bet that cannot lose everything
CAP = 10.0  # of the level, so that an alarm ends some time after its reason has
END = 0.25  # of the level, below which an alarm ends: at the level itself it would come and go
_RISK = 0.01  # that the bar of any of the watched series lies on the wrong side of its true mean
_Z95 = 1.64  # one-sided
_Z95_TWO_SIDED = 1.96
# A baseline of less than a week knows nothing of weekends, which may lie as far off again as the dead band.
_WEEK = 6.5  # days: one that is a little short has seen its weekend too
_UNSEEN = 2.0


class Baseline(NamedTuple):
    """A mean that was frozen on purpose, in values of its scale; how sure it is; how many answers come a day.

    ``covered`` are the days from its oldest answer to its newest.
    """

    mean: float
    standard_error: float
    n: float
    answers_per_day: float
    covered: float

    @classmethod
    def of(cls, answers: Moments, scale: Scale, days: float, covered: float | None = None) -> Self:
        """The baseline that answers make of which so many come in ``days``, or so ``covered``.

        Raises ValueError where there are no answers or days. The standard error is that of the padded answers
        (`scoring.intervals`): it is never 0.
        """
        if answers.n <= 0 or days <= 0:
            raise ValueError("a baseline needs answers and days")
        padded = answers + scale.pseudo
        return cls(answers.mean, sqrt(padded.variance / padded.n), answers.n, answers.n / days, covered or days)


class State(NamedTuple):
    """All that a detector remembers of a series: what each bet has gathered, and whether it is alarmed."""

    sums: tuple[float, float, float] = (0.0, 0.0, 0.0)
    alarmed: bool = False

    @property
    def evidence(self) -> float:
        """E, to be compared with the detector's level: about 1 for each answer lately, where nothing changed."""
        return _weighted(self.sums)


def _weighted(sums: tuple[float, float, float]) -> float:
    (r0, r1, r2), (w0, w1, w2) = sums, WEIGHTS
    return w0 * r0 + w1 * r1 + w2 * r2


@dataclass(frozen=True, slots=True)
class Detector:
    """A mixture e-SR detector of one series. A rise is a drop of the values with their sign turned.

    Under "the mean of x stays at or above the bar", each R - t is a supermartingale, with

        R <- min((R + 1) * (1 + bet * (bar - x)), 10 * level),   E = weighted mean of R,   alarm when E >= level

    so the expected number of answers to a false alarm is at least the level, whatever the mix of answers, and
    after an alarm has ended (E < level / 4) at least 3/4 of it to the next. Every R stays above 0 and at or below
    ten levels, for ever. Source: Shin, Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential
    change detection", NEJSDS 2 (2024); bets as in Waudby-Smith, Ramdas, "Estimating means of bounded random
    variables by betting", JRSS B 86 (2024).
    """

    bar: float
    level: float
    bets: tuple[float, float, float]
    sign: int

    @classmethod
    def of(
        cls,
        baseline: Baseline,
        scale: Scale,
        direction: Direction = "drop",
        *,
        series: int = 1,
        days: float = DAYS,
        dead_band: float = DEAD_BAND,
    ) -> Self:
        """The detector of one of ``series`` that are watched; both directions of one count as two.

        The level is series * days * answers a day: about one false alarm in ``days`` over all of them. The bar
        lies below the baseline by the dead band and 1.64 standard errors, or by as many standard errors as keep
        the chance that any of the series' bars lies above its true mean at 1 % (Bonferroni), where that is more.
        The dead band of a baseline of less than a week is twice as wide. Raises ValueError where a number is not
        above 0.
        """
        if min(series, days, dead_band, baseline.answers_per_day) <= 0:
            raise ValueError("series, days, dead band and answers a day have to be above 0")
        sign = 1 if direction == "drop" else -1
        surest = NormalDist().inv_cdf(1 - _RISK / series)
        error = baseline.standard_error
        if baseline.covered < _WEEK:
            dead_band *= _UNSEEN
        # So far out the normal curve is too thin for lopsided answers: pad with as many as an interval of this
        # confidence would (Agresti and Coull's z squared; those of the scale are for 95 %).
        pseudo = scale.pseudo.n * (surest / _Z95_TWO_SIDED) ** 2
        drawn = sign * (baseline.mean - scale.pseudo.mean) * pseudo / (baseline.n + pseudo)
        bar = sign * baseline.mean - max(dead_band + _Z95 * error, surest * error + max(drawn, 0.0))
        careful, usual, bold = BETS
        # 1 + bet * (bar - x) stays above 0 for the best x there is while bet < 1 / (best - bar). The best is 1 for
        # drops; for rises it is the scale's lowest value with its sign turned: 1 for NPS and CES, 0 for CSAT.
        most = _BOLDEST / (max(sign * value for value in scale.values) - bar)
        bets = (min(careful, most), min(usual, most), min(bold, most))
        return cls(bar, series * days * baseline.answers_per_day, bets, sign)

    def step(self, state: State, value: float) -> State:
        """The state after one more answer, whose value is its scale's."""
        gain = self.bar - self.sign * value
        most = CAP * self.level
        (r0, r1, r2), (b0, b1, b2) = state.sums, self.bets
        sums = (
            min((r0 + 1) * (1 + b0 * gain), most),
            min((r1 + 1) * (1 + b1 * gain), most),
            min((r2 + 1) * (1 + b2 * gain), most),
        )
        return State(sums, _weighted(sums) >= self.level * (END if state.alarmed else 1.0))

    def run(self, state: State, values: Iterable[float]) -> State:
        """The state after these answers, in their order."""
        for value in values:
            state = self.step(state, value)
        return state
