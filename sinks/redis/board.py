"""Reads the board: all series in all windows, merged over the partitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from scoring.board import Board
from scoring.segments import Series
from scoring.tally import merge
from scoring.windows import ALL, Window
from sinks.redis import keys
from sinks.redis.answers import window_arguments
from sinks.redis.client import Client, Script, ask, script, to_json
from sinks.redis.fresh import Fresh


@dataclass(frozen=True, slots=True)
class PartitionScores:
    """One partition's windows at ``as_of`` (ms), with the offset up to which they count.

    ``begins`` is the oldest bucket in a window's sum: a window that was added later begins after it.
    """

    as_of: int
    offset: int | None
    begins: dict[str, int]
    windows: dict[str, dict[Series, list[int]]]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a lane's partition is: the next offset, and when the last batch was applied (ms)."""

    offset: int | None
    applied_at: int


class BoardReader:
    """One reader for scrapes, pages and streams, which share a board for a moment."""

    def __init__(
        self, redis: Client, prefix: str, windows: Sequence[Window], partitions: int, clock: Callable[[], int]
    ) -> None:
        self._redis = redis
        self._bases = keys.bases(prefix, partitions)
        self._prefix = prefix
        self._windows = windows
        self._clock = clock
        self._script = Script(redis, script("scores"))
        self._fresh = Fresh(self._read)

    async def board(self) -> Board:
        """Raise StoreUnavailable where Redis does not answer: old values are never served."""
        return await self._fresh.get()

    async def positions(self, lane: str, partitions: Iterable[int]) -> dict[int, Position]:
        found = {}
        for partition in partitions:
            base = keys.base(self._prefix, lane, partition)
            off, at = await ask(self._redis.hmget(f"{base}:lane", ["off", "at"]))
            found[partition] = Position(None if off is None else int(off), int(at or 0))
        return found

    async def partition(self, partition: int) -> PartitionScores:
        """One partition alone, read in one step."""
        now = self._clock()
        windows: dict[str, dict[Series, list[int]]] = {name: {} for name in self._names}
        offset, begins = await self._add(keys.base(self._prefix, "a", partition), now, windows)
        del windows[_FIRST]
        return PartitionScores(now, offset, begins, windows)

    async def _add(
        self, base: str, now: int, windows: dict[str, dict[Series, list[int]]]
    ) -> tuple[int | None, dict[str, int]]:
        arguments = to_json(window_arguments(self._windows, now))
        offset, _until, begins, numbers, reply = await ask(
            self._script(keys=[base, f"{base}:lane"], args=[arguments])
        )
        series = {number: Series(*_series.decode(name)) for name, number in zip(*_pairs(numbers), strict=True)}
        for name, parts in zip(self._names, reply, strict=True):
            _add(windows[name], parts, series)
        began = zip(self._windows, begins, strict=True)
        return int(offset) if offset else None, {window.name: int(begin) for window, begin in began if begin}

    async def _read(self) -> Board:
        now = self._clock()
        windows: dict[str, dict[Series, list[int]]] = {name: {} for name in self._names}
        counts: Counter[tuple[str, ...]] = Counter()
        for base in self._bases:
            for field, n in (await ask(self._redis.hgetall(f"{base}:counts"))).items():
                counts[_count.decode(field)] += int(n)
            if "{a" in base:
                await self._add(base, now, windows)
        first = windows.pop(_FIRST)
        return Board(as_of=now, windows=windows, first=first, counts=counts)

    @property
    def _names(self) -> list[str]:
        return [_FIRST, ALL, *(window.name for window in self._windows)]


_FIRST = "first"


def _add(into: dict[Series, list[int]], parts: list[list[bytes]], series: Mapping[bytes, Series]) -> None:
    """Add a sum and take its expired buckets out again."""
    for sign, flat in zip([1] + [-1] * (len(parts) - 1), parts, strict=True):
        for number, text in zip(*_pairs(flat), strict=True):
            one = series[number]
            histogram = [sign * n for n in _histogram.decode(text)]
            into[one] = merge((into[one], histogram)) if one in into else histogram
    for one in [one for one, histogram in into.items() if not any(histogram)]:
        del into[one]


def _pairs(flat: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    return flat[::2], flat[1::2]


_series = msgspec.json.Decoder(list[str])
_histogram = msgspec.json.Decoder(list[int])
_count = msgspec.json.Decoder(tuple[str, ...])
