"""How a score went over a window's buckets, and since something was done."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import ceil
from statistics import NormalDist
from typing import NamedTuple

from scoring.intervals import interval, since
from scoring.scales import Scale
from scoring.tally import Histogram, Tally, merge

POINTS, FEWEST_POINTS = 32, 8
FEWEST = 30  # answers: of a point on average, and on each side of a change
_RISK = 0.05  # that the bounds of a change miss it, at any look


class Bucket(NamedTuple):
    """The answers of a bucket by score; ``at`` is its beginning (ms)."""

    at: int
    histogram: Histogram


class Band(NamedTuple):
    """A score of all answers from a moment up to a bucket's, with its band, in points; from ``n`` answers."""

    at: int
    score: float
    lower: float
    upper: float
    n: int


def points(buckets: Sequence[Bucket], scale: Scale) -> list[tuple[int, Tally]]:
    """When each of some stretches of equal length begins (ms), and its answers; the first may be shorter.

    There are at most 32, and fewer, down to 8, where each would stand on fewer than 30 answers on average: what
    would be seen then is chance.
    """
    answers = sum(Tally(scale, bucket.histogram).n for bucket in buckets)
    wanted = min(max(answers // FEWEST, FEWEST_POINTS), POINTS)
    size = ceil(len(buckets) / wanted) or 1
    starts = range(-(-len(buckets) % size), len(buckets), size)
    stretches = [buckets[max(start, 0) : start + size] for start in starts]
    return [(one[0].at, Tally(scale, merge(bucket.histogram for bucket in one))) for one in stretches]


def band(buckets: Sequence[Bucket], scale: Scale, start: int) -> list[Band]:
    """The band since ``start`` (ms), after each bucket that has answers: to be looked at as often as one likes.

    The bucket that ``start`` lies in is left out: some of its answers came before.
    """
    later = [bucket for bucket in buckets if bucket.at >= start]
    sums = accumulate((bucket.histogram for bucket in later), lambda one, other: merge([one, other]))
    found = []
    for bucket, histogram in zip(later, sums, strict=True):
        tally = Tally(scale, histogram)
        if tally.score is not None and any(bucket.histogram):
            found.append(Band(bucket.at, tally.score, *since(tally.moments, scale), tally.n))
    return found


class Shift(NamedTuple):
    """The answers before a moment and since, and the bounds of the score's change, in points.

    There are none where a side has fewer than 30 answers: a confidence sequence promises nothing then.
    """

    before: Tally
    after: Tally
    bounds: tuple[float, float] | None


def shift(buckets: Sequence[Bucket], scale: Scale, start: int) -> Shift:
    """How the score changed at ``start`` (ms); the bounds may be looked at as often as one likes.

    What came before stands still and has an interval, what came since a confidence sequence; each may miss in
    half of 5 % of cases, and the bounds are the difference of their ends (Bonferroni). The bucket that ``start``
    lies in is on neither side.
    """
    earlier = [one for one, following in pairwise(buckets) if following.at <= start]
    later = [one for one in buckets if one.at >= start]
    before, after = (Tally(scale, merge(one.histogram for one in side)) for side in (earlier, later))
    if min(before.n, after.n) < FEWEST:
        return Shift(before, after, None)
    lowest, highest = interval(before.moments, scale, NormalDist().inv_cdf(1 - _RISK / 4))
    lower, upper = since(after.moments, scale, _RISK / 2)
    return Shift(before, after, (lower - highest, upper - lowest))
