"""How sure one score is."""

from __future__ import annotations

from math import sqrt

Z95 = 1.959963984540054
_PSEUDO = 3.0


def adjusted_wald(promoters: int, detractors: int, n: int, z: float = Z95) -> tuple[float, float]:
    """The interval of an NPS in points, (-100, 100): adjusted Wald AW(3, T).

    Three pseudo-answers are added, 0.75 of them promoters and 0.75 detractors; the plain Wald interval covers the
    true value far too seldom at small n. Source: Rocks, "Interval estimation for the Net Promoter Score", The
    American Statistician 70 (2016). Raises ValueError where n is 0.
    """
    if n <= 0:
        raise ValueError("an interval needs at least one answer")
    total = n + _PSEUDO
    p = (promoters + _PSEUDO / 4) / total
    d = (detractors + _PSEUDO / 4) / total
    mean = p - d
    half = z * sqrt((p + d - mean * mean) / total)
    return 100 * max(-1.0, mean - half), 100 * min(1.0, mean + half)
