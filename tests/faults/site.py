"""One program over real parts, a feed into its topics, and what it says compared with what the topics hold."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from aiokafka import ConsumerRecord
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from sinks.redis.client import ask, connect
from streams.store import StoreCorrupt, StoreUnavailable
from tests.faults.answers import SURVEY, WINDOWS, Groups, Recount, Segment
from tests.real import records
from tests.real.livenps import Livenps
from tests.real.wait import until

CHUNK = 125
RATE = 1_500  # records a second that a feed writes at most: a few batches a second for each partition
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
            return sum((await self.positions()).values())
        except StoreUnavailable:
            return -1

    async def positions(self) -> dict[int, int]:
        """Where the lane stands in each partition; 0 where the state does not say."""
        return {number: await self._position(number) for number in range(self.partitions)}

    async def _position(self, partition: int) -> int:
        try:
            return int(await ask(self.redis.hget(self.base(partition) + ":lane", "off")) or 0)
        except StoreCorrupt:
            return 0

    def base(self, partition: int) -> str:
        """What all keys of a partition begin with."""
        return f"{self.namespace}:{{{self.lane}{partition}}}"

    async def reached(self, count: int) -> None:
        """Wait until so many records are processed."""

        async def there() -> bool:
            return await self.position() >= count

        await until(there, timeout=RESTART, message=f"{count} records are processed")

    async def feed(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Write records at a steady rate, or as fast as they are processed."""
        async with records.producer(self.bootstrap) as producer:
            for start in range(0, len(pairs), CHUNK):
                if start > AHEAD:
                    await self.reached(start - AHEAD)
                await records.send(producer, self.topic, pairs[start : start + CHUNK])
                await asyncio.sleep(CHUNK / RATE)

    async def caught_up(self, *partitions: int) -> None:
        """Wait until these partitions, or all, are processed to the end of their logs."""
        ends = await records.ends(self.bootstrap, self.topic)

        async def there() -> bool:
            positions = await self.positions()
            return all(positions[number] >= ends[number] for number in partitions or ends)

        await until(there, timeout=RESTART, message=f"the end of {partitions or 'all partitions'} is processed")

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

        async def waiting() -> dict[str, int]:
            lengths = {key: await self.redis.xlen(key) for key in streams}
            return {key: length for key, length in lengths.items() if length}

        async def published() -> bool:
            return not await waiting()

        try:
            await until(published, timeout=RESTART, message="the outboxes are empty")
        except AssertionError as error:
            raise AssertionError(f"{error}: {await waiting()}") from error

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


async def nothing_lost(site: Site, program: Livenps, log: Sequence[ConsumerRecord] | None = None) -> None:
    """Compare everything with a recount of the topic, or of the records given: no difference is allowed."""
    found = await differences(site, program, log)
    assert not found, "\n".join(found)


async def differences(site: Site, program: Livenps, log: Sequence[ConsumerRecord] | None = None) -> list[str]:
    """What differs from a recount of the log, in every window, segment and counter, and in the returned events."""
    recount = Recount(await records.read(site.bootstrap, site.topic) if log is None else log)
    await site.empty("a")
    found = []
    async with client(program) as web:
        await until(lambda: _recovered(web), timeout=RESTART, message="everything is counted again")
        # Readings are shared for a moment, and the last one may be of before the last batch.
        since = time.time()
        await until(lambda: _read_since(web, since), timeout=RESTART, message="the scores are read anew")
        for window in [*WINDOWS, "all"]:
            now, scores = await _scores(web, window)
            found += _unequal(window, scores, recount.groups(window, now))
        firsts = {
            labels["group"]: n
            for labels, n in await samples(web, "nps_responses_total")
            if labels["survey"] == SURVEY
        }
    found += _unequal("first answers", {group: n for group, n in firsts.items() if n}, dict(recount.first))
    letters = {(one["partition"], one["offset"]): 1 for one in await site.read("dead-letters")}
    found += _unequal("dead letters", letters, dict.fromkeys(recount.poison, 1))
    steps = _steps(await site.read("score.increments"))
    for place in recount.aged - steps.keys():
        del recount.steps[place]
    found += _unequal("steps", steps, recount.steps)
    answered = {one["event_id"].removeprefix("answered:"): 1 for one in await site.read("touchpoints")}
    return found + _unequal("answered", answered, dict.fromkeys(recount.customers, 1))


def _steps(increments: Sequence[dict[str, Any]]) -> dict[tuple[int, int], int]:
    """The scores that whoever reads the steps of the survey as a whole takes, by partition and offset."""
    taken: dict[tuple[int, int], int] = {}
    last: dict[int, int] = {}
    for one in increments:
        assert one["survey_id"] == SURVEY
        partition = int(one["source"].rpartition(":")[2])
        for score, offset in zip(one["scores"], one["offsets"], strict=True):
            if offset > last.get(partition, -1):
                taken[partition, offset] = score
                last[partition] = offset
    return taken


def _unequal(what: str, found: dict[Any, Any], expected: dict[Any, Any]) -> list[str]:
    return [
        f"{what}: {key}: found {found.get(key)}, expected {expected.get(key)}"
        for key in sorted(found.keys() | expected.keys())
        if found.get(key) != expected.get(key)
    ]


def client(program: Livenps) -> httpx.AsyncClient:
    """A client of the program's own address, which no proxy of the surroundings gets between."""
    return httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=30)


async def samples(web: httpx.AsyncClient, name: str) -> list[tuple[dict[str, str], float]]:
    """The labels and values of one metric."""
    text = (await web.get("/metrics")).raise_for_status().text
    families = text_string_to_metric_families(text)
    return [(one.labels, one.value) for family in families for one in family.samples if one.name == name]


async def _recovered(web: httpx.AsyncClient) -> bool:
    return not any(value for _, value in await samples(web, "livenps_recovering"))


async def _read_since(web: httpx.AsyncClient, since: float) -> bool:
    reply = await web.get("/v1/scores")
    return reply.is_success and datetime.fromisoformat(reply.json()["as_of"]).timestamp() >= since


async def stopped(program: Livenps, partitions: set[int]) -> None:
    """Wait until readiness names exactly these partitions of the answers as stopped, and the metrics show them."""

    async def named() -> bool:
        ready = (await web.get("/readyz")).json()["checks"]["lane answers"]
        return set(map(int, re.findall(r"partition (\d+):", ready))) == partitions

    async def shown() -> bool:
        marked = [labels for labels, value in await samples(web, "livenps_partition_stopped") if value]
        return {
            int(labels["partition"]) for labels in marked if labels["topic"] == "survey.responses"
        } == partitions

    async with client(program) as web:
        await until(lambda: _reached(named), timeout=RESTART, message=f"readiness names {partitions} as stopped")
        await until(shown, message=f"the metrics show {partitions} as stopped")


async def _reached(condition: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await condition()
    except httpx.TransportError:  # it starts
        return False


async def _scores(web: httpx.AsyncClient, window: str) -> tuple[int, dict[Segment, Groups]]:
    reply = (await web.get("/v1/scores", params={"survey": SURVEY, "window": window})).raise_for_status().json()
    found = {("", ""): _groups(reply)}
    for dimension, values in reply["segments"].items():
        found |= {(dimension, value): _groups(one) for value, one in values.items()}
    now = round(datetime.fromisoformat(reply["as_of"]).timestamp() * 1_000)
    return now, {segment: groups for segment, groups in found.items() if any(groups)}


def _groups(reply: dict[str, Any]) -> Groups:
    promoters, passives, detractors = reply["groups"].values()
    assert reply["n"] == promoters + passives + detractors
    return promoters, passives, detractors
