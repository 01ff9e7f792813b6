"""Records on real topics, written and read without the program's own producer and lanes."""

from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from streams.events import Event, encode

PATIENCE_MS = 20_000


async def write(bootstrap: str, topic: str, *values: bytes | Event | None, partition: int = 0) -> None:
    """Append to one partition, in order."""
    async with producer(bootstrap) as writer:
        for value in values:
            plain = encode(value) if isinstance(value, Event) else value
            await writer.send(topic, plain, key=b"key", partition=partition)
        await writer.flush()


async def write_all(
    bootstrap: str, topic: str, pairs: Iterable[tuple[str, bytes]], partition: int | None = None
) -> None:
    """Append values under their keys, each to its key's partition, or all to one."""
    async with producer(bootstrap) as writer:
        await send(writer, topic, pairs, partition)


async def send(
    writer: AIOKafkaProducer, topic: str, pairs: Iterable[tuple[str, bytes]], partition: int | None = None
) -> None:
    """The same by a producer that goes on after it; returns when Kafka has them."""
    for key, value in pairs:
        await writer.send(topic, value, key=key.encode(), partition=partition)
    await writer.flush()


async def read(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    """All records of a topic as it ends now, partition by partition, in the order of the log."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    async with consumer:
        partitions = [TopicPartition(topic, number) for number in await _partitions(consumer, topic)]
        ends = await consumer.end_offsets(partitions)
        first = await consumer.beginning_offsets(partitions)
        consumer.assign(partitions)
        for tp in partitions:
            consumer.seek(tp, first[tp])
        found: dict[TopicPartition, list[ConsumerRecord]] = {tp: [] for tp in partitions}
        while open_ := [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
            for tp, records in (await consumer.getmany(*open_, timeout_ms=PATIENCE_MS)).items():
                found[tp] += [record for record in records if record.offset < ends[tp]]
    return [record for tp in partitions for record in found[tp]]


async def ends(bootstrap: str, topic: str) -> dict[int, int]:
    """The end offset of every partition."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False) as consumer:
        numbers = await _partitions(consumer, topic)
        found = await consumer.end_offsets([TopicPartition(topic, number) for number in numbers])
    return {tp.partition: offset for tp, offset in found.items()}


def producer(bootstrap: str) -> AIOKafkaProducer:
    """One that loses and repeats nothing while its broker is away."""
    return AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=2)


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    await consumer._client._wait_on_metadata(topic)  # a consumer without a subscription knows no topics
    return sorted(consumer.partitions_for_topic(topic) or ())
