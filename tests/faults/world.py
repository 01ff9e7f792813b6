"""What faults happen to: a Kafka, a Redis behind a proxy, and the workers on them."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.faults.site import Site, serving, site
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.proxy import Proxy
from tests.real.redis import Redis

POLL_INTERVAL = 5.0
IMPATIENT = f"""
from aiokafka import AIOKafkaConsumer
AIOKafkaConsumer.__init__.__kwdefaults__["max_poll_interval_ms"] = {POLL_INTERVAL * 1_000:.0f}
from livenps.cli import main
raise SystemExit(main())
"""


class Impatient(Livenps):
    """The program over an aiokafka whose default for the longest time between polls is not five minutes."""

    def command(self) -> list[str]:
        command = super().command()
        module = command.index("-m")
        return [*command[:module], "-c", IMPATIENT, *command[module + 2 :]]


@dataclass
class World:
    """The parts of one test or soak."""

    kafka: Kafka
    redis: Redis
    proxy: Proxy
    site: Site
    workers: list[Livenps] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def worker(self, kind: type[Livenps] = Livenps) -> Livenps:
        """Start one more worker that scores, whose Redis is the proxy; it is not waited for."""
        kafka = {"bootstrap": self.kafka.bootstrap, "partitions": self.site.partitions}
        changes = {
            "kafka": {**kafka, "prefix": self.site.namespace},
            "redis": {"url": self.proxy.url, "prefix": self.site.namespace},
        }
        program = kind(changes, arguments=("--role", "score,export"))
        self.workers.append(program)
        program.launch()
        return program

    async def serving(self) -> None:
        """Wait until all workers are ready."""
        for program in self.workers:
            await serving(program)


@asynccontextmanager
async def world(kafka: Kafka, namespace: str) -> AsyncIterator[World]:
    """A Redis and workers of the test's own on a Kafka that runs."""
    with Redis() as redis, Proxy(redis.port) as proxy:
        async with site(kafka.bootstrap, redis.url, namespace) as here:
            made = World(kafka, redis, proxy, here)
            try:
                yield made
            finally:
                for program in made.workers:
                    program.close()
