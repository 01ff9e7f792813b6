"""One channel's way through ``survey.requests``: a consumer group of its own, so that none waits for another.

A group passes over what is of other channels. Some requests of each gateway are in flight at a time, more are read
ahead, and they end in any order; what is committed is where all before is done. What is read again after a crash
is known by its lease and its attempts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError
from mode import Service
from msgspec import Struct

IN_FLIGHT = 16  # requests of one gateway and worker at a time: as many connections as a mail server grants easily
AHEAD = 1_000  # requests of a channel that are read, so many of one gateway may wait before the others do
RECORDS = 500  # of one poll
POLL_MS = 200
COMMIT_EVERY_S = 1.0
COMMIT_S = 2.0
STOP_S = 5.0

Handle = Callable[[bytes | None, int, int], Awaitable[None]]

log = structlog.get_logger(__name__)


class Progress:
    """How far a partition is done with, where records end in any order."""

    def __init__(self) -> None:
        self._open: dict[int, None] = {}  # offsets in flight, in their order
        self._next: int | None = None
        self.first: int | None = None  # where the first record stands, or will: for lag, and never committed

    def begin(self, offset: int) -> None:
        self._open[offset] = None
        self._next = offset + 1

    def end(self, offset: int) -> None:
        del self._open[offset]

    @property
    def position(self) -> int | None:
        """All that lies before it is done; None before the first record."""
        return next(iter(self._open), self._next)


class ChannelReader(Service, ConsumerRebalanceListener):  # type: ignore[misc]
    """Hands the requests whose channel is ``mine`` to ``handle``, which never fails for a reason that passes.

    A record that names no channel has the channel "". ``gateway`` names the server that takes a survey's requests,
    by the survey's id: none waits for another's. ``assigned`` is called when the group has shared out its
    partitions anew.
    """

    def __init__(
        self,
        channel: str,
        topic: str,
        consumer: Callable[[], AIOKafkaConsumer],
        mine: Callable[[str], bool],
        handle: Handle,
        assigned: Callable[[], None],
        gateway: Callable[[str], str],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channel = channel
        self._topic, self._new_consumer = topic, consumer
        self._mine, self._handle, self._assigned, self._gateway = mine, handle, assigned, gateway
        self._progress: dict[TopicPartition, Progress] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._room = asyncio.Semaphore(AHEAD)
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(IN_FLIGHT))
        self._in_flight: set[asyncio.Task[None]] = set()

    @property
    def lag(self) -> dict[int, int]:
        """Records that are not passed yet, by partition of this worker, as far as they are known."""
        found = {}
        for tp, progress in self._progress.items():
            end = self._consumer.highwater(tp)
            position = progress.first if progress.position is None else progress.position
            if end is not None and position is not None:
                found[tp.partition] = max(0, end - position)
        return found

    # life

    async def on_start(self) -> None:
        self._consumer = self._new_consumer()
        self._consumer.subscribe([self._topic], listener=self)

    async def on_stop(self) -> None:
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=STOP_S)
        for task in self._in_flight:
            task.cancel()
        await self._commit(list(self._progress))
        with contextlib.suppress(TimeoutError):  # it waits for a Kafka that is away
            async with asyncio.timeout(STOP_S):
                await self._consumer.stop()

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        # What is in flight goes on, under its lease; whoever reads it again waits for that.
        await self._commit(revoked)
        for tp in revoked:
            self._progress.pop(tp, None)
            self._committed.pop(tp, None)

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        self._progress = {tp: Progress() for tp in assigned}
        self._assigned()

    # the loop

    @Service.task
    async def _run(self) -> None:
        await self._consumer.start()  # returns with the first assignment: here, so that readers join side by side
        while not self.should_stop:
            found = await self._poll()
            for tp, records in found.items():
                if (progress := self._progress.get(tp)) and progress.first is None:
                    progress.first = records[0].offset
            for tp, records in found.items():
                if progress := self._progress.get(tp):
                    await self._begin(tp, progress, records)

    async def _begin(self, tp: TopicPartition, progress: Progress, records: list[Any]) -> None:
        for record in records:
            to = addressed(record.value)
            if mine := self._mine(to.channel):
                await self._room.acquire()
            if not self._ours(tp, progress):
                if mine:
                    self._room.release()
                return
            progress.begin(record.offset)
            if mine:
                slot = self._slots[self._gateway(to.survey_id)]
                task = asyncio.create_task(self._work(tp, progress, record, slot))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)
            else:
                progress.end(record.offset)

    def _ours(self, tp: TopicPartition, progress: Progress) -> bool:
        """Whether what was read is ours to begin, and not another worker's by now."""
        return self._progress.get(tp) is progress and not self.should_stop

    async def _work(self, tp: TopicPartition, progress: Progress, record: Any, slot: asyncio.Semaphore) -> None:
        try:
            async with slot:
                if not self._ours(tp, progress):
                    return
                await self._handle(record.value, record.partition, record.offset)
        except Exception as error:
            await self.crash(error)  # no position moves over it
        else:
            progress.end(record.offset)
        finally:
            self._room.release()

    async def _poll(self) -> Mapping[TopicPartition, list[Any]]:
        try:
            found: Mapping[TopicPartition, list[Any]] = await self._consumer.getmany(
                timeout_ms=POLL_MS, max_records=RECORDS
            )
        except ConsumerStoppedError:
            if not self.should_stop:
                raise
            return {}
        except KafkaError as error:
            if not error.retriable:
                raise
            log.warning("kafka does not answer, trying again", channel=self.channel, error=str(error))
            await asyncio.sleep(1)
            return {}
        return found

    @Service.task
    async def _commit_now_and_then(self) -> None:
        while not self.should_stop:
            await self.sleep(COMMIT_EVERY_S)
            await self._look()
            await self._commit(list(self._progress))

    async def _look(self) -> None:
        """A partition that waits for the others has its lag too."""
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(COMMIT_S):
                for tp, progress in [*self._progress.items()]:
                    if progress.first is None:
                        progress.first = await self._consumer.position(tp)

    async def _commit(self, partitions: list[TopicPartition]) -> None:
        """A commit that fails is left out: what is read again is not sent again."""
        reached = {tp: one.position for tp in partitions if (one := self._progress.get(tp))}
        offsets = {tp: at for tp, at in reached.items() if at is not None and at != self._committed.get(tp)}
        if offsets:
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(COMMIT_S):
                    await self._consumer.commit(offsets)
                    self._committed |= offsets


class Addressed(Struct):
    """Where a request goes: its channel, and its survey."""

    channel: str = ""
    survey_id: str = ""


_addressed = msgspec.json.Decoder(Addressed)


def addressed(value: bytes | None) -> Addressed:
    """Where a record goes; what says nothing of that, or is no request, has the channel ""."""
    try:
        return _addressed.decode(value or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Addressed()
