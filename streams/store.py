"""What a lane needs of its state: claims, and batches that are applied once or not at all.

Everything about one partition rolls back together, so the position in the state decides, never Kafka's commits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple, Protocol, TypeVar

from msgspec import Struct

from streams.errors import LivenpsError
from streams.events import DeadLetter, Event
from streams.times import FUTURE

OUTBOX_CHUNK = 4  # entries of an outbox that are read at a time; one holds what a batch returned


class StoreUnavailable(LivenpsError):
    """The state does not answer; the batch waits and is sent again, which the fence absorbs."""

    retriable = True


class StoreCorrupt(LivenpsError):
    """The state holds what no lane of ours wrote (a key of another type); applying would damage more."""


class Outgoing(Struct, frozen=True, array_like=True, gc=False):
    """An event that a batch returns: the topic's role, the record's key, the event."""

    topic: str
    key: str
    event: Event


class Item(Struct, frozen=True, gc=False):
    """One decoded record. ``timestamp`` is the log's, in ms."""

    event: Event
    offset: int
    timestamp: int


@dataclass(slots=True)
class Batch:
    """Records ``[start, end)`` of one partition; ``start`` is the previous ``end``, so gaps are harmless."""

    partition: int
    start: int
    end: int
    timestamp: int  # of the last record, ms
    items: list[Item]
    letters: list[DeadLetter]
    misplaced: list[Outgoing] = field(default_factory=list)  # whose key belongs to another partition
    records: Sequence[Any] = ()  # as Kafka gave them, for what has to be set aside whole

    def record(self, offset: int) -> Any:
        """The record at an offset of this batch."""
        return self.records[bisect_left(self.records, offset, key=attrgetter("offset"))]


Count = tuple[str, ...]  # a counter's name and its label values


class Refused(NamedTuple):
    """A record that reads well and yet cannot be processed."""

    item: Item
    reason: str
    detail: str


def misdated(item: Item, now: int) -> Refused | None:
    """A record dated before 1970 or after ``now`` (ms): a producer's clock, or its unit, is wrong."""
    if 0 <= item.timestamp <= now + FUTURE:
        return None
    return Refused(item, "timestamp", f"the record is dated {item.timestamp} ms: no time up to now")


@dataclass(slots=True)
class Plan:
    """What a rule wants applied. Lanes add their own changes in subclasses."""

    refused: list[Refused] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    counts: Counter[Count] = field(default_factory=Counter)


class Token(NamedTuple):
    """Who may write: the worker's id and the generation of its consumer group."""

    owner: str
    generation: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """The partition is ours. ``offset`` is None where the state knows no position."""

    offset: int | None
    timestamp: int


@dataclass(frozen=True, slots=True)
class Applied:
    """The batch is in the state now."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """The batch was in the state already."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The state stands elsewhere than the batch's start: go on from ``offset``."""

    offset: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The state knows no position."""


@dataclass(frozen=True, slots=True)
class Fenced:
    """Another worker of a higher generation, or with a running lease, owns the partition."""


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The position is the batch's start, and yet the state has changed without us: it is an older one."""


Outcome = Applied | Repeated | Behind | Lost | Fenced | RolledBack

KnownT = TypeVar("KnownT", covariant=True)  # noqa: PLC0105 - the field reads better without suffixes
PlanT = TypeVar("PlanT", bound=Plan, contravariant=True)  # noqa: PLC0105


class Store(Protocol[KnownT, PlanT]):
    """The state of one lane. Every method raises StoreUnavailable or StoreCorrupt."""

    async def claim(self, partition: int, token: Token) -> Claimed | Fenced:
        """Become the partition's owner and learn its position."""
        ...

    async def begin(self, partition: int, token: Token, offset: int, until: int) -> Outcome:
        """Set the position of a partition that has none. It is recovering until its position is ``until``."""
        ...

    async def read(self, batch: Batch) -> KnownT:
        """What the rule has to know to decide on this batch."""
        ...

    def commit(self, batch: Batch, token: Token, plan: PlanT) -> Awaitable[Outcome]:
        """Apply plan, returned events and position in one step, or nothing.

        Neither batch nor plan is needed any more once the outcome is waited for.
        """
        ...

    async def outbox(self, partition: int) -> Sequence[tuple[str, list[tuple[str, str, bytes]]]]:
        """The oldest entries of returned events, OUTBOX_CHUNK at most: id, and each event's role, key, value."""
        ...

    async def published(self, partition: int, entries: Sequence[str]) -> None:
        """Trim entries that Kafka has acknowledged."""
        ...
