"""Folding: pending changes become counts of series, windows and buckets, and what is too old leaves its window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scoring.cells import Cells, Changes, buckets, entries, tabulate
from sinks.redis.counts import (
    NO_IDS,
    Counts,
    Ids,
    Part,
    Rows,
    Span,
    columns,
    newest_column,
    stacked,
    summed_column,
)


class Folded(NamedTuple):
    """What is added to series, and to buckets by their keys; the buckets that are gone; what `span` says then.

    A window's newest bucket, which nearly all answers count in, has no key: it is held in the sums, so that a
    series has one value to read and write, not one more for each window.
    """

    first: Rows
    sums: Rows
    buckets: dict[str, Rows]
    gone: list[str]
    newest: int
    begins: dict[str, int]

    @property
    def added(self) -> dict[str, Rows]:
        """By key, what is not nothing."""
        every = {"first": self.first, "sums": self.sums, **self.buckets}
        return {key: rows for key, rows in every.items() if len(rows.ids)}

    @property
    def size(self) -> int:
        """How many counts that is."""
        return sum(rows.counts.size for rows in self.added.values())


def fold(counts: Counts, feeds: Sequence[Ids], taken: int, windows: Sequence[Span]) -> Folded:
    """Fold the first changes in that are pending; the windows' first buckets say what has left them.

    A window that was added to counts begins behind all of them: what it never held cannot be taken out of it. So
    does one that begins even later, because some worker's clock was ahead. Buckets only ever leave.
    """
    ids, places = np.unique(np.concatenate([NO_IDS, *feeds]), return_inverse=True)
    ends = np.cumsum([len(fed) for fed in feeds])[:-1]
    changed = entries(np.split(places, ends), Changes(*(column[:taken] for column in counts.changes)))
    names = [window.name for window in windows]

    def of(cells: Cells) -> Rows:
        return Rows(ids[cells.line], cells.histogram[:, None, :])

    every = of(tabulate(changed.feed, changed.score, changed.n, len(ids)))
    first = of(tabulate(changed.feed, changed.score, changed.first, len(ids)))
    sums = [every.part]
    filled: dict[str, Rows] = {}
    gone: list[str] = []
    begins: dict[str, int] = {}
    reaches = counts.reaches
    for window, expired in zip(windows, counts.expired, strict=True):
        last = reaches // window.width
        behind = max(window.next, last + 1)
        begin = counts.begin(window)
        begins[window.name] = begin = max(behind if begin is None else min(begin, behind), window.first)
        total, newest = summed_column(names, window.name), newest_column(names, window.name)
        sums += [Part(rows.ids, [total], -rows.counts) for rows in expired]
        ended = counts.ended(window, max(begin, last))
        if counts.latest(window) >= begin:
            sums.append(Part(ended.ids, [newest], -ended.counts))
            filled[window.key(counts.latest(window))] = ended
        else:
            sums.append(Part(ended.ids, [total, newest], -ended.counts))
        for bucket, cells in buckets(changed, len(ids), window.width, begin):
            rows = of(cells)
            sums.append(Part(rows.ids, [total, newest] if bucket == last else [total], rows.counts))
            if bucket != last:
                key = window.key(bucket)
                filled[key] = stacked([rows.part, filled[key].part], 1) if key in filled else rows
        if window.name in counts.begins:
            gone += counts.buckets(window.name, begin)
    return Folded(first, stacked(sums, columns(windows)), filled, gone, reaches, begins)
