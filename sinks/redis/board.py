"""Reads the board: all series in all windows, merged over the partitions."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import numpy as np
from redis.exceptions import ResponseError

from scoring.board import Board, Count, Progress
from scoring.segments import Series
from scoring.windows import ALL, Window
from sinks.redis import keys
from sinks.redis.client import Client, ask
from sinks.redis.cohorts import cohorts
from sinks.redis.counts import NO_IDS, Counts, CountsReader, Ids, Part, Rows, Span, columns, spans, stacked
from sinks.redis.fold import fold
from sinks.redis.fresh import Fresh
from streams.store import StoreCorrupt, StoreUnavailable
from streams.times import MINUTE

T = TypeVar("T")
Histograms = dict[Series, list[int]]


@dataclass(frozen=True, slots=True)
class PartitionScores:
    """One partition's windows at ``as_of`` (ms), with the offset up to which they count.

    ``begins`` is the oldest bucket in a window's sum: a window that was added later begins after it.
    """

    as_of: int
    offset: int | None
    begins: dict[str, int]
    windows: dict[str, Histograms]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a lane's partition is: the next offset, when the last batch was applied (ms), and how many batches'
    returned events are not published yet. Nothing of it is known where a key is of another type.
    """

    offset: int | None
    applied_at: int
    returned: int = 0


def _typed(reply: Any) -> Any:
    """A reply of a pipeline; None where the key is of another type, which its lane tells about."""
    if isinstance(reply, ResponseError) and str(reply).startswith("WRONGTYPE"):
        return None
    if isinstance(reply, Exception):
        raise StoreUnavailable(f"Redis refuses: {reply}") from reply
    return reply


class BoardReader:
    """One reader for scrapes, pages and streams, which share a board for a moment.

    What Redis replies is decoded in a thread: the lanes' loop has other things to do.
    """

    def __init__(
        self, redis: Client, prefix: str, windows: Sequence[Window], partitions: int, clock: Callable[[], int]
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._windows = windows
        self._partitions = range(partitions)
        self._clock = clock
        self._reader = CountsReader(redis)
        self._fresh = Fresh(lambda: _sound(self._read))

    async def board(self) -> Board:
        """Raise StoreUnavailable where Redis does not answer: old values are never served."""
        return await self._fresh.get()

    async def positions(self, lane: str, partitions: Iterable[int]) -> dict[int, Position]:
        wanted = list(partitions)
        pipe = self._redis.pipeline(transaction=False)
        for partition in wanted:
            base = keys.base(self._prefix, lane, partition)
            pipe.hmget(f"{base}:lane", ["off", "at"])
            pipe.xlen(f"{base}:out")
        found = [_typed(reply) for reply in await ask(pipe.execute(raise_on_error=False))]
        positions = {}
        for partition, lane_hash, returned in zip(wanted, found[::2], found[1::2], strict=True):
            off, at = lane_hash or (None, None)
            positions[partition] = Position(None if off is None else int(off), int(at or 0), returned or 0)
        return positions

    async def partition(self, partition: int, at: int | None = None, lane: str = "lane") -> PartitionScores:
        """One partition alone; of the lane ``rebuild`` what it has rebuilt."""
        return await _sound(lambda: self._partition(partition, self._clock() if at is None else at, lane))

    async def _partition(self, partition: int, now: int, lane: str) -> PartitionScores:
        windows = spans(self._windows, now)
        counts = await self._counts(partition, windows, lane)
        _, held = await self._histograms([partition], [counts], windows)
        begins = {
            window.name: counts.begins[span.name]
            for window, span in zip(self._windows, windows, strict=True)
            if span.name in counts.begins
        }
        return PartitionScores(now, counts.offset, begins, held)

    async def _read(self) -> Board:
        now = self._clock()
        windows = spans(self._windows, now)
        events = await self._events()
        newest = await self._newest()
        invited = cohorts(await self._cohorts(), self._windows, now)
        counts = await _all(self._counts(partition, windows) for partition in self._partitions)
        first, held = await self._histograms(self._partitions, counts, windows)
        progress = {
            partition: Progress(one.offset, one.until)
            for partition, one in zip(self._partitions, counts, strict=True)
        }
        return Board(now, held, first, events, progress, newest, invited)

    async def _events(self) -> Counter[Count]:
        """What was counted beside answers, over all lanes."""
        pipe = self._redis.pipeline(transaction=False)
        for base in keys.bases(self._prefix, len(self._partitions)):
            pipe.hgetall(f"{base}:counts")
        summed: Counter[Count] = Counter()
        for one in await ask(pipe.execute()):
            for field, n in one.items():
                summed[_count.decode(field)] += int(n)
        return summed

    async def _cohorts(self) -> list[dict[bytes, bytes]]:
        """What the customer lane counts of invitations, by partition."""
        pipe = self._redis.pipeline(transaction=False)
        for partition in self._partitions:
            pipe.hgetall(keys.base(self._prefix, "c", partition) + ":cohorts")
        found: list[dict[bytes, bytes]] = await ask(pipe.execute())
        return found

    async def _newest(self) -> dict[str, int]:
        """When the newest answer of each survey was given (ms, the beginning of its minute)."""
        pipe = self._redis.pipeline(transaction=False)
        for partition in self._partitions:
            pipe.hgetall(f"{self._base(partition)}:newest")
        found: dict[str, int] = {}
        for one in await ask(pipe.execute()):
            for survey, minute in one.items():
                name = survey.decode()
                found[name] = max(int(minute) * MINUTE, found.get(name, 0))
        return found

    async def _counts(self, partition: int, windows: Sequence[Span], lane: str = "lane") -> Counts:
        reply = await self._reader.read(self._base(partition), lane, windows)
        return await asyncio.to_thread(Counts.of, reply)

    async def _histograms(
        self, partitions: Iterable[int], counts: Sequence[Counts], windows: Sequence[Span]
    ) -> tuple[Histograms, dict[str, Histograms]]:
        """First acceptances; all answers and each window by name. Over the partitions."""
        bases = [self._base(partition) for partition in partitions]
        feeds = [await self._reader.feeds(base, one.feeds) for base, one in zip(bases, counts, strict=True)]
        first, sums = await asyncio.to_thread(_held, counts, feeds, windows)
        names: dict[int, Series] = {}
        for base, one, fed in zip(bases, counts, feeds, strict=True):
            ids = np.unique(np.concatenate([NO_IDS, one.first.ids, one.sums.ids, *fed]))
            names.update(zip(ids.tolist(), await self._reader.series(base, ids), strict=True))
        [accepted] = await asyncio.to_thread(_named, first, names)
        held = await asyncio.to_thread(_named, sums, names)
        return accepted, dict(zip([ALL, *(window.name for window in self._windows)], held, strict=True))

    def _base(self, partition: int) -> str:
        return keys.base(self._prefix, "a", partition)


async def _sound(read: Callable[[], Awaitable[T]]) -> T:
    """Read once more where it looks damaged: the parts may be of two states, of which one was lost or replaced."""
    try:
        return await read()
    except StoreCorrupt:
        return await read()


async def _all(reads: Iterable[Awaitable[T]]) -> list[T]:
    """What all of them have read, side by side. Where one fails, the others end too before its error is raised."""
    found: list[T] = []
    for one in await asyncio.gather(*reads, return_exceptions=True):
        if isinstance(one, BaseException):
            raise one
        found.append(one)
    return found


def _held(counts: Sequence[Counts], feeds: Sequence[Sequence[Ids]], windows: Sequence[Span]) -> tuple[Rows, Rows]:
    """First acceptances; all answers and each window by column. With all that is pending or expired."""
    first: list[Part] = []
    sums: list[Part] = []
    for one, fed in zip(counts, feeds, strict=True):
        folded = fold(one, fed, len(one.changes.n), windows)
        first += one.first.part, folded.first.part
        sums += one.laid_out([window.name for window in windows]), folded.sums.part
    held = stacked(sums, columns(windows))
    return stacked(first, 1), Rows(held.ids, held.counts[:, : 1 + len(windows)])


def _named(held: Rows, names: Mapping[int, Series]) -> list[Histograms]:
    """By column, the series that count anything."""
    series = [names[one] for one in held.ids.tolist()]
    found = []
    for column in range(held.counts.shape[1]):
        counts = held.counts[:, column]
        rows = np.flatnonzero(counts.any(axis=1))
        found.append(dict(zip([series[row] for row in rows.tolist()], counts[rows].tolist(), strict=True)))
    return found


_count = msgspec.json.Decoder(Count)
