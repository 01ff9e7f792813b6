"""Sends answers straight to their Kafka topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from sources.errors import SendFailed
from sources.rows import Refusal
from sources.target import FIRST_PAUSE, TRIES, Entry, pause
from streams.errors import BrokerUnavailable, PublishRefused
from streams.publisher import Publisher
from streams.topics import RESPONSES, topics


class KafkaTopic:
    """Publishes batches to one topic, keyed by the answer's id."""

    def __init__(self, bootstrap: str, topic: str, *, first_pause: float = FIRST_PAUSE) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._first_pause = first_pause

    async def __aenter__(self) -> Self:
        await self._connect()
        try:
            await self._check_topic()
        except BaseException:
            await self._publisher.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._publisher.stop()

    async def send(self, entries: Sequence[Entry]) -> list[Refusal]:
        try:
            await self._publisher.publish([(RESPONSES, entry.response_id, entry.value) for entry in entries])
        except (BrokerUnavailable, PublishRefused) as error:
            raise SendFailed(f"{self._bootstrap}, topic {self._topic}: {error}") from error
        return []

    async def _connect(self) -> None:
        topic = replace(topics()[RESPONSES], name=self._topic)
        for tries in range(1, TRIES + 1):
            self._publisher = Publisher(self._bootstrap, {RESPONSES: topic})
            try:
                await self._publisher.start()
            except KafkaError as error:
                await self._publisher.stop()
                problem = str(error)
            else:
                return
            if tries < TRIES:
                await pause(tries, self._first_pause)
        raise SendFailed(f"no Kafka answers at {self._bootstrap}: {problem}")

    async def _check_topic(self) -> None:
        """A producer would wait for a missing topic, or have it created with a retention that forgets answers."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            await admin.start()
            known = await admin.list_topics()
        except KafkaError as error:
            raise SendFailed(f"Kafka at {self._bootstrap} does not list its topics: {error!r:.200}") from error
        finally:
            await admin.close()
        if self._topic not in known:
            raise SendFailed(
                f"Kafka at {self._bootstrap} has no topic {self._topic}: make it with livenps topics create"
            )
