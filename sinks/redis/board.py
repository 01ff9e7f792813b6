"""Reads the board: all series in all windows, merged over the partitions."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from operator import add, sub
from typing import Any, NamedTuple

import msgspec
from redis.exceptions import ResponseError

from scoring.board import Board, Count, Progress
from scoring.scales import SCORES
from scoring.segments import Series
from scoring.windows import ALL, Window
from sinks.redis import keys
from sinks.redis.answers import window_arguments
from sinks.redis.client import Client, Script, ask, script, to_json
from sinks.redis.fresh import Fresh
from streams.store import StoreUnavailable

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


Flat = list[bytes]  # a hash as Redis gives it: number of a series, its histogram, ...


class _Reply(NamedTuple):
    """What ``lua/scores.lua`` says of a partition; an empty text is nothing."""

    off: bytes
    until: bytes
    begins: list[bytes]
    series: Flat
    windows: list[list[Flat]]


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
        self._script = Script(redis, script("scores"))
        self._fresh = Fresh(self._read)
        self._named: dict[int, tuple[Flat, dict[int, Series]]] = {}

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
        """One partition alone, read in one step; of the lane ``rebuild`` what it has rebuilt."""
        now = self._clock() if at is None else at
        reply = await self._scores(partition, now, lane)
        return await asyncio.to_thread(self._partition, partition, now, reply)

    async def _read(self) -> Board:
        now = self._clock()
        replies = asyncio.gather(*(self._scores(partition, now) for partition in self._partitions))
        counts, scores = await asyncio.gather(self._counts(), replies)
        return await asyncio.to_thread(self._board, now, scores, counts)

    async def _scores(self, partition: int, now: int, lane: str = "lane") -> _Reply:
        base = keys.base(self._prefix, "a", partition)
        arguments = to_json(window_arguments(self._windows, now))
        return _Reply(*await ask(self._script(keys=[base, f"{base}:{lane}"], args=[arguments])))

    async def _counts(self) -> list[dict[bytes, bytes]]:
        pipe = self._redis.pipeline(transaction=False)
        for base in keys.bases(self._prefix, len(self._partitions)):
            pipe.hgetall(f"{base}:counts")
        counts: list[dict[bytes, bytes]] = await ask(pipe.execute())
        return counts

    # in a thread

    def _partition(self, partition: int, now: int, reply: _Reply) -> PartitionScores:
        windows = self._empty()
        self._merge(partition, reply, windows)
        del windows[_FIRST]
        began = zip(self._windows, reply.begins, strict=True)
        begins = {window.name: int(begin) for window, begin in began if begin}
        return PartitionScores(now, _number(reply.off), begins, windows)

    def _board(self, now: int, replies: Iterable[_Reply], counts: Iterable[Mapping[bytes, bytes]]) -> Board:
        windows = self._empty()
        progress = {}
        for partition, reply in zip(self._partitions, replies, strict=True):
            self._merge(partition, reply, windows)
            progress[partition] = Progress(_number(reply.off), _number(reply.until))
        summed: Counter[Count] = Counter()
        for one in counts:
            for field, n in one.items():
                summed[_count.decode(field)] += int(n)
        first = windows.pop(_FIRST)
        return Board(now, windows, first, summed, progress)

    def _merge(self, partition: int, reply: _Reply, windows: dict[str, Histograms]) -> None:
        series = self._series(partition, reply.series)
        for window, parts in zip(windows.values(), reply.windows, strict=True):
            _merge(window, parts, series)

    def _empty(self) -> dict[str, Histograms]:
        return {name: {} for name in (_FIRST, ALL, *(window.name for window in self._windows))}

    def _series(self, partition: int, flat: Flat) -> dict[int, Series]:
        """The series by their numbers, decoded again only where there are others."""
        known = self._named.get(partition)
        if known is None or known[0] != flat:
            names = zip(_decode(flat[::2]), _decode(flat[1::2]), strict=True)
            known = self._named[partition] = flat, {number: Series(*name) for name, number in names}
        return known[1]


_FIRST = "first"
_NOTHING = [0] * SCORES


def _merge(into: Histograms, parts: Sequence[Flat], series: Mapping[int, Series]) -> None:
    """Add a sum and take its expired buckets out again."""
    for sign, flat in zip(chain([add], repeat(sub)), parts, strict=False):
        for one, histogram in _histograms(flat, series):
            into[one] = [*map(sign, into.get(one, _NOTHING), histogram)]
    for one in [one for one, histogram in into.items() if not any(histogram)]:
        del into[one]


def _histograms(flat: Flat, series: Mapping[int, Series]) -> Iterator[tuple[Series, list[int]]]:
    return zip(map(series.__getitem__, _decode(flat[::2])), _decode(flat[1::2]), strict=True)


def _decode(texts: Sequence[bytes]) -> Any:
    """Many small JSON texts at once."""
    return msgspec.json.decode(b"[" + b",".join(texts) + b"]")


def _number(text: bytes) -> int | None:
    return int(text) if text else None


_count = msgspec.json.Decoder(Count)
