"""The relay: publishes what batches returned, at least once, and trims it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Protocol

import structlog
from aiokafka.errors import KafkaError
from mode import Service

from streams.errors import LivenpsError
from streams.publisher import Message, Publisher
from streams.topics import DECISIONS

log = structlog.get_logger(__name__)


class Outbox(Protocol):
    """The part of a lane's store that the relay reads."""

    async def outbox(self, partition: int) -> Sequence[tuple[str, list[Message]]]: ...

    async def published(self, partition: int, entries: Sequence[str]) -> None: ...


class Relay(Service):
    """Drains the outboxes of the partitions that this worker owns, oldest first.

    A crash between publishing and trimming publishes again: ids are deterministic, so consumers can tell.
    Decisions go first: whoever takes over after a crash finds the decision where what follows from it is missing,
    and never the other way round.
    """

    def __init__(self, publisher: Publisher, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._publisher = publisher
        self._owned: set[tuple[Outbox, int]] = set()
        self._woken = asyncio.Event()
        self._publishing = asyncio.Lock()

    def own(self, outbox: Outbox, partition: int) -> None:
        self._owned.add((outbox, partition))
        self.wake()

    async def release(self, outbox: Outbox, partition: int) -> None:
        """Return once nothing of this outbox is on its way: the next owner's events are newer."""
        self._owned.discard((outbox, partition))
        async with self._publishing:
            pass

    def wake(self) -> None:
        self._woken.set()

    @Service.task
    async def _run(self) -> None:
        failures = 0
        while not self.should_stop:
            await self.wait(self._woken.wait(), timeout=1.0)
            self._woken.clear()
            try:
                for outbox, partition in list(self._owned):
                    await self._drain(outbox, partition)
                failures = 0
            except (LivenpsError, KafkaError) as error:
                if not error.retriable:
                    raise
                failures += 1
                seconds = min(10.0, 0.1 * 2**failures) * random.uniform(0.5, 1)  # noqa: S311 - jitter
                log.warning("returned events wait", seconds=round(seconds, 1), error=str(error))
                await self.sleep(seconds)

    async def _drain(self, outbox: Outbox, partition: int) -> None:
        while (outbox, partition) in self._owned:
            entries = await outbox.outbox(partition)
            if not entries:
                return
            async with self._publishing:
                if (outbox, partition) in self._owned:
                    messages = [message for _, messages in entries for message in messages]
                    await self._publisher.publish([one for one in messages if one[0] == DECISIONS])
                    await self._publisher.publish([one for one in messages if one[0] != DECISIONS])
                    await outbox.published(partition, [entry for entry, _ in entries])
