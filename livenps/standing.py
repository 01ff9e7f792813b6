"""Where a lane's position stands in its log: a worker stops a partition rather than guess where to go on."""

from __future__ import annotations

from dataclasses import dataclass

from sinks.redis.live import Live
from streams.log_reader import LogReader


@dataclass(frozen=True, slots=True)
class Standing:
    """A position beside the log ``[first, end)``; ``other``: the record before it is none that was applied."""

    offset: int
    first: int
    end: int
    other: bool = False

    @property
    def fault(self) -> str:
        """Why no worker goes on from here, in the words of its log; empty where one does."""
        if not self.first <= self.offset <= self.end:
            return f"position {self.offset} lies outside the log [{self.first}, {self.end}]"
        if self.other:
            return f"the record before position {self.offset} is another one: a new topic?"
        return ""


async def standing(reader: LogReader, topic: str, partition: int, live: Live) -> Standing:
    first, end = await reader.bounds(topic, partition)
    other = False
    if live.timestamp and first < live.offset <= end:
        async for [record, *_] in reader.read(topic, partition, live.offset - 1, live.offset):
            other = record.timestamp != live.timestamp
    return Standing(live.offset, first, end, other)
