"""Topics on a real broker: made as designed, compared with what is there, and never changed behind one's back."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.errors import TopicMismatch
from streams.times import DAY, HOUR
from streams.topics import (
    ATTEMPTS,
    CONTACTS,
    RESPONSES,
    ROLES,
    TOUCHPOINTS,
    Difference,
    Topic,
    check,
    create,
    refuse_fatal,
    topics,
)
from tests.real.kafka import Kafka
from tests.real.wait import until


@pytest.fixture
def wanted(namespace: str) -> dict[str, Topic]:
    return topics(prefix=namespace, partitions=3, retention={TOUCHPOINTS: HOUR})


async def made(kafka: Kafka, wanted: Iterable[Topic]) -> list[str]:
    """Create, and wait until the broker tells of what its controller has made."""
    wanted = list(wanted)
    created = await create(kafka.bootstrap, wanted)

    async def told() -> bool:
        return not any(one.what == "topic" for one in await check(kafka.bootstrap, wanted))

    await until(told, message="the topics are there")
    return created


async def test_what_was_created_does_not_differ(kafka: Kafka, wanted: dict[str, Topic]) -> None:
    assert await made(kafka, wanted.values()) == [topic.name for topic in wanted.values()]
    assert await check(kafka.bootstrap, wanted.values()) == []


async def test_topics_are_created_once(kafka: Kafka, wanted: dict[str, Topic]) -> None:
    await made(kafka, wanted.values())
    assert await made(kafka, wanted.values()) == []


async def test_only_what_is_missing_is_created(kafka: Kafka, wanted: dict[str, Topic]) -> None:
    await made(kafka, [wanted[TOUCHPOINTS]])
    created = await made(kafka, wanted.values())
    assert created == [topic.name for role, topic in wanted.items() if role != TOUCHPOINTS]


async def test_workers_that_create_at_once_do_not_disturb_each_other(
    kafka: Kafka, wanted: dict[str, Topic]
) -> None:
    await asyncio.gather(*(made(kafka, wanted.values()) for _ in range(3)))
    assert await check(kafka.bootstrap, wanted.values()) == []


async def test_a_missing_topic_is_a_fatal_difference(kafka: Kafka, wanted: dict[str, Topic]) -> None:
    await made(kafka, [topic for role, topic in wanted.items() if role != CONTACTS])
    (difference,) = await check(kafka.bootstrap, wanted.values())
    assert str(difference) == f"{wanted[CONTACTS].name}: topic: expected a topic, found none"
    assert difference.fatal


async def test_on_an_empty_cluster_every_topic_is_missing(kafka: Kafka, wanted: dict[str, Topic]) -> None:
    assert [difference.what for difference in await check(kafka.bootstrap, wanted.values())] == ["topic"] * len(
        ROLES
    )


async def test_another_partition_count_is_refused_and_left(kafka: Kafka, wanted: dict[str, Topic]) -> None:
    await made(kafka, wanted.values())
    grown = [replace(topic, partitions=6) for topic in wanted.values()]
    assert await create(kafka.bootstrap, grown) == []
    differences = await check(kafka.bootstrap, grown)
    assert {(one.what, one.wanted, one.found) for one in differences} == {("partitions", "6", "3")}
    with pytest.raises(TopicMismatch, match=r"touchpoints: partitions: expected 6, found 3; "):
        refuse_fatal(differences)


async def test_other_settings_are_told_and_not_refused(kafka: Kafka, wanted: dict[str, Topic]) -> None:
    await made(kafka, wanted.values())
    longer = replace(wanted[TOUCHPOINTS], retention=2 * DAY)
    deleted = replace(wanted[RESPONSES], retention=DAY)
    differences = await check(kafka.bootstrap, [longer, deleted, wanted[ATTEMPTS]])
    assert [str(one) for one in differences] == [
        f"{longer.name}: retention.ms: expected 172800000, found 3600000",
        f"{deleted.name}: cleanup.policy: expected delete, found compact",
        f"{deleted.name}: retention.ms: expected 86400000, found 604800000",
    ]
    refuse_fatal(differences)


async def test_a_topic_of_somebody_elses_making(kafka: Kafka, wanted: dict[str, Topic]) -> None:
    theirs = NewTopic(wanted[RESPONSES].name, 1, 1, topic_configs={"cleanup.policy": "compact,delete"})
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([theirs])
    finally:
        await admin.close()
    await made(kafka, [wanted[RESPONSES]])
    differences = await check(kafka.bootstrap, [wanted[RESPONSES]])
    assert [(one.what, one.found, one.fatal) for one in differences][:2] == [
        ("partitions", "1", True),
        ("cleanup.policy", "compact,delete", False),
    ]


async def test_what_the_broker_refuses_is_an_error_with_its_reason(kafka: Kafka, namespace: str) -> None:
    many = Topic(TOUCHPOINTS, namespace + TOUCHPOINTS, "customer_id", 1, replication=3, retention=DAY)
    with pytest.raises(Exception, match=rf"(?s){namespace}{TOUCHPOINTS}: .*[Rr]eplication"):
        await create(kafka.bootstrap, [many])


def test_the_topics_of_the_design() -> None:
    found = topics(prefix="x.", partitions=5, replication=2)
    assert list(found) == list(ROLES)
    assert {topic.name for topic in found.values()} == {f"x.{role}" for role in ROLES}
    assert {(topic.partitions, topic.replication) for topic in found.values()} == {(5, 2)}
    compacted = {role for role, topic in found.items() if topic.settings["cleanup.policy"] == "compact"}
    assert {ATTEMPTS, RESPONSES, CONTACTS} <= compacted
    assert TOUCHPOINTS not in compacted


def test_a_compacted_topics_old_versions_live_for_a_bounded_time() -> None:
    assert topics()[RESPONSES].settings["max.compaction.lag.ms"] == str(7 * DAY)


def test_retention_is_configured_by_role() -> None:
    found = topics(retention={TOUCHPOINTS: HOUR, RESPONSES: HOUR})
    assert found[TOUCHPOINTS].settings["retention.ms"] == str(HOUR)
    assert "retention.ms" not in found[RESPONSES].settings  # compacted: answers are kept for ever


def test_which_differences_are_fatal() -> None:
    assert Difference("t", "partitions", "4", "3").fatal
    assert not Difference("t", "retention.ms", "4", "3").fatal
    refuse_fatal([])
