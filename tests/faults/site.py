"""One program over real parts, a feed into its topics, and what it says compared with what the topics hold."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from redis.asyncio import Redis

from sinks.redis.client import ask, connect
from streams.store import StoreUnavailable
from tests.faults.answers import SURVEY, WINDOWS, Groups, Recount, Segment
from tests.real import records
from tests.real.livenps import Livenps
from tests.real.wait import until

CHUNK = 250
AHEAD = 3_000  # records that a feed is in front of the program at most, so that faults hit a program at work
RESTART = 90.0  # a killed worker is in its group until its session is over; some requests take 40 s to be given up


@dataclass
class Site:
    """The names of one test on the shared parts."""

    bootstrap: str
    namespace: str
    redis: Redis
    lane: str = "a"
    role: str = "survey.responses"
    partitions: int = 4

    @property
    def topic(self) -> str:
        return self.namespace + self.role

    async def position(self) -> int:
        """How many records the lane has processed, over all partitions; -1 while Redis is away."""
        try:
            found = [await ask(self.redis.hget(self._key(number), "off")) for number in range(self.partitions)]
        except StoreUnavailable:
            return -1
        return sum(int(offset or 0) for offset in found)

    def _key(self, partition: int) -> str:
        return f"{self.namespace}:{{{self.lane}{partition}}}:lane"

    async def reached(self, count: int) -> None:
        """Wait until so many records are processed."""

        async def there() -> bool:
            return await self.position() >= count

        await until(there, timeout=RESTART, message=f"{count} records are processed")

    async def feed(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Write records, a little faster than they are processed."""
        async with records.producer(self.bootstrap) as producer:
            for start in range(0, len(pairs), CHUNK):
                if start > AHEAD:
                    await self.reached(start - AHEAD)
                for key, value in pairs[start : start + CHUNK]:
                    await producer.send(self.topic, value, key=key.encode())
                await producer.flush()

    @asynccontextmanager
    async def feeding(self, pairs: Sequence[tuple[str, bytes]]) -> AsyncIterator[None]:
        """Write beside what the test does, and wait until the last record is processed."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.feed(pairs))
            yield
        await self.reached(len(pairs))

    async def empty(self, *lanes: str) -> None:
        """Wait until every returned event is published."""
        streams = [f"{self.namespace}:{{{lane}{n}}}:out" for lane in lanes for n in range(self.partitions)]

        async def published() -> bool:
            return not any([await self.redis.xlen(key) for key in streams])

        await until(published, timeout=RESTART, message="the outboxes are empty")

    async def read(self, role: str) -> list[Any]:
        """The values of a topic, each partition in its order."""
        found = await records.read(self.bootstrap, self.namespace + role)
        return [json.loads(record.value) for record in found]


@asynccontextmanager
async def site(bootstrap: str, redis_url: str, namespace: str, **lane: str) -> AsyncIterator[Site]:
    redis = connect(redis_url)
    try:
        yield Site(bootstrap, namespace, redis, **lane)  # type: ignore[arg-type]
    finally:
        await redis.aclose()


async def serving(program: Livenps) -> None:
    """Wait until the program is ready."""
    await until(program.answers, timeout=RESTART, every=0.2, message="the program is ready")


async def nothing_lost(site: Site, program: Livenps) -> None:
    """Compare every window, segment and counter with a recount of the topic: no difference is allowed."""
    log = await records.read(site.bootstrap, site.topic)
    recount = Recount(log)
    await site.empty("a")
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=30) as client:
        for window in [*WINDOWS, "all"]:
            now, found = await _scores(client, window)
            assert found == recount.groups(window, now), window
        metrics = (await client.get("/metrics")).text
    for group, count in recount.first.items():
        assert f'nps_responses_total{{group="{group}",survey="{SURVEY}"}} {count:.1f}' in _sorted(metrics)
    letters = {(one["partition"], one["offset"]) for one in await site.read("dead-letters")}
    assert letters == recount.poison
    answered = {one["event_id"].removeprefix("answered:") for one in await site.read("touchpoints")}
    assert answered == recount.customers


async def _scores(client: httpx.AsyncClient, window: str) -> tuple[int, dict[Segment, Groups]]:
    reply = (await client.get("/v1/scores", params={"survey": SURVEY, "window": window})).raise_for_status().json()
    found = {("", ""): _groups(reply)}
    for dimension, values in reply["segments"].items():
        found |= {(dimension, value): _groups(one) for value, one in values.items()}
    now = round(datetime.fromisoformat(reply["as_of"]).timestamp() * 1_000)
    return now, {segment: groups for segment, groups in found.items() if any(groups)}


def _groups(reply: dict[str, Any]) -> Groups:
    assert reply["n"] == reply["promoters"] + reply["passives"] + reply["detractors"]
    return reply["promoters"], reply["passives"], reply["detractors"]


def _sorted(metrics: str) -> set[str]:
    """The samples with their labels in the order of the alphabet."""
    samples = set()
    for line in metrics.splitlines():
        name, brace, rest = line.partition("{")
        labels, _, value = rest.partition("} ")
        samples.add(f"{name}{{{','.join(sorted(labels.split(',')))}}} {value}" if brace else line)
    return samples
