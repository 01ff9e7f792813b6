"""Records to batches: what of a partition a rule may see, and what is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from streams.codec import Codec
from streams.errors import BadRecord
from streams.events import Event
from streams.letters import letter_of
from streams.partitions import partitions_of
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
        batch = Batch(partition, start, last.offset + 1, last.timestamp, [], [], records=records)
        decode, items = self._codec.decode, batch.items
        for record in records:
            try:
                items.append(Item(decode(record.value, record.headers), record.offset, record.timestamp))
            except BadRecord as bad:
                batch.letters.append(letter_of(self._topic.name, record, bad.reason, bad.detail, now))
        if partitions:
            self._set_misplaced_aside(batch, partitions)
        return batch

    def _set_misplaced_aside(self, batch: Batch, partitions: int) -> None:
        keys = [self._key(item.event) for item in batch.items]
        home = partitions_of(keys, partitions) == batch.partition
        if home.all():
            return
        for item, key, here in zip(batch.items, keys, home, strict=True):
            if not here:
                batch.misplaced.append(Outgoing(self._topic.role, key, item.event))
        batch.items = [item for item, here in zip(batch.items, home, strict=True) if here]
