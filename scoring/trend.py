"""How a score went over a window's buckets, and since something was done."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import ceil
from typing import NamedTuple

from scoring.intervals import since
from scoring.scales import Scale
from scoring.tally import Histogram, Tally, merge

POINTS = 32  # at most: more of them would stand on fewer answers each, and be wider


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
    """When each of some stretches of equal length begins (ms), and its answers; the first may be shorter."""
    size = ceil(len(buckets) / POINTS) or 1
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
