"""Records to batches: what of a partition a rule may see, and what is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from streams.codec import Codec
from streams.errors import BadRecord
from streams.events import Event
from streams.letters import dead_letter
from streams.partitions import partition_of
from streams.store import Batch, Item, Outgoing
from streams.topics import Topic


class Reads(Protocol):
    """The part of a rule that says what its topic carries, and what it is keyed by."""

    @property
    def types(self) -> tuple[type[Event], ...]: ...

    def key(self, event: Event) -> str: ...


class Decoder:
    """Decodes the records of one topic; a lane and whoever recounts it see the same."""

    def __init__(self, rule: Reads, topic: Topic) -> None:
        self._topic = topic
        self._codec = Codec(rule.types)
        self._key = rule.key

    def batch(self, partition: int, partitions: int, start: int, records: Sequence[Any], now: int) -> Batch:
        """A batch from ``start`` to behind the last record; poison is a letter, another partition's key misplaced.

        ``partitions`` is how many the topic has, 0 where that is not known; ``now`` (ms) dates the letters.
        """
        last = records[-1]
        batch = Batch(partition, start, last.offset + 1, last.timestamp, [], [])
        decode, key_of, items = self._codec.decode, self._key, batch.items
        for record in records:
            try:
                event = decode(record.value, record.headers)
                key = key_of(event)
                if partitions and partition_of(key, partitions) != partition:
                    batch.misplaced.append(Outgoing(self._topic.role, key, event))
                else:
                    items.append(Item(event, record.offset, record.timestamp))
            except BadRecord as bad:
                name, payload = self._topic.name, record.value
                letter = dead_letter(name, partition, record.offset, bad.reason, bad.detail, payload, now)
                batch.letters.append(letter)
        return batch
