"""A worker with the answers lane alone, in this process, over real Kafka and Redis."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from mode import Service
from redis.asyncio import Redis

from livenps.program import consumer, now
from scoring.board import Board
from scoring.segments import Dimension, Dimensions
from scoring.windows import DEFAULT_WINDOWS
from sinks.redis.answers import AnswersStore
from sinks.redis.board import BoardReader
from sinks.redis.client import connect
from streams.answers import AnswersPlan, CountAnswers
from streams.events import Event
from streams.lane import Lane
from streams.outbox import Relay
from streams.publisher import Publisher
from streams.topics import RESPONSES, TOUCHPOINTS, Topic, create, topics
from tests.make import SURVEYS
from tests.real import records
from tests.real.wait import until

SURVEY = "nps"
DIMENSIONS = Dimensions((Dimension("plan"),))


@dataclass
class Bench:
    """One test's topics on the shared Kafka, and its keys in the shared Redis."""

    bootstrap: str
    redis_url: str
    namespace: str
    topics: Mapping[str, Topic]
    redis: Redis

    @classmethod
    async def open(cls, bootstrap: str, redis_url: str, namespace: str, partitions: int = 2) -> Self:
        wanted = topics(prefix=namespace, partitions=partitions)
        await create(bootstrap, wanted.values())
        return cls(bootstrap, redis_url, namespace, wanted, connect(redis_url))

    @property
    def responses(self) -> str:
        return self.topics[RESPONSES].name

    @property
    def group(self) -> str:
        return f"{self.namespace}answers"

    def base(self, partition: int = 0) -> str:
        return f"{self.namespace}:{{a{partition}}}"

    def worker(self) -> "Worker":
        return Worker(self)

    async def write(self, *values: bytes | Event | None, partition: int = 0) -> None:
        await records.write(self.bootstrap, self.responses, *values, partition=partition)

    async def answered(self) -> list[str]:
        """The response ids whose first acceptance was returned to the customer lane, in the order of the log."""
        found = await records.read(self.bootstrap, self.topics[TOUCHPOINTS].name)
        return [record.value.decode().partition('"answered:')[2].partition('"')[0] for record in found]

    async def position(self, partition: int = 0) -> int:
        return int(await self.redis.hget(f"{self.base(partition)}:lane", "off") or 0)

    async def board(self) -> Board:
        return await BoardReader(self.redis, self.namespace, DEFAULT_WINDOWS, 4, now).board()

    async def histogram(self) -> Sequence[int]:
        """All answers by score."""
        found = (await self.board()).windows["all"]
        totals = [counts for series, counts in found.items() if not series.dimension]
        return list(totals[0]) if totals else [0] * 11

    async def caught_up(self, partitions: Sequence[int] | None = None, *, timeout: float = 40) -> None:  # noqa: ASYNC109
        """Wait until the state stands at the end of the log."""
        ends = await records.ends(self.bootstrap, self.responses)
        wanted = ends if partitions is None else {partition: ends[partition] for partition in partitions}

        async def there() -> bool:
            return all([await self.position(partition) >= end for partition, end in wanted.items()])

        await until(there, timeout=timeout, message=f"the positions are {wanted}")


class Worker:
    """Starts and stops as the program does: the lane last and first."""

    def __init__(self, bench: Bench) -> None:
        self.publisher = Publisher(bench.bootstrap, bench.topics)
        self.relay = Relay(self.publisher)
        self.store = AnswersStore(bench.redis, bench.namespace, DEFAULT_WINDOWS, now)
        self.lane: Lane[None, AnswersPlan] = Lane(
            name="answers",
            topic=bench.topics[RESPONSES],
            consumer=lambda: consumer(bench.bootstrap, bench.group),
            rule=CountAnswers(SURVEYS, DIMENSIONS),
            store=self.store,
            relay=self.relay,
            worker=uuid.uuid4().hex,
            tick=self.store.tick,
        )
        self._services: list[Service] = [self.publisher, self.relay, self.lane]

    async def __aenter__(self) -> Self:
        for service in self._services:
            await service.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        crashed = [service.crash_reason for service in self._services if service.crashed]
        assert not crashed

    async def stop(self) -> None:
        for service in reversed(self._services):
            await service.stop()
