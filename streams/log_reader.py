"""Reads a partition's log from one offset to another, outside any group: for recounts and recoveries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.codec import Codec
from streams.errors import BadRecord
from streams.events import Event

CHUNK = 5_000

E = TypeVar("E", bound=Event)

log = structlog.get_logger(__name__)


class LogReader:
    """An async context manager around one consumer."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=4 << 20,
            fetch_max_wait_ms=50,  # bounds are asked behind a fetch that is open
            isolation_level="read_committed",
        )

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
        except BaseException:  # a claim may be given up while it connects
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """The first offset and the end of a log."""
        tp = TopicPartition(topic, partition)
        first = await self._consumer.beginning_offsets([tp])
        end = await self._consumer.end_offsets([tp])
        return first[tp], end[tp]

    async def since(self, topic: str, partition: int, timestamp: int) -> int:
        """The first offset of records from ``timestamp`` (ms) on, or the end of the log."""
        tp = TopicPartition(topic, partition)
        found = (await self._consumer.offsets_for_times({tp: timestamp}))[tp]
        return found.offset if found else (await self.bounds(topic, partition))[1]

    async def read(self, topic: str, partition: int, start: int, end: int) -> AsyncIterator[list[Any]]:
        """Records ``[start, end)`` in chunks; compaction may have left gaps, at the end too."""
        tp = TopicPartition(topic, partition)
        self._consumer.assign([tp])
        _, log_end = await self.bounds(topic, partition)
        end = min(end, log_end)
        self._consumer.seek(tp, start)
        while await self._consumer.position(tp) < end:
            fetched = await self._consumer.getmany(tp, timeout_ms=500, max_records=CHUNK)
            chunk = [record for record in fetched.get(tp, []) if record.offset < end]
            if chunk:
                yield chunk

    async def events(
        self, topic: str, partition: int, kind: type[E], since: int | None = None
    ) -> AsyncIterator[list[E]]:
        """The events of one kind up to the log's end, in chunks; from ``since`` (ms) on, or from the log's start.

        What cannot be read as one is none of ours, and passed over.
        """
        codec = Codec([kind])
        first, end = await self.bounds(topic, partition)
        start = first if since is None else await self.since(topic, partition, max(since, 0))
        async for records in self.read(topic, partition, start, end):
            found: list[E] = []
            for record in records:
                try:
                    found.append(codec.decode(record.value, record.headers))  # type: ignore[arg-type]
                except BadRecord as bad:
                    log.warning("not ours, passed over", topic=topic, offset=record.offset, error=str(bad))
            yield found
