"""The harness's side of Kafka: topics filled with answers, groups' positions, results read back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from benchmarks.input import Counts
from streams import topics
from streams.times import DAY
from streams.topics import RESPONSES, Topic

PARTITIONS = 4
TIMEOUT_S = 30.0
READ_S = 0.1


class Result(msgspec.Struct, frozen=True):
    """What a peer writes of one bucket of one series; the newest record of a key holds."""

    window: str
    bucket: int
    dimension: str
    value: str
    counts: list[int]


class Broker:
    """One Kafka as the harness uses it."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.port = int(bootstrap.rpartition(":")[2])
        # Without its log: what fails raises.
        self._client: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap, "log_level": 2}
        self._admin = AdminClient(self._client)
        self._reader = Consumer(self._client | {"group.id": "benchmark"})

    def fill(self, prefix: str, records: Iterable[tuple[str, bytes]], progress: Callable[[int], None]) -> str:
        """Make the topic of answers that livenps would make under this prefix, and write all records to it."""
        topic = responses(prefix)
        asyncio.run(topics.create(self.bootstrap, [topic]))
        failures: list[KafkaError] = []
        producer = Producer(
            {
                **self._client,
                "partitioner": "murmur2_random",  # as Java's and aiokafka's
                "enable.idempotence": True,
                "linger.ms": 50,
                "batch.size": 1 << 20,
                "queue.buffering.max.messages": 200_000,
            }
        )

        def delivered(error: KafkaError | None, _: object) -> None:
            if error is not None:
                failures.append(error)

        for number, (key, value) in enumerate(records, 1):
            while True:
                try:
                    producer.produce(topic.name, value, key, on_delivery=delivered)
                    break
                except BufferError:  # the queue is full
                    producer.poll(0.1)
            if number % 10_000 == 0:
                producer.poll(0)
                progress(number)
        producer.flush()
        if failures:
            raise KafkaException(failures[0])
        return topic.name

    def create(self, name: str) -> None:
        """A topic for one run's results."""
        asyncio.run(topics.create(self.bootstrap, [Topic("results", name, "", PARTITIONS, retention=DAY)]))

    def clean(self, run: str) -> None:
        """Delete all topics that a run has made."""
        found = [name for name in self._admin.list_topics(timeout=TIMEOUT_S).topics if run in name]
        for future in self._admin.delete_topics(found).values():
            future.result(TIMEOUT_S)

    def committed(self, group: str, topic: str) -> int:
        """The sum of a group's positions: everything below them is done for good."""
        wanted = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        request = [ConsumerGroupTopicPartitions(group, wanted)]
        try:
            found = self._admin.list_consumer_group_offsets(request)[group].result(TIMEOUT_S)
        except KafkaException:  # the group is being made
            return 0
        return sum(max(one.offset, 0) for one in found.topic_partitions)

    def written(self, topic: str) -> int:
        """How many records a topic has got so far; none where it is not there yet."""
        if topic not in self._admin.list_topics(timeout=TIMEOUT_S).topics:
            return 0
        partitions = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        bounds = [self._reader.get_watermark_offsets(partition, TIMEOUT_S) for partition in partitions]
        return sum(end for _, end in filter(None, bounds))

    def results(self, topic: str) -> Results:
        return Results(topic, self._client)


class Results:
    """What a peer has written so far, as one who reads only what is committed sees it."""

    def __init__(self, topic: str, client: dict[str, str | int | float | bool]) -> None:
        self._newest: dict[bytes | None, bytes | None] = {}
        self.written_at = 0  # ms, by the broker's clock
        reading: dict[str, str | int | float | bool] = {
            "group.id": "benchmark",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
        self._consumer = Consumer(client | reading)
        self._consumer.assign(
            [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)]
        )
        self._behind = set(range(PARTITIONS))

    def read(self) -> bool:
        """Read on; tell whether there was anything new."""
        found = False
        messages = self._consumer.consume(10_000, READ_S)
        while messages:
            for message in messages:
                error = message.error()
                if error is None:
                    found = True
                    self._newest[message.key()] = message.value()
                    self.written_at = max(self.written_at, message.timestamp()[1])
                elif error.code() == KafkaError._PARTITION_EOF:
                    self._behind.discard(message.partition() or 0)
                else:
                    raise KafkaException(error)
            messages = self._consumer.consume(10_000, READ_S if self._behind else 0)
        return found

    def counts(self) -> Counts:
        """What the newest results add up to, over all keys."""
        decode = msgspec.json.Decoder(Result).decode
        counts: Counts = {}
        for result in map(decode, filter(None, self._newest.values())):
            if any(result.counts):
                cell = (result.window, result.bucket, result.dimension, result.value)
                counts[cell] = [a + b for a, b in zip(counts.get(cell, [0] * 11), result.counts, strict=True)]
        return counts

    def close(self) -> None:
        self._consumer.close()


def responses(prefix: str) -> Topic:
    return topics.topics(prefix=prefix, partitions=PARTITIONS)[RESPONSES]
