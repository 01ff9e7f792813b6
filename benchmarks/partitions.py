"""Partitions of the answers lane on a Redis of their own, filled without Kafka: what counting alone costs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields

from redis.asyncio import Redis

from scoring.scales import NPS
from scoring.segments import Dimensions
from scoring.windows import DEFAULT_WINDOWS
from sinks.redis.answers import AnswersStore
from streams.answers import CountAnswers
from streams.events import Response
from streams.store import Applied, Batch, Item, Token
from streams.times import SECOND
from tests.real.redis import Redis as Server

SURVEY = "post-purchase"
PREFIX = "bench"
BATCH = 10_000
OURS = {"cmdstat_evalsha", "cmdstat_info", "cmdstat_config|resetstat"}


@dataclass
class Cost:
    """CPU seconds, whatever else the machine does; ``longest`` is a script's time on the clock."""

    answers: int = 0
    decide: float = 0.0
    encode: float = 0.0
    fold: float = 0.0
    redis: float = 0.0
    commands: int = 0  # of the scripts
    longest: float = 0.0

    def __iadd__(self, other: Cost) -> Cost:
        for one in fields(self)[:-1]:
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        self.longest = max(self.longest, other.longest)
        return self


class Partitions:
    """``count`` partitions, of which each takes its turn with a batch."""

    def __init__(self, redis: Redis, count: int, dimensions: Dimensions | None = None) -> None:
        self.redis = redis
        self.now = int(time.time() * SECOND)
        self.store = AnswersStore(redis, PREFIX, DEFAULT_WINDOWS, clock=lambda: self.now)
        self._rule = CountAnswers({SURVEY: NPS}, dimensions or Dimensions())
        self._token = Token("benchmark", 1)
        self._next = [0] * count
        self._turn = 0

    async def open(self) -> Partitions:
        for partition in range(len(self._next)):
            await self.store.claim(partition, self._token)
            await self.store.begin(partition, self._token, 0, 0)
        return self

    async def fill(self, responses: Iterable[Response], size: int = BATCH) -> Cost:
        """Count all, in batches of ``size``."""
        total, lot = Cost(), []
        for response in responses:
            lot.append(response)
            if len(lot) == size:
                total += await self.count(lot)
                lot = []
        return total

    async def count(self, responses: Sequence[Response]) -> Cost:
        """Count one batch, and tick."""
        partition = self._turn
        self._turn = (partition + 1) % len(self._next)
        start = self._next[partition]
        items = [Item(response, start + n, self.now) for n, response in enumerate(responses)]
        batch = Batch(partition, start, start + len(items), self.now, items, [])

        begun = time.thread_time()
        plan = self._rule.decide(batch, None, self.now)
        decided = time.thread_time()
        self.store.encode(partition, plan)
        encoded = time.thread_time()
        await self.redis.config_resetstat()
        before = await self._cpu()
        if await self.store.commit(batch, self._token, plan) != Applied():
            raise RuntimeError("the batch was not applied")
        folding = await self._fold(partition)
        after = await self._cpu()
        self._next[partition] = batch.end
        stats = await self.redis.info("commandstats")
        commands = sum(one["calls"] for name, one in stats.items() if name not in OURS)
        longest = stats["cmdstat_evalsha"]["usec"] / 1e6
        cost = Cost(len(items), decided - begun, encoded - decided, folding, after - before, commands)
        cost.longest = longest
        return cost

    async def rest(self) -> Cost:
        """Fold in what ticks have left to wait for more."""
        before, folding = await self._cpu(), 0.0
        for partition in range(len(self._next)):
            folding += await self._fold(partition)
        return Cost(fold=folding, redis=await self._cpu() - before)

    async def _fold(self, partition: int) -> float:
        began = time.process_time()  # some of it is a thread's
        if await self.store.tick(partition, self._token, self.now) != Applied():
            raise RuntimeError("the partition was lost")
        return time.process_time() - began

    async def _cpu(self) -> float:
        """CPU seconds of the thread that runs scripts."""
        used = await self.redis.info("cpu")
        seconds: float = used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"]
        return seconds


@asynccontextmanager
async def partitions(count: int, dimensions: Dimensions | None = None) -> AsyncIterator[Partitions]:
    """Empty ones, on a Redis that runs as long as the block lasts."""
    with Server() as server:
        redis = Redis.from_url(server.url, socket_timeout=60)
        try:
            yield await Partitions(redis, count, dimensions).open()
        finally:
            await redis.aclose()
