"""The relay: publishes what batches returned, at least once, and trims it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import structlog
from aiokafka.errors import KafkaError
from mode import Service

from streams.errors import LivenpsError
from streams.publisher import Message, Publisher
from streams.store import OUTBOX_CHUNK
from streams.topics import DECISIONS

MAX_WAIT_S = 10.0

log = structlog.get_logger(__name__)


class Outbox(Protocol):
    """The part of a lane's store that the relay reads."""

    async def outbox(self, partition: int) -> Sequence[tuple[str, list[Message]]]: ...

    async def published(self, partition: int, entries: Sequence[str]) -> None: ...


class _Wait(NamedTuple):
    failures: int
    until: float


_NO_WAIT = _Wait(0, 0.0)


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
        self._waits: dict[tuple[Outbox, int], _Wait] = {}
        self._woken = asyncio.Event()
        self._publishing = asyncio.Lock()

    def own(self, outbox: Outbox, partition: int) -> None:
        self._owned.add((outbox, partition))
        self.wake()

    async def release(self, outbox: Outbox, partition: int) -> None:
        """Return once nothing of this outbox is on its way: what follows is newer, or knows of it by the log."""
        self._owned.discard((outbox, partition))
        self._waits.pop((outbox, partition), None)
        async with self._publishing:
            pass

    def wake(self) -> None:
        self._woken.set()

    @Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            await self.wait(self._woken.wait(), timeout=1.0)
            self._woken.clear()
            for owned in list(self._owned):
                if time.monotonic() >= self._waits.get(owned, _NO_WAIT).until:
                    await self._try(owned)

    async def _try(self, owned: tuple[Outbox, int]) -> None:
        """Drain one outbox. A failure of any kind is tried again: its events are nowhere else."""
        try:
            await self._drain(*owned)
        except (LivenpsError, KafkaError) as error:
            failures = self._waits.get(owned, _NO_WAIT).failures + 1
            seconds = min(MAX_WAIT_S, 0.1 * 2**failures) * random.uniform(0.5, 1)  # noqa: S311 - jitter
            self._waits[owned] = _Wait(failures, time.monotonic() + seconds)
            tell = log.warning if error.retriable else log.error
            tell("returned events wait", partition=owned[1], seconds=round(seconds, 1), error=str(error))
        else:
            self._waits.pop(owned, None)

    async def _drain(self, outbox: Outbox, partition: int) -> None:
        while (outbox, partition) in self._owned:
            async with (
                self._publishing
            ):  # from the reading on: what was read of a state that is lost is on its way too
                entries = await outbox.outbox(partition)
                if not entries:
                    return
                messages = [message for _, messages in entries for message in messages]
                await self._publisher.publish([one for one in messages if one[0] == DECISIONS])
                await self._publisher.publish([one for one in messages if one[0] != DECISIONS])
                await outbox.published(partition, [entry for entry, _ in entries])
            if len(entries) < OUTBOX_CHUNK:  # whoever adds another one wakes the relay
                return
