"""How far the logs reach, for lag: asked of Kafka itself, so that it is true while no worker runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from mode import Service

TIMEOUT_S = 2.0

log = structlog.get_logger(__name__)


class LogEnds(Service):
    """Knows the end offsets of topics."""

    def __init__(self, bootstrap: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._bootstrap = bootstrap

    async def on_start(self) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        await self._consumer.start()

    async def on_stop(self) -> None:
        await self._consumer.stop()

    async def bounds(self, topic: str, partitions: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Partition -> (first offset, end offset); nothing where Kafka does not answer in time."""
        wanted = [TopicPartition(topic, partition) for partition in partitions]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                first, end = await asyncio.gather(
                    self._consumer.beginning_offsets(wanted), self._consumer.end_offsets(wanted)
                )
        except (TimeoutError, KafkaError) as error:
            log.warning("lag is not known", topic=topic, error=repr(error))
            return {}
        return {tp.partition: (first[tp], end[tp]) for tp in wanted}
