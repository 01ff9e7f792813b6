"""Folding: pending changes become counts of series, windows and buckets, and what is too old leaves its window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scoring.cells import Cells, Changes, buckets, entries, tabulate
from sinks.redis.counts import NO_IDS, Counts, Ids, Part, Rows, Span, stacked


class Folded(NamedTuple):
    """What is added to series, and to buckets by their keys; the buckets that are gone; what `span` says then."""

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


def fold(counts: Counts, feeds: Sequence[Ids], taken: int, windows: Sequence[Span]) -> Folded:
    """Fold the first changes in that are pending; the windows' first buckets say what has left them.

    A window that was added to counts begins behind all of them: what it never held cannot be taken out of it. So
    does one that begins even later, because some worker's clock was ahead. Buckets only ever leave.
    """
    ids, places = np.unique(np.concatenate([NO_IDS, *feeds]), return_inverse=True)
    ends = np.cumsum([len(fed) for fed in feeds])[:-1]
    changed = entries(np.split(places, ends), Changes(*(column[:taken] for column in counts.changes)))
    newest = int(counts.changes.minute.max(initial=-1 if counts.newest is None else counts.newest))

    def of(cells: Cells) -> Rows:
        return Rows(ids[cells.line], cells.histogram[:, None, :])

    every = of(tabulate(changed.feed, changed.score, changed.n, len(ids)))
    first = of(tabulate(changed.feed, changed.score, changed.first, len(ids)))
    sums = [every.part]
    filled: dict[str, Rows] = {}
    gone: list[str] = []
    begins: dict[str, int] = {}
    for column, (window, expired) in enumerate(zip(windows, counts.expired, strict=True), 1):
        behind = max(window.next, newest // window.width + 1)
        begin = counts.begin(window)
        begins[window.name] = max(behind if begin is None else min(begin, behind), window.first)
        for bucket, cells in buckets(changed, len(ids), window.width, begins[window.name]):
            rows = of(cells)
            filled[f"b:{window.name}:{bucket}"] = rows
            sums.append(Part(rows.ids, [column], rows.counts))
        sums += [Part(rows.ids, [column], -rows.counts) for rows in expired]
        if window.name in counts.begins:
            gone += counts.buckets(window.name, begins[window.name])
    return Folded(first, stacked(sums, 1 + len(windows)), filled, gone, newest, begins)
