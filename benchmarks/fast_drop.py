"""How often the alert `NpsFastDrop` fires with nothing changed, and how soon it finds a fall.

Answers come at random, minute by minute, each independent of all others. Prints a table; takes ten seconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.intervals import Z95

HOUR, DAY, MONTH = 60, 1_440, 43_200  # minutes
MIXES = ((0.55, 0.30, 0.15), (0.62, 0.16, 0.22), (0.30, 0.40, 0.30), (0.90, 0.08, 0.02))
RATES = (40, 100, 400)  # answers an hour
DAYS = 2_000

Numbers = NDArray[np.float64]


def main() -> None:
    rng = np.random.default_rng(7)
    print(
        "| promoters / passives / detractors, % | answers an hour | false alarms a month | 40 points found after |"
    )
    print("|---|---|---|---|")
    for mix in MIXES:
        for rate in RATES:
            false = episodes(firing(answers(rng, mix, rate, DAYS * DAY))[MONTH:]) / (DAYS - 30) * 30
            shares = " / ".join(f"{100 * share:.0f}" for share in mix)
            print(f"| {shares} | {rate} | {false:.2f} | {found(rng, mix, rate)} |")


def answers(rng: np.random.Generator, mix: tuple[float, ...], rate: float, minutes: int) -> Numbers:
    """Answers by group and minute, of shape (3, minutes)."""
    return np.stack([rng.poisson(rate / HOUR * share, minutes) for share in mix]).astype(float)


def firing(groups: Numbers) -> NDArray[np.bool_]:
    """For each minute: the rule of deploy/prometheus/rules/nps.yml has held for 5 minutes."""
    n, hour, of_hour = score(groups, HOUR)
    _, month, of_month = score(groups, MONTH)
    below = (n >= 30) & (hour - month < -4.5 * np.hypot(of_hour, of_month))
    held: NDArray[np.bool_] = rolling(below.astype(float), 6) == 6
    return held


def score(groups: Numbers, window: int) -> tuple[Numbers, Numbers, Numbers]:
    """n, score and standard error (fractions) of the window that ends with each minute, by adjusted Wald."""
    promoters, passives, detractors = (rolling(group, window) for group in groups)
    n = promoters + passives + detractors
    total = n + 3
    p, d = (promoters + 0.75) / total, (detractors + 0.75) / total
    half = Z95 * np.sqrt((p + d - (p - d) ** 2) / total)
    width = np.minimum(p - d + half, 1) - np.maximum(p - d - half, -1)
    return n, (promoters - detractors) / np.maximum(n, 1), width / (2 * Z95)


def rolling(values: Numbers, window: int) -> Numbers:
    """The sum of the last ``window`` values, for each."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(sums))
    found: Numbers = sums[ends] - sums[np.maximum(ends - window, 0)]
    return found


def episodes(fired: NDArray[np.bool_]) -> int:
    """How many alarms there were: one holds for an hour."""
    minutes = np.flatnonzero(fired)
    return int(minutes.size and 1 + (np.diff(minutes) > HOUR).sum())


def found(rng: np.random.Generator, mix: tuple[float, ...], rate: float, runs: int = 30) -> str:
    """Median minutes until 20 of 100 promoters have become detractors and it shows; within a day."""
    fallen = (mix[0] - 0.2, mix[1], mix[2] + 0.2)
    delays = []
    for _ in range(runs):
        steady, after = answers(rng, mix, rate, MONTH), answers(rng, fallen, rate, DAY)
        fired = np.flatnonzero(firing(np.concatenate([steady, after], axis=1))[MONTH:])
        delays.append(float(fired[0]) if fired.size else np.inf)
    median = float(np.median(delays))
    return f"{median:.0f} min" if np.isfinite(median) else "not within a day"


if __name__ == "__main__":
    main()
