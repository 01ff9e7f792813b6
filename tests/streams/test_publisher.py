"""The producer: keys decide the partition as Kafka's Java clients would, and what was said is written."""

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.partitioner import murmur2

from streams.errors import PublishRefused
from streams.publisher import Message, Publisher
from streams.topics import ATTEMPTS, CONTACTS, REQUESTS, TOUCHPOINTS
from tests.real import records
from tests.real.wait import until
from tests.streams.worker import Bench

CUSTOMERS = ["ann", "bob", "çelik", "дима", "李", "", "c" * 200]


@pytest.fixture
def publisher(bench: Bench) -> Publisher:
    return Publisher(bench.bootstrap, bench.topics)


async def partitions(bench: Bench, role: str) -> dict[str, int]:
    found = await records.read(bench.bootstrap, bench.topics[role].name)
    return {record.key.decode(): record.partition for record in found}


async def test_a_customer_has_the_same_partition_on_every_topic(bench: Bench, publisher: Publisher) -> None:
    async with publisher:
        for role in (TOUCHPOINTS, REQUESTS, CONTACTS):
            await publisher.publish([(role, customer, b"{}") for customer in CUSTOMERS])
    expected = {customer: (murmur2(customer.encode()) & 0x7FFFFFFF) % 2 for customer in CUSTOMERS}
    for role in (TOUCHPOINTS, REQUESTS, CONTACTS):
        assert await partitions(bench, role) == expected
    assert set(expected.values()) == {0, 1}


async def test_a_key_of_customer_and_survey_goes_to_the_customers_partition(
    bench: Bench, publisher: Publisher
) -> None:
    async with publisher:
        await publisher.publish([(REQUESTS, customer, b"{}") for customer in CUSTOMERS])
        for customer in CUSTOMERS:
            for survey in ("one", "two", "three"):
                await publisher.publish([(ATTEMPTS, f"{customer}\0{survey}", b"{}")], partition_key=customer)
    requests, attempts = await partitions(bench, REQUESTS), await partitions(bench, ATTEMPTS)
    assert len(attempts) == 3 * len(CUSTOMERS)
    assert all(requests[key.partition("\0")[0]] == partition for key, partition in attempts.items())


async def test_what_was_acknowledged_is_on_the_topic(bench: Bench, publisher: Publisher) -> None:
    async with publisher:
        await publisher.publish([(TOUCHPOINTS, "c1", f"{n}".encode()) for n in range(1_000)])
        found = await records.read(bench.bootstrap, bench.topics[TOUCHPOINTS].name)
    assert [record.value for record in found] == [f"{n}".encode() for n in range(1_000)]


async def test_nothing_is_published_for_nothing(bench: Bench, publisher: Publisher) -> None:
    async with publisher:
        await publisher.publish([])


async def test_what_kafka_refuses_is_an_error_of_our_own(bench: Bench, publisher: Publisher) -> None:
    async with publisher:
        with pytest.raises(PublishRefused, match="MessageSizeTooLarge"):
            await publisher.publish([(TOUCHPOINTS, "c1", b"x" * (2 << 20))])
        await publisher.publish([(TOUCHPOINTS, "c1", b"{}")])  # and the next goes through
    assert len(await records.read(bench.bootstrap, bench.topics[TOUCHPOINTS].name)) == 1


async def test_a_topic_that_has_refused_takes_what_comes_after(bench: Bench, publisher: Publisher) -> None:
    """Brokers count the batches of a producer: the one that was refused would be missed for ever."""
    one = [(TOUCHPOINTS, "c1", b"x" * 500)]
    async with publisher:
        await publisher.publish(one)
        await limit(bench, 100)
        await until(lambda: refused(publisher, one), message="Kafka refuses")
        await limit(bench, 1 << 20)

        async def taken() -> bool:
            return not await refused(publisher, one)

        await until(taken, message="Kafka takes it again")
        await publisher.publish(one)


async def limit(bench: Bench, size: int) -> None:
    """Set how large the touchpoints' batches may be."""
    topic = bench.topics[TOUCHPOINTS]
    kafka = AIOKafkaAdminClient(bootstrap_servers=bench.bootstrap)
    await kafka.start()
    try:
        settings = {**topic.settings, "max.message.bytes": str(size)}
        await kafka.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, settings)])
    finally:
        await kafka.close()


async def refused(publisher: Publisher, messages: list[Message]) -> bool:
    try:
        await publisher.publish(messages)
    except PublishRefused:
        return True
    return False
