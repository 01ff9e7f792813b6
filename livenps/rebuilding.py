"""Rebuilds the answers' state from the log beside the live one, while workers go on, and switches to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from livenps.program import now
from livenps.settings import Config
from livenps.standing import Standing
from scoring.recount import Difference, differences
from sinks.redis.answers import AnswersStore
from sinks.redis.board import BoardReader
from sinks.redis.client import Client
from sinks.redis.live import Live, live, patiently
from sinks.redis.rebuild import RebuildStore
from streams.answers import AnswersPlan, CountAnswers
from streams.answers_log import AnswersLog
from streams.errors import LivenpsError
from streams.log_reader import LogReader
from streams.store import Applied, Batch, Behind, Fenced, Outcome, Repeated, StoreCorrupt, Token
from streams.topics import RESPONSES

CLOSE = 100_000  # records that are applied in a moment
FOLD = 20  # batches, after which they are folded in: it is paid per cell, however many answers a cell counts
TRIES = 3  # to switch between two batches of the live lane, before it is held

Advance = Callable[[int, int, int], None]  # told of position, end, and answers applied since the last call


class RebuildFailed(LivenpsError):
    """A rebuild that was given up; the live state is as it was."""


@dataclass(slots=True)
class Rebuilt:
    """What became of one partition."""

    partition: int
    position: int = 0
    records: int = 0
    answers: int = 0
    misplaced: int = 0  # records that stand on a partition their key does not belong to
    seconds: float = 0.0
    series: int = 0  # series in windows that were compared
    differences: list[Difference] = field(default_factory=list)  # counted: rebuilt, stored: live


class Rebuilder:
    """One rebuild after the other. All of them are this owner's, whom another one's would fence."""

    def __init__(self, config: Config, redis: Client, reader: LogReader) -> None:
        topic, prefix, windows = config.topics()[RESPONSES], config.redis.prefix, config.rolling_windows()
        rule = CountAnswers(config.scales(), config.scored_dimensions())
        self._log = AnswersLog(reader, topic, rule, now)
        self._redis = redis
        self._lane = AnswersStore(redis, prefix, windows, now)
        self._store = RebuildStore(redis, prefix, windows, now)
        self._board = BoardReader(redis, prefix, windows, topic.partitions, now)
        self._token = Token(uuid4().hex, 0)

    async def rebuild(self, partition: int, standing: Standing, *, adopt: bool, advance: Advance) -> Rebuilt:
        """Rebuild one partition and ``adopt`` the result, or only compare it.

        Where no worker goes on from the live position, the log is taken as it is now, and the position with it.
        """
        began = time.monotonic()
        build = await self._store.start(partition, self._token, standing.first)
        if isinstance(build, Fenced):
            raise RebuildFailed(f"partition {partition}: another rebuild is at work on it")
        fill = _Fill(self._log, self._store, self._token, partition, build, standing.first, advance)
        try:
            await self._store.clear(partition)
            if standing.fault:
                await self._jump(fill, standing.end, adopt=adopt)
            else:
                await self._catch_up(fill, adopt=adopt)
        finally:
            await self._store.drop(partition, self._token)
            await self._store.clear(partition)
        fill.result.seconds = time.monotonic() - began
        return fill.result

    async def _catch_up(self, fill: _Fill, *, adopt: bool) -> None:
        """Read the log until both stand at the same position, and switch."""
        tries = 0
        while True:
            live = await self._live(fill.partition)
            behind = live.offset - fill.position
            if behind < 0:
                raise RebuildFailed(f"partition {fill.partition}: the live position went back to {live.offset}")
            await fill.to(live.offset)
            if behind > CLOSE and tries == 0:
                continue
            tries += 1
            await self._compare(fill.result)
            if await self._switched(fill, live, adopt=adopt, hold=tries >= TRIES):
                return

    async def _jump(self, fill: _Fill, end: int, *, adopt: bool) -> None:
        """Read the log as it is now, and have the live lane go on from its end."""
        await fill.to(end)
        while True:
            if adopt:
                await self._own(fill.partition)
            live = await self._live(fill.partition)
            await self._compare(fill.result)
            if await self._switched(fill, live, adopt=adopt, jump=True):
                return

    async def _switched(
        self, fill: _Fill, live: Live, *, adopt: bool, jump: bool = False, hold: bool = False
    ) -> bool:
        outcome = await self._store.switch(
            fill.partition, self._token, fill.build, live.seq, adopt=adopt, jump=jump, hold=hold
        )
        if isinstance(outcome, Behind):
            return False
        fill.check(outcome)
        return True

    async def _own(self, partition: int) -> None:
        """A worker that has stopped lets its lease run out."""
        token = Token(self._token.owner, -1)  # any worker's claim comes before this one
        claimed = await patiently(
            self._redis, f"{self._lane.base(partition)}:lane", lambda: self._lane.claim(partition, token)
        )
        if isinstance(claimed, Fenced):
            raise RebuildFailed(f"partition {partition}: a worker is at work on it")

    async def _live(self, partition: int) -> Live:
        found = await live(self._redis, self._store.base(partition))
        if found is None:
            raise RebuildFailed(f"partition {partition}: the live state is gone; a worker counts it from the log")
        return found

    async def _compare(self, result: Rebuilt) -> None:
        at = now()
        rebuilt = await self._board.partition(result.partition, at, "rebuild")
        try:
            stored = (await self._board.partition(result.partition, at)).windows
        except StoreCorrupt:  # a key of the live state is of another type, which may be why it is rebuilt
            stored = {window: {} for window in rebuilt.windows}
        result.series = sum(len({*rebuilt.windows[name], *stored[name]}) for name in stored)
        result.differences = differences(rebuilt.windows, stored)


class _Fill:
    """Applies the log to one partition's new build. While Redis applies a batch, the next one is decoded."""

    def __init__(
        self,
        log: AnswersLog,
        store: RebuildStore,
        token: Token,
        partition: int,
        build: str,
        first: int,
        advance: Advance,
    ) -> None:
        self.partition, self.build, self.position = partition, build, first
        self.result = Rebuilt(partition, position=first)
        self._log, self._store, self._token, self._advance = log, store, token, advance

    async def to(self, end: int) -> None:
        applying: asyncio.Task[Outcome] | None = None
        batches = 0
        try:
            async for batch, plan in self._log.plans(self.partition, self.position, end):
                if applying:
                    self.check(await applying)
                batches += 1
                if batches % FOLD == 0:
                    self.check(await self._store.tick(self.partition, self._token, now()))
                applying = asyncio.ensure_future(self._store.commit(batch, self._token, plan))
                await asyncio.sleep(0)  # it is on its way before the next one is decoded
                self._count(batch, plan, end)
            if applying:
                self.check(await applying)
        finally:
            if applying and not applying.done():
                await asyncio.wait([applying])  # lest it fills what was given up

    def check(self, outcome: Outcome) -> None:
        match outcome:
            case Applied() | Repeated():
                return
            case Fenced():
                why = "another rebuild has taken it over"
            case _:
                why = "Redis has lost what was rebuilt so far"
        raise RebuildFailed(f"partition {self.partition}: {why}; rebuild it again")

    def _count(self, batch: Batch, plan: AnswersPlan, end: int) -> None:
        self.position = self.result.position = batch.end
        self.result.records += len(batch.records)
        self.result.misplaced += len(batch.misplaced)
        self.result.answers += len(plan.answers)
        self._advance(batch.end, end, len(plan.answers))
