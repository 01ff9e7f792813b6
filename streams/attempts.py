"""What was attempted lately, from the log: Redis may forget that a survey was sent, and nobody is asked twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from streams.events import Attempt, Outcome, SurveyRequest
from streams.log_reader import LogReader
from streams.partitions import partition_of
from streams.times import DAY, SECOND, to_ms
from streams.topics import Topic

HORIZON = DAY  # an older request is not sent, so no older attempt has to be known


_Sending = tuple[str, str]  # request id and channel


class Attempts:
    """The newest attempt of each request and channel of the last day, of partitions that this worker delivers."""

    def __init__(self, bootstrap: str, topic: Topic, clock: Callable[[], float] = time.time) -> None:
        self._bootstrap, self._topic, self._clock = bootstrap, topic, clock
        self._read: set[int] = set()
        self._reading = asyncio.Lock()
        self._outcomes: dict[_Sending, tuple[int, Outcome]] = {}  # with the time, oldest first

    def forget(self) -> None:
        """Another worker may have delivered in between: read the log again."""
        self._read = set()

    async def outcome(self, request: SurveyRequest, *, anew: bool = False) -> Outcome | None:
        """The newest outcome of a request by its channel, None where it was not attempted. Raises KafkaError.

        ``anew`` reads the log once more: another worker may have written since.
        """
        partition = partition_of(request.customer_id, self._topic.partitions)
        async with self._reading:
            read = self._read  # another one, where the group changes meanwhile
            if anew or partition not in read:
                await self._load(partition)
                read.add(partition)
        _, outcome = self._outcomes.get((request.request_id, request.channel), (0, None))
        if outcome is None and any((request.request_id, one) in self._outcomes for one in request.fallback):
            return "failed"  # a compacted log has the newest attempt alone, by a channel that came after this one
        return outcome

    def next_at(self, request: SurveyRequest, now: int) -> int:
        """The time (ms) of what is written next: after all that is known, whatever the clock does meanwhile."""
        known_at, _ = self._outcomes.get((request.request_id, request.channel), (0, None))
        return max(now, known_at + 1)

    def add(self, attempt: Attempt) -> None:
        """Know an attempt, unless what followed it is known: the log is read while others are under delivery."""
        at, sending = to_ms(attempt.at), (attempt.request_id, attempt.channel)
        known_at, known = self._outcomes.get(sending, (0, None))
        if known and (known_at > at or (known_at == at and attempt.outcome == "attempted")):
            return
        self._outcomes.pop(sending, None)
        self._outcomes[sending] = at, attempt.outcome
        while (oldest := next(iter(self._outcomes))) and self._outcomes[oldest][0] < at - HORIZON:
            del self._outcomes[oldest]

    async def _load(self, partition: int) -> None:
        since = int(self._clock() * SECOND) - HORIZON
        async with LogReader(self._bootstrap) as reader:
            async for attempts in reader.events(self._topic.name, partition, Attempt, since):
                for attempt in attempts:
                    self.add(attempt)
