"""The one producer of the program: idempotent, acknowledged by all replicas in sync."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, ProducerClosed
from mode import Service

from streams.errors import BrokerUnavailable, PublishRefused
from streams.partitions import partition_of, partitions_of
from streams.topics import Topic

STOP_S = 5.0
MANY = 32  # messages from which on the batches are made here
BATCH_BYTES = 512 * 1024

Message = tuple[str, str, bytes]  # the topic's role, key, value


class Publisher(Service):
    """Publishes events to topics by their role; the configuration names the topics."""

    def __init__(self, bootstrap: str, topics: Mapping[str, Topic], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._bootstrap = bootstrap
        self._topics = topics
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()

    async def on_start(self) -> None:
        self._producer = await self._new_producer()

    async def _new_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            linger_ms=2,
            max_batch_size=BATCH_BYTES,
            max_request_size=2 << 20,
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer

    async def on_stop(self) -> None:
        if self._producer is not None:  # one whose start failed is stopped too
            await self._stop(self._producer)

    async def _stop(self, producer: AIOKafkaProducer) -> None:
        # It waits for what is on its way, for ever where Kafka is away; nobody was told that this is written.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await producer.stop()

    async def _renew(self, producer: AIOKafkaProducer) -> None:
        """Go on with another producer. Brokers count batches: one that was refused would be missed for ever."""
        async with self._renewing:
            if self._producer is producer:
                self._producer = await self._new_producer()
                self.add_future(self._stop(producer))

    async def publish(self, messages: Sequence[Message], partition_key: str | None = None) -> None:
        """Return once Kafka has acknowledged every message; those of one key stay in their order.

        ``partition_key`` takes the place of the keys where a partition is shared by more than one key.
        Raises BrokerUnavailable or PublishRefused; some of the messages may have been written then.
        """
        if (producer := self._producer) is None:
            raise BrokerUnavailable("the producer has not been started")
        try:
            send = self._send_each if len(messages) < MANY else self._send_batches
            await send(producer, messages, partition_key)
        except KafkaError as error:
            if error.retriable or isinstance(error, KafkaTimeoutError | ProducerClosed):
                raise BrokerUnavailable(f"Kafka does not take events: {error!r}") from error
            with contextlib.suppress(KafkaError):  # whoever is refused next tries again
                await self._renew(producer)
            raise PublishRefused(f"Kafka refuses events: {error!r}") from error

    async def _send_each(
        self, producer: AIOKafkaProducer, messages: Sequence[Message], partition_key: str | None
    ) -> None:
        sends = []
        for role, key, value in messages:
            topic, partitions = await self._topic(producer, role)
            partition = partition_of(key if partition_key is None else partition_key, partitions)
            sends.append(await producer.send(topic, value, key=key.encode(), partition=partition))
        await asyncio.gather(*sends)

    async def _send_batches(
        self, producer: AIOKafkaProducer, messages: Sequence[Message], partition_key: str | None
    ) -> None:
        """The producer's own way costs a dozen microseconds a message: as much as it takes to decide on one."""
        roles: dict[str, list[Message]] = {}
        for message in messages:
            roles.setdefault(message[0], []).append(message)
        batches = []
        for role, of_role in roles.items():
            keys = [key if partition_key is None else partition_key for _, key, _ in of_role]
            topic, partitions = await self._topic(producer, role)
            logs: list[list[Message]] = [[] for _ in range(partitions)]
            for message, partition in zip(of_role, partitions_of(keys, partitions).tolist(), strict=True):
                logs[partition].append(message)
            batches += [(topic, partition, log) for partition, log in enumerate(logs) if log]
        await asyncio.gather(*(self._send_in_order(producer, *batch) for batch in batches))

    async def _topic(self, producer: AIOKafkaProducer, role: str) -> tuple[str, int]:
        """A topic's name, and how many partitions it has."""
        name = self._topics[role].name
        return name, len(await producer.partitions_for(name))

    async def _send_in_order(
        self, producer: AIOKafkaProducer, topic: str, partition: int, messages: Sequence[Message]
    ) -> None:
        sends = []
        batch = producer.create_batch()
        for _, key, value in messages:
            if batch.append(timestamp=None, key=key.encode(), value=value) is None:  # full
                sends.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(timestamp=None, key=key.encode(), value=value)
        batch.close()
        sends.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sends)
