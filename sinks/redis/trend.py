"""Reads how a series' answers are spread over the buckets of a window, merged over the partitions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scoring.cells import Ints
from scoring.scales import SCORES
from scoring.segments import Series
from scoring.trend import Bucket
from scoring.windows import Window
from sinks.redis import keys
from sinks.redis.client import Client, Script, ask, script
from sinks.redis.counts import (
    COUNT,
    Counts,
    CountsReader,
    Ids,
    Rows,
    Span,
    columns,
    newest_column,
    series_id,
    sound,
    spans,
    stacked,
)
from sinks.redis.fold import fold
from streams.store import StoreCorrupt
from streams.times import MINUTE


class TrendReader:
    """Reads what people look at: one series at a time."""

    def __init__(self, redis: Client, prefix: str, partitions: int, clock: Callable[[], int]) -> None:
        self._bases = [keys.base(prefix, "a", partition) for partition in range(partitions)]
        self._clock = clock
        self._reader = CountsReader(redis)
        self._script = Script(redis, script("trend"))

    async def trend(self, series: Series, window: Window) -> list[Bucket]:
        """Every bucket inside the window now, the oldest first, those without answers too.

        Raises StoreUnavailable or StoreCorrupt.
        """
        [span] = spans([window], self._clock())
        total = np.zeros((span.next - span.first, SCORES), np.int64)
        for base in self._bases:
            total += await self._partition(base, series, span)
        return [Bucket((span.first + n) * span.width * MINUTE, row) for n, row in enumerate(total.tolist())]

    async def _partition(self, base: str, series: Series, span: Span) -> Ints:
        id_ = series_id(series)
        arguments: list[str | int | bytes] = [span.name, span.first, span.next - 1, id_]
        reply = sound(await ask(self._script(keys=[base, f"{base}:lane"], args=arguments)))
        *read, row, cells = reply
        counts = Counts.of([*read, [[]], [id_, row] if row else [], []])
        feeds = await self._reader.feeds(base, counts.feeds)
        return await asyncio.to_thread(_counted, counts, feeds, span, id_, cells)


def _counted(counts: Counts, feeds: Sequence[Ids], span: Span, series: bytes, cells: Sequence[Any]) -> Ints:
    """Histograms by bucket: what was folded in, and what is pending."""
    held = b"".join(cell or bytes(SCORES * COUNT.itemsize) for cell in cells)
    try:
        table = np.frombuffer(held, COUNT).astype(np.int64).reshape(len(cells), SCORES)
    except ValueError as error:
        raise StoreCorrupt(f"a bucket of {span.name} is not what a lane writes") from error
    folded = fold(counts, feeds, len(counts.changes.n), [span])
    sums = stacked([counts.laid_out([span.name]), folded.sums.part], columns([span]))
    newest = Rows(sums.ids, sums.counts[:, newest_column([span.name], span.name), None])
    wanted = int.from_bytes(series, "big")
    for key, rows in {**folded.buckets, span.key(folded.newest // span.width): newest}.items():
        place = int(key.rpartition(":")[2]) - span.first
        if 0 <= place < len(table):
            table[place] += rows.counts[rows.ids == wanted].sum(axis=(0, 1))
    return table
