"""The one producer of the program: idempotent, acknowledged by all replicas in sync."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError
from mode import Service

from streams.errors import BrokerUnavailable, PublishRefused
from streams.partitions import partition_of
from streams.topics import Topic

STOP_S = 5.0


class Publisher(Service):
    """Publishes events to topics by their role; the configuration names the topics."""

    def __init__(self, bootstrap: str, topics: Mapping[str, Topic], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._bootstrap = bootstrap
        self._topics = topics

    async def on_start(self) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            linger_ms=2,
            max_request_size=2 << 20,
        )
        await self._producer.start()

    async def on_stop(self) -> None:
        # It waits for what is on its way, for ever where Kafka is away; nobody was told that this is written.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._producer.stop()

    async def publish(
        self, messages: Iterable[tuple[str, str, str | bytes]], partition_key: str | None = None
    ) -> None:
        """Return once Kafka has acknowledged every ``(role, key, value)``.

        ``partition_key`` takes the place of the keys where a partition is shared by more than one key.
        Raises BrokerUnavailable or PublishRefused; some of the messages may have been written then.
        """
        try:
            sends = [
                await self._producer.send(
                    self._topics[role].name,
                    value if isinstance(value, bytes) else value.encode(),
                    key=key.encode(),
                    partition=None if partition_key is None else self._partition(role, partition_key),
                )
                for role, key, value in messages
            ]
            await asyncio.gather(*sends)
        except KafkaError as error:
            if error.retriable or isinstance(error, KafkaTimeoutError):
                raise BrokerUnavailable(f"Kafka does not take events: {error!r}") from error
            raise PublishRefused(f"Kafka refuses events: {error!r}") from error

    def _partition(self, role: str, key: str) -> int:
        return partition_of(key, self._topics[role].partitions)
