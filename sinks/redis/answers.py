"""The answers lane's state: which answers were counted, and histograms per series, window and bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.segments import Series
from scoring.windows import Window
from sinks.redis import keys
from sinks.redis.client import Client, to_json
from sinks.redis.counts import (
    CHANGE,
    COUNT,
    FIRST,
    ID,
    IN,
    NO_IDS,
    REBUILD,
    Counts,
    CountsReader,
    Ids,
    Rows,
    Span,
    columns,
    feed_ids,
    spans,
    stacked,
)
from sinks.redis.fold import Folded, fold
from sinks.redis.lane import NO_POSITION, SWEEP, RedisLane, sweep
from streams.answers import AnswersPlan
from streams.store import Applied, Batch, Claimed, Fenced, Outcome, StoreCorrupt, Token
from streams.times import DAY, SECOND

CHANGES = 400_000  # that may be pending; more are folded in step by step
WORTH = 40  # changes for each series that they touch: fewer wait while others come, since many cost a cell no more
PATIENCE = 30 * SECOND  # after which none wait: where answers come slowly there is nothing to save
COUNTS = 2_000_000  # that Redis writes at once, in a fraction of a second
SMALLER = 0.9  # of the size: less is worth taking half

# One answer as the script reads it; from version to day it is the entry of the index.
_ANSWER = np.dtype(
    [
        ("hash", "S4"),
        ("field", "V8"),
        ("version", ">u8"),
        ("feed", ID),
        ("minute", ">u4"),
        ("score", "u1"),
        ("day", ">u2"),
        ("timed", "u1"),
    ]
)


class AnswersStore(RedisLane[AnswersPlan]):
    """See ``lua/answers.lua`` for the keys. What arrived ``remember`` ms ago is no repeat of anything any more."""

    lane = "a"
    script = "answers"
    parts = ("fence", "sweep")
    recount = False  # whether batches only fill a build

    def __init__(
        self,
        redis: Client,
        prefix: str,
        windows: Sequence[Window],
        clock: Callable[[], int],
        remember: int = 365 * DAY,
    ) -> None:
        super().__init__(redis, prefix)
        self._windows = windows
        self._longest = max(windows, key=lambda window: window.length, default=None)
        self._clock = clock
        self._remember = remember
        self._reader = CountsReader(redis)
        self._feeds = _Feeds([])
        self._waiting: dict[int, _Waiting] = {}  # by partition

    async def claim(self, partition: int, token: Token) -> Claimed | Fenced:
        self._feeds.forget(partition)
        self._waiting.pop(partition, None)
        return await super().claim(partition, token)

    # batches

    async def read(self, batch: Batch) -> None:
        """Duplicates are told in the script itself: nothing has to be known before."""

    def commit(self, batch: Batch, token: Token, plan: AnswersPlan) -> Awaitable[Outcome]:
        feeds = self._known(plan.feeds)
        feeds.stand(batch.partition, batch.start)
        sent = super().commit(batch, token, plan)
        return self._counted(sent, feeds, batch.partition, batch.end, len(plan.answers))

    async def _counted(
        self, sent: Awaitable[Outcome], feeds: _Feeds, partition: int, end: int, changes: int
    ) -> Outcome:
        """Note what the state knows once a batch is applied."""
        outcome = await sent
        if outcome == Applied():
            feeds.told(partition, end)
            self._waits(partition).come += changes
        return outcome

    def _waits(self, partition: int) -> _Waiting:
        return self._waiting.setdefault(partition, _Waiting(self._clock()))

    def _known(self, feeds: list[tuple[Series, ...]]) -> _Feeds:
        """The feeds with all that the rule has added."""
        if feeds is not self._feeds.feeds:
            self._feeds = _Feeds(feeds)
        self._feeds.grow()
        return self._feeds

    def encode(self, partition: int, plan: AnswersPlan) -> tuple[object, bytes, bytes, bytes, bytes, str]:
        answers, feeds = plan.answers, self._known(plan.feeds)
        fed = [answer.feed for answer in answers]
        table = np.empty(len(answers), _ANSWER)
        table["hash"], table["field"] = keys.located(answer.response_id for answer in answers)
        table["version"] = [answer.version for answer in answers]
        table["feed"] = feeds.ids[fed]
        table["minute"] = [answer.minute for answer in answers]
        table["score"] = [answer.score for answer in answers]
        table["day"] = [answer.day for answer in answers]
        table["timed"] = [answer.timed for answer in answers]
        changes = np.empty(len(answers), CHANGE)
        for column in ("feed", "minute", "score"):
            changes[column] = table[column]
        changes["kind"] = IN if self.recount else FIRST

        new = feeds.tell(partition, fed)
        names = {id_: one for n in new for id_, one in zip(feeds.fed[n][1], feeds.feeds[n], strict=True)}
        body = {
            "feeds": [len(feeds.feeds[n]) for n in new],
            "series": [one.key for one in names.values()],
            "late": 0,
            "events": [
                (n, to_json(answer.answered))
                for n, answer in enumerate(answers)
                if answer.answered is not None and not self.recount
            ],
            "newest": feeds.newest(fed, table["minute"]),
            "steps": [(step.answers, to_json(step.increment)) for step in plan.steps if not self.recount],
            "recount": self.recount,
        }
        if self._longest:
            [longest] = spans([self._longest], self._clock())
            body["longest"] = longest.width, longest.first
            body["late"] = int(np.count_nonzero(table["minute"] // longest.width < longest.first))
        told = b"".join(id_ + b"".join(series) for id_, series in (feeds.fed[n] for n in new))
        scales = {id_: (one.name, one.lowest, one.grouped) for id_, one in plan.scales.items()}
        return body, table.tobytes(), changes.tobytes(), told, b"".join(names), to_json(scales)

    # ticks

    async def tick(self, partition: int, token: Token, now: int) -> Outcome:
        """Fold in what is pending; what has left a window leaves its sum, the oldest of the index is forgotten."""
        windows = spans(self._windows, now)
        outcome: Outcome = Applied()
        step = CHANGES
        while step and outcome == Applied():
            try:
                outcome, step = await self._fold(partition, token, windows, now, step)
            except StoreCorrupt:
                # Was it read in parts of two states, of which one is gone or was replaced in between?
                if (outcome := await self.hold(partition, token)) == Applied():
                    raise
        return outcome

    async def _fold(
        self, partition: int, token: Token, windows: Sequence[Span], now: int, step: int
    ) -> tuple[Outcome, int]:
        """One step of so many changes, and how many the next one should take: as many as this one did, or none."""
        base, layout = self.base(partition), [window.name for window in windows]
        waiting = self._waits(partition)
        worth = WORTH if waiting.come and abs(now - waiting.since) < PATIENCE else 0
        looks = waiting.looks(worth)
        counts = Counts.of(await self._reader.read(base, self.position, windows, step if looks else 0))
        if counts.newest is not None and (counts.layout != layout or counts.ends(windows)):
            counts, looks = Counts.of(await self._reader.read(base, self.position, windows)), True
        feeds = await self._reader.feeds(base, counts.feeds)
        folded, taken, touched = await asyncio.to_thread(_folded, counts, feeds, windows, worth)
        if looks:
            waiting.left(sum(counts.entries[taken:]), 0 if taken else touched, now)
        added, cells = folded.added, {}
        if counts.layout != layout:  # a row of the sums holds all windows: all rows are written anew
            added.pop("sums", None)
            cells["sums"] = stacked([counts.laid_out(layout), folded.sums.part], columns(layout))
        held = await self._reader.cells(base, self.position, added) if added else []
        for (key, rows), there in zip(added.items(), held, strict=True):
            cells[key] = Rows(rows.ids, rows.counts + there)
        span = {**folded.begins, "newest": folded.newest, "windows": to_json(layout)}
        before = {**counts.begins, "newest": counts.newest, "windows": to_json(counts.layout)}
        ended = counts.begins.keys() - folded.begins.keys()
        plan: dict[str, object] = {
            **sweep(now - self._remember, 0 if self.recount else SWEEP),
            "span": dict(span.items() - before.items()),
            "ended": sorted(ended),
            "gone": folded.gone + [key for window in ended for key in counts.buckets(window)],
            "taken": taken,
        }
        if folded.newest < 0:  # nothing was counted yet, and no window begins before something is
            plan["span"] = {}
        outcome = await self._write(partition, token, cells, plan)
        more = taken and (taken < len(counts.entries) or sum(counts.entries) >= step)
        return outcome, sum(counts.entries[:taken]) if more else 0

    async def _write(
        self, partition: int, token: Token, cells: Mapping[str, Rows], plan: dict[str, object]
    ) -> Outcome:
        """Write what cells hold now. Raise StoreCorrupt where that cannot be."""
        full, empty, values, ids = [], [], [], []
        for key, rows in cells.items():
            if (rows.counts < 0).any():
                raise StoreCorrupt(f"{key} counts less than is taken out of it; {REBUILD}")
            holds = rows.counts.any(axis=(1, 2))
            table = np.empty(int(holds.sum()), [("id", ID), ("counts", COUNT, rows.counts.shape[1:])])
            table["id"], table["counts"] = rows.ids[holds], rows.counts[holds]
            full.append((key, table.dtype.itemsize - ID.itemsize, len(table)))
            values.append(table.tobytes())
            empty.append((key, int((~holds).sum())))
            ids.append(rows.ids[~holds].astype(ID).tobytes())
        body = to_json({**plan, "set": full, "unset": empty})
        reply = await self._run(
            "fold", partition, token, NO_POSITION, body, b"", "[]", b"".join(values), b"".join(ids)
        )
        return self._outcome(partition, reply)


class _Feeds:
    """A rule's feeds with their ids, worked out once for each, and which of them the states of partitions know."""

    def __init__(self, feeds: list[tuple[Series, ...]]) -> None:
        self.feeds = feeds
        self.ids = np.empty(0, ID)
        self.fed: list[tuple[bytes, list[bytes]]] = []  # an id, and those of the series
        self._surveys: dict[str, int] = {}  # numbered, in this order
        self._survey = np.empty(0, np.int64)  # the number of each feed's
        self._told: dict[int, tuple[int, set[int]]] = {}  # partition -> a position, and what is known there
        self._telling: dict[int, list[int]] = {}  # by the batch in flight

    def grow(self) -> None:
        if more := [feed_ids(fed) for fed in self.feeds[len(self.fed) :]]:
            surveys = [fed[0].survey for fed in self.feeds[len(self.fed) :]]
            numbers = [self._surveys.setdefault(survey, len(self._surveys)) for survey in surveys]
            self._survey = np.append(self._survey, numbers)
            self.fed += more
            self.ids = np.frombuffer(self.ids.tobytes() + b"".join(id_ for id_, _ in more), ID)

    def newest(self, feeds: list[int], minutes: NDArray[np.uint32]) -> dict[str, int]:
        """The newest minute of each survey's answers, which are of these feeds."""
        found = np.full(len(self._surveys), -1)
        np.maximum.at(found, self._survey[feeds], minutes)
        return {
            survey: minute for survey, minute in zip(self._surveys, found.tolist(), strict=True) if minute >= 0
        }

    def stand(self, partition: int, offset: int) -> None:
        """A state that stands elsewhere than we know may know others."""
        if partition in self._told and self._told[partition][0] != offset:
            del self._told[partition]

    def tell(self, partition: int, feeds: Iterable[int]) -> list[int]:
        """Those that the state has yet to be told, with the batch that has them."""
        _, told = self._told.get(partition, (0, set()))
        new = self._telling[partition] = sorted(set(feeds) - told)
        return new

    def told(self, partition: int, offset: int) -> None:
        """They are known to a state that stands there."""
        _, told = self._told.get(partition, (0, set()))
        told.update(self._telling[partition])
        self._told[partition] = offset, told

    def forget(self, partition: int) -> None:
        self._told.pop(partition, None)


@dataclass(slots=True)
class _Waiting:
    """Changes that ticks have left since an instant (ms), the series that these touch, and how many came since."""

    since: int
    changes: int = 0
    series: int = 0
    come: int = 0

    def looks(self, worth: int) -> bool:
        """Whether to look at what is pending: with what came it may touch more series, never fewer."""
        self.changes, self.come = self.changes + self.come, 0
        return self.changes >= min(CHANGES, worth * self.series)

    def left(self, changes: int, series: int, now: int) -> None:
        """Note what is left after a look; ``series`` is 0 where nobody knows."""
        if not (changes and series):
            self.since = now
        self.changes, self.series = changes, series


def _folded(counts: Counts, feeds: Sequence[Ids], windows: Sequence[Span], worth: int) -> tuple[Folded, int, int]:
    """As much of what is pending as is worth it and may be written at once, how many entries that is, and how many
    series all of them touch.
    """
    taken = len(counts.entries)
    touched = len(np.unique(np.concatenate([NO_IDS, *feeds])))
    if sum(counts.entries) < min(CHANGES, worth * touched):
        taken = 0
    folded = fold(counts, feeds, sum(counts.entries[:taken]), windows)
    while taken > 1 and folded.size > COUNTS:
        fewer = fold(counts, feeds, sum(counts.entries[: taken // 2]), windows)
        if fewer.size > SMALLER * folded.size:  # the end of a window's newest bucket is as large whatever is taken
            break
        taken, folded = taken // 2, fewer
    return folded, taken, touched
