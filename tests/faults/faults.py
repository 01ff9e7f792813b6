"""The faults, one implementation each: tests place them exactly, the soak mixes them at random.

Each gives back what it took away; what the workers make of it is for the caller to see.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha1
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import PolicyViolationError

from sinks.redis.answers import AnswersStore
from sinks.redis.client import script
from streams.topics import Topic, create, topics
from tests.faults.site import Site
from tests.real.livenps import Livenps
from tests.real.process import Process
from tests.real.proxy import Command, Matches
from tests.real.redis import Redis
from tests.real.wait import until

FULL = "1mb"  # less than an empty Redis takes


def runs(name: str) -> Matches:
    """Whether a command runs this script of the answers' state."""
    sha = sha1(script(*AnswersStore.parts, name).encode()).hexdigest().encode()
    tag = f"{{{AnswersStore.lane}".encode()

    def matches(command: Command) -> bool:
        return command[:2] == [b"EVALSHA", sha] and tag in command[3]

    return matches


def reads_outbox(command: Command) -> bool:
    """Whether a command reads returned events of the answers, to publish them."""
    return command[0] == b"XRANGE" and b"{a" in command[1]


async def killed(worker: Livenps) -> None:
    """A worker dies, and is started again."""
    worker.kill()
    worker.launch()


async def told_to_end(worker: Livenps) -> int:
    """A worker is told to end; its exit code."""
    worker.signal(signal.SIGTERM)
    return await asyncio.to_thread(worker.exit_code)


async def frozen(part: Process, seconds: float) -> None:
    """A process stands still for a while; its connections stay open."""
    part.pause()
    try:
        await asyncio.sleep(seconds)
    finally:
        part.resume()


@asynccontextmanager
async def slow(part: Process) -> AsyncIterator[None]:
    """A process stands still most of the time: whatever it is asked takes a while."""

    async def halting() -> None:
        while True:
            await frozen(part, 0.5)
            await asyncio.sleep(0.05)

    halts = asyncio.create_task(halting())
    try:
        yield
    finally:
        halts.cancel()
        await asyncio.gather(halts, return_exceptions=True)


async def away(part: Process, seconds: float = 0.0) -> None:
    """Kafka or Redis dies, and is started again after a while."""
    part.kill()
    await asyncio.sleep(seconds)
    await back(part)


async def back(part: Process) -> None:
    """Kafka or Redis is started."""
    part.launch()
    await until(part.answers, timeout=part.patience, message=f"{part.name} answers again")


async def end_lost(redis: Redis, size: int) -> None:
    """Redis dies, and comes back without the end of what it wrote since its log had this size."""
    redis.kill()
    redis.cut(size)
    await back(redis)


async def put_back(redis: Redis, copy: Path) -> None:
    """Redis dies, and a copy of its files takes their place."""
    redis.kill()
    redis.put_back(copy)
    await back(redis)


@asynccontextmanager
async def full(site: Site) -> AsyncIterator[None]:
    """Redis has no memory for more."""
    await site.redis.config_set("maxmemory", FULL)
    try:
        yield
    finally:
        await site.redis.config_set("maxmemory", "0")


async def damaged(site: Site, partition: int, key: str) -> None:
    """Somebody writes over a key of a partition."""
    await site.redis.set(f"{site.base(partition)}:{key}", "of another type")


async def removed(site: Site, partition: int) -> None:
    """An operator removes the state of a partition."""
    keys = [key async for key in site.redis.scan_iter(match=f"{site.base(partition)}:*", count=1_000)]
    await site.redis.delete(*keys)


@asynccontextmanager
async def refusing(site: Site, role: str) -> AsyncIterator[None]:
    """Kafka refuses all records of a topic: they are too large."""
    async with admin(site) as kafka:
        await _configure(kafka, site, role, {"max.message.bytes": "1"})
        try:
            yield
        finally:
            await _configure(kafka, site, role, {})


async def forgotten(site: Site, before: dict[int, int]) -> None:
    """Retention deletes the beginning of the log of some partitions."""
    async with admin(site) as kafka:
        # Kafka deletes nothing from a topic that is only compacted.
        await _configure(kafka, site, site.role, {"cleanup.policy": "compact,delete"})
        wanted = {TopicPartition(site.topic, number): RecordsToDelete(offset) for number, offset in before.items()}

        async def deleted() -> bool:
            try:
                await kafka.delete_records(wanted)
            except PolicyViolationError:  # the broker has not heard of the setting yet
                return False
            return True

        await until(deleted, message="the records are deleted")


async def recreated(site: Site) -> None:
    """Somebody deletes the topic, and creates it anew."""
    async with admin(site) as kafka:
        await kafka.delete_topics([site.topic])

        async def gone() -> bool:
            return site.topic not in await kafka.list_topics()

        await until(gone, timeout=30, message="the topic is deleted")
    await create(site.bootstrap, [_topic(site, site.role)])


@asynccontextmanager
async def admin(site: Site) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=site.bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def _configure(kafka: AIOKafkaAdminClient, site: Site, role: str, changes: Mapping[str, str]) -> None:
    """Set a topic's settings to the program's own, with changes."""
    topic = _topic(site, role)
    resource = ConfigResource(ConfigResourceType.TOPIC, topic.name, {**topic.settings, **changes})
    for reply in await kafka.alter_configs([resource]):
        assert not any(code for code, *_ in reply.resources), reply


def _topic(site: Site, role: str) -> Topic:
    return topics(prefix=site.namespace, partitions=site.partitions)[role]
