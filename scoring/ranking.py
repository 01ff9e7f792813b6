"""Which of many series to flag, so that flags stay few where nothing has happened."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def flagged(evidence: Mapping[K, float], patience: float) -> list[K]:
    """e-d-BH: of all watched series those with a changed score, strongest evidence first.

    The k* = max{k : E_[k] >= S * patience / k} largest of the S. ``patience`` is how long one series may on
    average run without a false flag, in the steps that its evidence counts: answers for series of one rate. For
    series of unequal rates divide the evidence of each by its answers a day, and give the patience in days.
    Valid however the series depend on each other. Source: Dandapanthula and Ramdas, "Multiple testing in
    multi-stream sequential change detection" (2025), arXiv 2501.04130.
    """
    ranked = sorted(evidence, key=lambda key: -evidence[key])
    passed = [k for k, key in enumerate(ranked, 1) if evidence[key] * k >= len(ranked) * patience]
    return ranked[: max(passed, default=0)]


def discoveries(p_values: Mapping[K, float], rate: float = 0.05) -> list[K]:
    """The series whose p-values stand out, smallest first: of them, at most ``rate`` are false on average.

    The k* = max{k : p_(k) <= rate * k / S} smallest of the S, for tests that are independent or positively
    dependent. Source: Benjamini and Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995).
    """
    ranked = sorted(p_values, key=lambda key: p_values[key])
    passed = [k for k, key in enumerate(ranked, 1) if p_values[key] * len(ranked) <= rate * k]
    return ranked[: max(passed, default=0)]
