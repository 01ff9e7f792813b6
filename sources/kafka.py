"""Sends answers straight to their Kafka topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from aiokafka.errors import KafkaError

from sources.errors import SendFailed
from sources.rows import Refusal
from sources.target import FIRST_PAUSE, TRIES, Entry, pause
from streams.publisher import Publisher
from streams.topics import RESPONSES, topics


class KafkaTopic:
    """Publishes batches to one topic, keyed by the answer's id."""

    def __init__(self, bootstrap: str, topic: str, *, first_pause: float = FIRST_PAUSE) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._first_pause = first_pause

    async def __aenter__(self) -> Self:
        for tries in range(1, TRIES + 1):
            self._publisher = self._new_publisher()
            try:
                await self._publisher.start()
            except KafkaError as error:
                await self._publisher.stop()
                problem = str(error)
            else:
                return self
            if tries < TRIES:
                await pause(tries, self._first_pause)
        raise SendFailed(f"no Kafka answers at {self._bootstrap}: {problem}")

    async def __aexit__(self, *_: object) -> None:
        await self._publisher.stop()

    async def send(self, entries: Sequence[Entry]) -> list[Refusal]:
        try:
            await self._publisher.publish((RESPONSES, entry.response_id, entry.value) for entry in entries)
        except KafkaError as error:
            raise SendFailed(
                f"Kafka at {self._bootstrap} does not take answers for {self._topic}: {error!r:.200}"
            ) from error
        return []

    def _new_publisher(self) -> Publisher:
        return Publisher(self._bootstrap, {RESPONSES: replace(topics()[RESPONSES], name=self._topic)})
