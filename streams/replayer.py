"""Reads the dead letters' topic, and puts records back on the topics that they came from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer

from streams.codec import Codec
from streams.dead_letters import Entry, Letters, Place, Record, Report, id_of
from streams.errors import BadRecord
from streams.events import DeadLetter, Replayed, encode
from streams.letters import letter_id
from streams.log_reader import LogReader
from streams.times import from_ms
from streams.topics import Topic

AGAIN = "look whether it arrived; replay it by its id and --again"


@dataclass(slots=True)
class Log:
    """What the topic held when it was read, up to the end of each partition."""

    letters: Letters
    ends: list[int]
    unreadable: int = 0


async def read(
    reader: LogReader,
    topic: Topic,
    bounds: Sequence[tuple[int, int]],
    letters: Letters,
    advance: Callable[[int], None],
) -> Log:
    """Take all of the topic into ``letters``; ``advance`` is told of every record."""
    log = Log(letters, [end for _, end in bounds])
    for partition, (first, end) in enumerate(bounds):
        if first == end:
            continue  # there is nothing to wait for
        async for records in reader.read(topic.name, partition, first, end):
            for record in records:
                try:
                    letters.add(Place(partition, record.offset), _decode(record))
                except (BadRecord, ValueError, OverflowError):
                    log.unreadable += 1
            advance(len(records))
    return log


async def fetch(
    reader: LogReader, topic: Topic, entries: Iterable[Entry]
) -> AsyncIterator[tuple[int, list[DeadLetter]]]:
    """The letters themselves, in the order of the log: of one partition at a time, as many as were fetched."""
    wanted: dict[int, set[int]] = {}
    for entry in entries:
        wanted.setdefault(entry.place.partition, set()).add(entry.place.offset)
    for partition, offsets in sorted(wanted.items()):
        async for records in reader.read(topic.name, partition, min(offsets), max(offsets) + 1):
            events = [_decode(record) for record in records if record.offset in offsets]
            letters = [event for event in events if isinstance(event, DeadLetter)]
            if letters:
                yield partition, letters


class Replayer:
    """Puts records back, and writes to the dead letters' topic before that it will and after that it has.

    A crash in between leaves a visible "interrupted" that is not replayed again unasked. Of two that replay at
    once the log decides: a letter is theirs whose word comes first behind what both had read.
    """

    def __init__(self, bootstrap: str, topic: Topic, log: Log, clock: Callable[[], int]) -> None:
        self._reader = LogReader(bootstrap)
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", linger_ms=2, max_request_size=2 << 20
        )
        self._topic, self._letters, self._clock = topic, log.letters, clock
        self._read_to = list(log.ends)
        self._first: dict[str, int] = {}  # letter -> offset of the first word of its replay since the log was read

    async def __aenter__(self) -> Self:
        await self._reader.__aenter__()
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.stop()
        await self._reader.__aexit__(kind, error, trace)

    async def replay(self, partition: int, letters: Sequence[DeadLetter], report: Report) -> None:
        """Replay letters of one partition of the dead letters' topic, in their order, and report on each."""
        claimed = await self._claim(partition, [id_of(letter) for letter in letters])
        mine = [letter for letter in letters if id_of(letter) in claimed]
        results = await self._send([self._letters.record(letter) for letter in mine])
        done = []
        for letter, result in zip(mine, results, strict=True):
            if isinstance(result, BaseException):
                report.failed[id_of(letter)] = f"Kafka did not confirm it ({result!r}); {AGAIN}"
            else:
                done.append(Replayed(letter=id_of(letter), at=from_ms(self._clock()), offset=result))
                report.replayed[id_of(letter)] = letter_id(letter.topic, letter.partition, result)
        for letter in letters:
            if id_of(letter) not in claimed:
                report.failed[id_of(letter)] = "it is being replayed by somebody else"
        await self._note(partition, done)

    async def _claim(self, partition: int, ids: Sequence[str]) -> set[str]:
        """Say what will be replayed, and return what nobody else has said since the log was read."""
        offsets = await self._note(partition, [Replayed(letter=id_, at=from_ms(self._clock())) for id_ in ids])
        end = max(offsets) + 1
        async for records in self._reader.read(self._topic.name, partition, self._read_to[partition], end):
            for record in records:
                event = _decode(record)
                if isinstance(event, Replayed):
                    self._first.setdefault(event.letter, record.offset)
        self._read_to[partition] = end
        return {id_ for id_, offset in zip(ids, offsets, strict=True) if self._first.get(id_) == offset}

    async def _note(self, partition: int, events: Sequence[Replayed]) -> list[int]:
        """Write to the dead letters' topic, beside the letters; the offsets."""
        records = [
            Record(self._topic.name, partition, event.letter.rpartition(":")[0].encode(), encode(event), [])
            for event in events
        ]
        offsets = []
        for result in await self._send(records):
            if isinstance(result, BaseException):
                raise result
            offsets.append(result)
        return offsets

    async def _send(self, records: Sequence[Record]) -> list[int | BaseException]:
        """Each one's offset, or why it has none."""
        sent = [
            await self._producer.send(
                one.topic, one.value, key=one.key, partition=one.partition, headers=one.headers
            )
            for one in records
        ]
        results = await asyncio.gather(*sent, return_exceptions=True)
        return [result if isinstance(result, BaseException) else result.offset for result in results]


def _decode(record: Any) -> DeadLetter | Replayed:
    """Raises BadRecord for what is neither."""
    event: DeadLetter | Replayed = _codec.decode(record.value, record.headers)  # type: ignore[assignment]
    return event


_codec = Codec([DeadLetter, Replayed])
