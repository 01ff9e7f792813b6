"""Reads the log of answers as the lane does, outside of it: for recounts, which change nothing but themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from streams.answers import AnswersPlan, CountAnswers
from streams.decoder import Decoder
from streams.log_reader import LogReader
from streams.store import Batch
from streams.topics import Topic


class AnswersLog:
    """By the same rule and decoder. What the lane set aside or forwarded when it read it is left out."""

    def __init__(self, reader: LogReader, topic: Topic, rule: CountAnswers, clock: Callable[[], int]) -> None:
        self._reader, self._topic, self._rule, self._clock = reader, topic, rule, clock
        self._decoder = Decoder(rule, topic)

    async def plans(self, partition: int, start: int, end: int) -> AsyncIterator[tuple[Batch, AnswersPlan]]:
        """Batches that together are ``[start, end)``, and what to count of each."""
        at = start
        async for records in self._reader.read(self._topic.name, partition, start, end):
            batch = self._decoder.batch(partition, self._topic.partitions, at, records, self._clock())
            yield batch, self._rule.decide(batch, None, self._clock())
            at = batch.end
        if at < end:  # with what compaction or a transaction has left of the log's end: nothing
            batch = Batch(partition, at, end, 0, [], [])
            yield batch, self._rule.decide(batch, None, self._clock())
