"""Spreads a batch of answers over series and buckets: counted once per cell, not once per answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.scales import SCORES
from scoring.segments import Series

Ints = NDArray[np.int64]
Row = tuple[int, list[int]]  # a series, by its index, and a histogram of scores


class Cells(NamedTuple):
    """``buckets`` holds for each window, in the order given, pairs of a bucket and what it counts."""

    series: list[Series]
    total: list[Row]
    buckets: list[list[tuple[int, list[Row]]]]


def spread(
    feeds: Sequence[Sequence[Series]], feed: Ints, minute: Ints, score: Ints, windows: Iterable[tuple[int, int]]
) -> Cells:
    """Count answers, each given by its ``feed`` (index into ``feeds``), ``minute`` and ``score``.

    ``windows`` are minutes per bucket, and the first bucket that counts.
    """
    series = list(dict.fromkeys(one for fed in feeds for one in fed))
    number = {one: n for n, one in enumerate(series)}
    sizes = np.array([len(fed) for fed in feeds], np.int64)
    fed_by = np.array([number[one] for fed in feeds for one in fed], np.int64)
    columns = len(series) * SCORES  # of a table with a line per bucket, and the scores of each series side by side

    # One entry for each series that each answer feeds.
    entries = sizes[feed]
    ends = np.cumsum(entries)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - entries, entries)
    fed = fed_by[np.repeat((np.cumsum(sizes) - sizes)[feed], entries) + within]
    cell, n = np.unique(
        np.repeat(minute, entries) * columns + fed * SCORES + np.repeat(score, entries), return_counts=True
    )
    minute, column = np.divmod(cell, max(columns, 1))
    buckets = []
    for width, first in windows:
        bucket = minute // width
        inside = bucket >= first
        buckets.append(_rows(bucket[inside], column[inside], n[inside], columns))
    total = [row for _, rows in _rows(np.zeros_like(minute), column, n, columns) for row in rows]
    return Cells(series, total, buckets)


def _rows(bucket: Ints, column: Ints, n: Ints, columns: int) -> list[tuple[int, list[Row]]]:
    """By bucket, a row for each series that has something in it."""
    lines = bucket * (columns // SCORES) + column // SCORES
    distinct, place = np.unique(lines, return_inverse=True)
    size = len(distinct) * SCORES
    histograms = np.bincount(place * SCORES + column % SCORES, weights=n, minlength=size).astype(np.int64)
    found: dict[int, list[Row]] = {}
    for line, histogram in zip(distinct.tolist(), histograms.reshape(-1, SCORES).tolist(), strict=True):
        one, series = divmod(line, columns // SCORES)
        found.setdefault(one, []).append((series, histogram))
    return list(found.items())
