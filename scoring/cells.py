"""Spreads answers over series and buckets in columns: counted once per cell, not once per answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.scales import SCORES

Ints = NDArray[np.int64]

DENSE = 8  # lines of a table for each entry, above which it is cheaper to sort than to make room for all lines


class Changes(NamedTuple):
    """Columns: ``n`` answers more or fewer of a feed, minute and score; ``first`` of them are first acceptances.

    ``feed`` is a place in a list of feeds, or, after `entries`, of series.
    """

    feed: Ints
    minute: Ints
    score: Ints
    n: Ints
    first: Ints


class Cells(NamedTuple):
    """The lines of a table that change, each once and in order, and what they change by: a histogram each."""

    line: Ints
    histogram: Ints  # (lines, scores)


def entries(feeds: Sequence[Ints], changes: Changes) -> Changes:
    """One change for each series that a feed, minute and score count in; ``feeds`` are places of series."""
    alike = _summed(len(feeds), changes)
    sizes = np.array([len(fed) for fed in feeds], np.int64)
    starts = np.cumsum(sizes) - sizes
    each = sizes[alike.feed]
    ends = np.cumsum(each)
    within = np.arange(each.sum()) - np.repeat(ends - each, each)
    series = np.concatenate([*feeds, np.empty(0, np.int64)])[np.repeat(starts[alike.feed], each) + within]
    return Changes(series, *(np.repeat(column, each) for column in alike[1:]))


def _summed(feeds: int, changes: Changes) -> Changes:
    """Changes of the same feed, minute and score as one."""
    code = (changes.minute * feeds + changes.feed) * SCORES + changes.score
    distinct, place = np.unique(code, return_inverse=True)
    line, score = np.divmod(distinct, SCORES)
    minute, feed = np.divmod(line, max(feeds, 1))
    n, first = (
        np.bincount(place, weights=column, minlength=len(distinct)).astype(np.int64) for column in changes[3:]
    )
    return Changes(feed, minute, score, n, first)


def tabulate(line: Ints, score: Ints, n: Ints, lines: int) -> Cells:
    """Sum ``n`` by line, below ``lines``, and score. Lines that come to nothing are left out."""
    if lines > DENSE * len(line):
        distinct, line = np.unique(line, return_inverse=True)
    else:
        distinct = np.arange(lines)
    counts = np.bincount(line * SCORES + score, weights=n, minlength=len(distinct) * SCORES)
    table = counts.astype(np.int64).reshape(-1, SCORES)
    changed = table.any(axis=1)
    return Cells(distinct[changed], table[changed])


def buckets(changes: Changes, series: int, width: int, first: int) -> list[tuple[int, Cells]]:
    """By bucket of ``width`` minutes, from ``first`` on, the cells of ``series``."""
    bucket = changes.minute // width
    inside = bucket >= first
    if not inside.any():
        return []
    bucket, low = bucket[inside], int(bucket[inside].min())
    lines = (int(bucket.max()) - low + 1) * series
    found = tabulate(
        (bucket - low) * series + changes.feed[inside], changes.score[inside], changes.n[inside], lines
    )
    number, line = np.divmod(found.line, series)
    distinct, starts = np.unique(number, return_index=True)
    ends = np.append(starts, len(number))[1:]
    return [
        (low + int(one), Cells(line[start:end], found.histogram[start:end]))
        for one, start, end in zip(distinct, starts, ends, strict=True)
    ]
