"""What an answers partition counts, as columns: how its keys are read, and what their bytes mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.cells import Changes, Ints
from scoring.scales import SCORES
from scoring.segments import Series
from scoring.windows import Window
from sinks.redis.client import Client, Script, ask, script, to_json
from sinks.redis.lane import wrong_type
from streams.store import StoreCorrupt
from streams.times import MINUTE

T = TypeVar("T")
Ids = NDArray[np.uint64]

ID = np.dtype(">u8")
COUNT = np.dtype(">u4")
CHANGE = np.dtype([("feed", ID), ("minute", ">u4"), ("score", "u1"), ("kind", "u1")])
# Kinds of changes. An answer is taken for new until the script has looked; one that was known is taken back, and
# what is corrected goes out and comes in. A rebuild counts no first acceptances, but takes over what is pending.
FIRST, IN = 1, 4
# How many answers a kind adds, and how many first acceptances: first, repeated, out, in; and first ones alone.
_ADDS = np.array([0, 1, -1, -1, 1, 0, 0], np.int64)
_FIRST_ADDS = np.array([0, 1, -1, 0, 0, 1, -1], np.int64)

REBUILD = "`livenps rebuild` counts anew"
REMEMBERED = 100_000  # feeds, and series; whoever has seen more begins anew
NO_IDS: Ids = np.empty(0, np.uint64)


def feed_ids(fed: tuple[Series, ...]) -> tuple[bytes, list[bytes]]:
    """The id of what feeds these series, and theirs."""
    series = [series_id(one) for one in fed]
    return _id(b"".join(series)), series


def series_id(series: Series) -> bytes:
    """What state knows a series by."""
    return _id(series.key.encode())


def _id(text: bytes) -> bytes:
    return blake2b(text, digest_size=ID.itemsize).digest()


class Span(NamedTuple):
    """A window as the scripts read it.

    Its name carries the width: under another one the numbers of the buckets mean other times.
    """

    name: str
    width: int  # minutes
    first: int  # the oldest bucket inside, now
    next: int  # bucket

    def key(self, bucket: int) -> str:
        """Of a bucket, below the build's."""
        return f"b:{self.name}:{bucket}"


def spans(windows: Iterable[Window], now: int) -> list[Span]:
    return [
        Span(f"{window.name}/{minutes}", minutes, window.first(now), window.bucket(now) + 1)
        for window in windows
        for minutes in [window.width // MINUTE]
    ]


class Rows(NamedTuple):
    """Series by their ids, each once, and histograms of each: an array (series, histograms, scores)."""

    ids: Ids
    counts: Ints

    @property
    def part(self) -> Part:
        """All of it, for a table of as many columns."""
        return Part(self.ids, [*range(self.counts.shape[1])], self.counts)


class Part(NamedTuple):
    """Rows whose histograms belong in these columns of a larger table: one in each, or the same one in all."""

    ids: Ids
    columns: list[int]
    counts: Ints


def stacked(parts: Sequence[Part], columns: int) -> Rows:
    """The sum of all parts in one table."""
    ids = np.unique(np.concatenate([NO_IDS, *(part.ids for part in parts)]))
    table = np.zeros((len(ids), columns, SCORES), np.int64)
    for part in parts:
        table[np.searchsorted(ids, part.ids)[:, None], part.columns] += part.counts
    return Rows(ids, table)


def columns(windows: Sequence[object]) -> int:
    """How many histograms the sums of a series have: all answers, the windows' sums, their newest buckets."""
    return 1 + 2 * len(windows)


def summed_column(windows: Sequence[str], window: str) -> int:
    """The column of a window's sum."""
    return 1 + windows.index(window)


def newest_column(windows: Sequence[str], window: str) -> int:
    """The column of a window's newest bucket, the one of the newest minute that was folded in."""
    return 1 + len(windows) + windows.index(window)


@dataclass(frozen=True, slots=True)
class Counts:
    """One partition as ``lua/scores.lua`` reads it. ``begins`` and ``layout`` name windows as `Span` does.

    ``changes`` are pending, with places in ``feeds``; ``entries`` are how many of them each batch has left.
    """

    offset: int | None
    until: int | None
    newest: int | None  # minute; None where nothing was folded in yet
    begins: dict[str, int]
    layout: list[str]
    feeds: Ids
    changes: Changes
    entries: list[int]
    expired: list[list[Rows]]
    sums: Rows  # as `columns` says, of the layout
    first: Rows

    @classmethod
    def of(cls, reply: Sequence[Any]) -> Counts:
        """Raise StoreCorrupt where it is not what a lane writes."""
        try:
            return cls._of(*reply)
        except (ValueError, msgspec.MsgspecError) as error:
            raise StoreCorrupt(f"the counts are not what a lane writes: {error}; {REBUILD}") from error

    @classmethod
    def _of(
        cls,
        off: bytes,
        until: bytes,
        flat: list[bytes],
        pending: list[bytes],
        expired: list[list[list[bytes]]],
        sums: list[bytes],
        first: list[bytes],
    ) -> Counts:
        span = dict(zip(flat[::2], flat[1::2], strict=True))
        layout = msgspec.json.decode(span.pop(b"windows", b"[]"), type=list[str])
        newest = _number(span.pop(b"newest", b""))
        table = np.frombuffer(b"".join(pending), CHANGE)
        feeds, place = np.unique(table["feed"].astype(np.uint64), return_inverse=True)
        return cls(
            _number(off),
            _number(until),
            newest,
            {window.decode(): int(begin) for window, begin in span.items()},
            layout,
            feeds,
            Changes(
                place,
                table["minute"].astype(np.int64),
                table["score"].astype(np.int64),
                _ADDS[table["kind"]],
                _FIRST_ADDS[table["kind"]],
            ),
            [len(entry) // CHANGE.itemsize for entry in pending],
            [[_rows(bucket, 1) for bucket in parts] for parts in expired],
            _rows(sums, columns(layout)),
            _rows(first, 1),
        )

    def laid_out(self, windows: Sequence[str]) -> Part:
        """The sums, for a table of these windows; of one that the layout lacks, nothing."""
        kept = [window for window in windows if window in self.layout]
        held, wanted = (
            [
                0,
                *(summed_column(among, window) for window in kept),
                *(newest_column(among, window) for window in kept),
            ]
            for among in (self.layout, windows)
        )
        return Part(self.sums.ids, wanted, self.sums.counts[:, held])

    @property
    def reaches(self) -> int:
        """The newest minute of all, with what is pending; -1 where there is nothing."""
        return int(self.changes.minute.max(initial=-1 if self.newest is None else self.newest))

    def ends(self, windows: Sequence[Span]) -> bool:
        """Whether folding ends the newest bucket of a window, for which the sums of all series are wanted."""
        reaches = self.reaches
        return any(
            self.begins.get(window.name, window.next) <= newest < max(window.first, reaches // window.width)
            for window in windows
            for newest in [self.latest(window)]
        )

    def ended(self, window: Span, last: int) -> Rows:
        """What a window's newest bucket holds, where it is older than the ``last`` one."""
        if self.latest(window) >= last or window.name not in self.layout:
            return Rows(NO_IDS, np.empty((0, 1, SCORES), np.int64))
        held = self.sums.counts[:, newest_column(self.layout, window.name), None]
        filled = held.any(axis=(1, 2))
        return Rows(self.sums.ids[filled], held[filled])

    def latest(self, window: Span) -> int:
        """The newest bucket of a window, which its sums hold."""
        return -1 if self.newest is None else self.newest // window.width

    def begin(self, span: Span) -> int | None:
        """The oldest bucket that a window counts; None where it was added after answers had been folded in."""
        return self.begins.get(span.name, span.first if self.newest is None else None)

    def buckets(self, window: str, before: int | None = None) -> list[str]:
        """The keys of a window's buckets, or of those before one of them."""
        last = (self.newest or 0) // int(window.rpartition("/")[2])
        end = last + 1 if before is None else min(before, last + 1)
        return [f"b:{window}:{bucket}" for bucket in range(self.begins[window], end)]


class CountsReader:
    """Reads partitions. Feeds and series are remembered by their ids, which mean the same everywhere, for ever."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._scores = Script(redis, script("scores"))
        self._cells = Script(redis, script("cells"))
        self._feeds: dict[int, Ids] = {}
        self._series: dict[int, Series] = {}

    async def read(self, base: str, lane: str, windows: Sequence[Span], changes: int | None = None) -> list[Any]:
        """A reply for `Counts.of`: with about so many ``changes`` that are pending, or with all and the sums."""
        arguments = [to_json(windows), "" if changes is None else changes * CHANGE.itemsize]
        reply: list[Any] = sound(await ask(self._scores(keys=[base, f"{base}:{lane}"], args=arguments)))
        return reply

    async def cells(self, base: str, lane: str, wanted: Mapping[str, Rows]) -> list[Ints]:
        """What cells hold: by key, counts in the shape of the rows wanted, which are not empty."""
        sizes = [(key, rows.counts[0].size * COUNT.itemsize, len(rows.ids)) for key, rows in wanted.items()]
        ids = b"".join(rows.ids.astype(ID).tobytes() for rows in wanted.values())
        reply = sound(await ask(self._cells(keys=[base, f"{base}:{lane}"], args=[to_json(sizes), ids])))
        ends = np.cumsum([rows.counts.size for rows in wanted.values()])[:-1]
        parts = np.split(np.frombuffer(reply, COUNT).astype(np.int64), ends)
        return [part.reshape(rows.counts.shape) for part, rows in zip(parts, wanted.values(), strict=True)]

    async def feeds(self, base: str, ids: Ids) -> list[Ids]:
        """The ids of the series that each feed feeds."""
        return await self._known(self._feeds, f"{base}:feeds", ids, _ids)

    async def series(self, base: str, ids: Ids) -> list[Series]:
        return await self._known(self._series, f"{base}:series", ids, lambda text: Series(*_name.decode(text)))

    async def _known(self, known: dict[int, T], key: str, ids: Ids, decode: Callable[[bytes], T]) -> list[T]:
        wanted = ids.tolist()
        if len(known) > REMEMBERED:
            known.clear()
        if missing := [one for one in wanted if one not in known]:
            texts = await ask(self._redis.hmget(key, [one.to_bytes(ID.itemsize, "big") for one in missing]))
            try:
                known.update(zip(missing, map(decode, texts), strict=True))
            except (TypeError, ValueError, msgspec.MsgspecError) as error:
                raise StoreCorrupt(f"{key} does not say what is counted; {REBUILD}") from error
        return [known[one] for one in wanted]


def _rows(flat: Sequence[bytes], histograms: int) -> Rows:
    ids, values = b"".join(flat[::2]), b"".join(flat[1::2])
    size = histograms * SCORES * COUNT.itemsize
    if len(ids) * size != len(values) * ID.itemsize or any(len(value) != size for value in flat[1::2]):
        raise ValueError("a histogram has not as many counts as it should")
    counts = np.frombuffer(values, COUNT).astype(np.int64)
    return Rows(_ids(ids), counts.reshape(-1, histograms, SCORES))


def _ids(text: bytes) -> Ids:
    return np.frombuffer(text, ID).astype(np.uint64)


def sound(reply: Any) -> Any:
    """A reply of a script that reads. Raises StoreCorrupt where a key, or a value, is of another type."""
    if isinstance(reply, list) and reply[0] == b"WRONGTYPE":
        raise wrong_type(reply[1])
    if isinstance(reply, list) and reply[0] == b"WRONGSIZE":
        raise StoreCorrupt(f"{reply[1].decode()} holds other counts than a lane writes; {REBUILD}")
    return reply


def _number(text: bytes) -> int | None:
    return int(text) if text else None


_name = msgspec.json.Decoder(list[str])
