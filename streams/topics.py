"""The topics: what each is keyed by, how long it keeps, and whether the cluster's differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from streams.errors import TopicMismatch
from streams.times import DAY

TOUCHPOINTS = "touchpoints"
REQUESTS = "survey.requests"
ATTEMPTS = "survey.attempts"
DECISIONS = "survey.decisions"
RESPONSES = "survey.responses"
CONTACTS = "contacts"
INCENTIVES = "incentives"
INCREMENTS = "score.increments"
BASELINES = "baselines"
FOLLOWUPS = "followups"
ALERTS = "alerts"
DEAD_LETTERS = "dead-letters"

FOREVER = -1  # ms, as Kafka writes it


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. ``retention`` in ms; a compacted topic keeps the newest version of every key for ever."""

    role: str
    name: str
    key: str
    partitions: int
    replication: int = 1
    retention: int | None = None  # None: compacted; FOREVER: nothing is ever dropped

    @property
    def settings(self) -> dict[str, str]:
        # The log's own clock: a producer's could keep an answer in every window, or have it deleted at once.
        clock = {"message.timestamp.type": "LogAppendTime"}
        if self.retention is None:
            return {"cleanup.policy": "compact", "max.compaction.lag.ms": str(7 * DAY), **clock}
        return {"cleanup.policy": "delete", "retention.ms": str(int(self.retention)), **clock}


_DESIGN: tuple[tuple[str, str, int | None], ...] = (
    (TOUCHPOINTS, "customer_id", 30 * DAY),
    (REQUESTS, "customer_id", 90 * DAY),
    (ATTEMPTS, "customer_id + survey_id, partitioned by customer_id", None),
    (DECISIONS, "customer_id", 30 * DAY),
    (RESPONSES, "response_id", None),
    (CONTACTS, "customer_id", None),
    (INCENTIVES, "customer_id", FOREVER),
    (INCREMENTS, "series", 7 * DAY),
    (BASELINES, "series", None),
    (FOLLOWUPS, "response_id", 90 * DAY),
    (ALERTS, "alert_id", 90 * DAY),
    (DEAD_LETTERS, "topic and partition", 90 * DAY),
)
ROLES = tuple(role for role, _, _ in _DESIGN)


def topics(
    *, prefix: str = "", partitions: int = 4, replication: int = 1, retention: Mapping[str, int] | None = None
) -> dict[str, Topic]:
    """Role -> topic. Topics that share a key share the partition count, so that a customer has one partition."""
    kept = retention or {}
    return {
        role: Topic(
            role=role,
            name=prefix + role,
            key=key,
            partitions=partitions,
            replication=replication,
            retention=default if default in (None, FOREVER) else kept.get(role, default),
        )
        for role, key, default in _DESIGN
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which the cluster differs from the configuration."""

    topic: str
    what: str
    wanted: str
    found: str

    @property
    def fatal(self) -> bool:
        """Whether lanes would be wrong with it: a changed partition count moves keys."""
        return self.what in ("topic", "partitions")

    def __str__(self) -> str:
        return f"{self.topic}: {self.what}: expected {self.wanted}, found {self.found}"


async def create(bootstrap: str, wanted: Iterable[Topic]) -> list[str]:
    """Create what is missing, and return the names. What exists is left as it is."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in wanted if topic.name not in existing]
        if missing:
            response = await admin.create_topics(
                [NewTopic(t.name, t.partitions, t.replication, topic_configs=t.settings) for t in missing]
            )
            _raise_on_errors(response)
        return [topic.name for topic in missing]
    finally:
        await admin.close()


async def check(bootstrap: str, wanted: Iterable[Topic]) -> list[Difference]:
    """What differs between the configuration and the cluster."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        expected = list(wanted)
        existing = set(await admin.list_topics())
        found = [Difference(t.name, "topic", "a topic", "none") for t in expected if t.name not in existing]
        present = [topic for topic in expected if topic.name in existing]
        if present:
            partitions = await _partitions(admin, present)
            settings = await _settings(admin, present)
            for topic in present:
                found += _differences(topic, partitions[topic.name], settings.get(topic.name, {}))
        return found
    finally:
        await admin.close()


def refuse_fatal(differences: Iterable[Difference]) -> None:
    """Raise TopicMismatch where the program would be wrong on this cluster."""
    fatal = [str(difference) for difference in differences if difference.fatal]
    if fatal:
        raise TopicMismatch("; ".join(fatal))


def _differences(topic: Topic, partitions: int, settings: Mapping[str, str]) -> list[Difference]:
    found = []
    if partitions != topic.partitions:
        found.append(Difference(topic.name, "partitions", str(topic.partitions), str(partitions)))
    for name, wanted in topic.settings.items():
        if (actual := settings.get(name)) != wanted:
            found.append(Difference(topic.name, name, wanted, str(actual)))
    return found


async def _partitions(admin: AIOKafkaAdminClient, present: list[Topic]) -> dict[str, int]:
    described = await admin.describe_topics([topic.name for topic in present])
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


async def _settings(admin: AIOKafkaAdminClient, present: list[Topic]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in present]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for _, _, _, name, entries in response.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _raise_on_errors(response: object) -> None:
    for name, code, *rest in response.topic_errors:  # type: ignore[attr-defined]
        if code and code != TopicAlreadyExistsError.errno:  # another worker was faster
            message = rest[0] if rest else ""
            raise for_code(code)(f"{name}: {message}")
