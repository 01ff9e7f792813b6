"""A lane: one topic in batches, each applied to the state once or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    KafkaError,
    KafkaTimeoutError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from mode import Service

from streams.decoder import Decoder, Reads
from streams.errors import BrokerUnavailable, LivenpsError
from streams.events import DeadLetter
from streams.letters import letter_of
from streams.outbox import Relay
from streams.store import (
    Applied,
    Batch,
    Behind,
    Claimed,
    Outcome,
    Outgoing,
    Plan,
    Repeated,
    Store,
    Token,
)
from streams.times import SECOND
from streams.topics import DEAD_LETTERS, Topic

Known = TypeVar("Known")
P = TypeVar("P", bound=Plan)

POLL_MS = 200
SHORT_POLL_MS = 5  # while a batch is in flight, whose partition shall not wait for records of another one
TICK_S = 1.0
MAX_TICK_S = 5.0
TICKS = 0.05  # of a partition's time, which ticks may take: the longer one takes, the later comes the next
COMMIT_S = 2.0
STOP_S = 5.0
LOOK_S = 5.0
MAX_BACKOFF_S = 10.0

log = structlog.get_logger(__name__)


KnownT = TypeVar("KnownT", contravariant=True)  # noqa: PLC0105
PlanT = TypeVar("PlanT", bound=Plan, covariant=True)  # noqa: PLC0105


class Rule(Reads, Protocol[KnownT, PlanT]):
    """The pure part of a lane: what a batch changes, given what is known."""

    @property
    def max_records(self) -> int:
        """The largest batch that neither the loop nor Redis should be busy with for long."""
        ...

    def decide(self, batch: Batch, known: KnownT, now: int) -> PlanT: ...


Tick = Callable[[int, Token, int], Awaitable[Outcome]]


class Memory(Protocol):
    """What a lane has done and its state may have forgotten."""

    async def recover(self, partition: int, token: Token, claimed: Claimed) -> None:
        """Bring it back from the log, after a claim and before anything is decided."""
        ...

    def passed(self, partition: int, offset: int) -> None:
        """The state knows of all that lies before ``offset``."""
        ...


@dataclass(slots=True)
class Owned:
    """A partition assigned to this worker. ``token`` is None until its claim and seek have succeeded.

    Whoever works on the partition holds ``turn``; ``work`` is the claim, tick or batch in flight.
    """

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    work: asyncio.Task[None] | None = None
    token: Token | None = None
    next: int = 0  # the start of the next batch
    retry_at: float = 0.0
    failures: int = 0
    tick_at: float = 0.0
    stopped: str = ""  # why this partition may not go on, for people


class Lane(Service, ConsumerRebalanceListener, Generic[Known, P]):  # type: ignore[misc]
    """Reads ``topic``, decides by ``rule``, applies to ``store``; ``tick`` does what happens with no record.

    One batch of a partition is in flight at a time; while Redis applies one, another partition's is decoded.
    ``memory`` brings back, on every claim, what the log says was done and the state may have forgotten.
    """

    def __init__(
        self,
        name: str,
        topic: Topic,
        consumer: Callable[[], AIOKafkaConsumer],
        rule: Rule[Known, P],
        store: Store[Known, P],
        relay: Relay,
        worker: str,
        tick: Tick,
        memory: Memory | None = None,
        clock: Callable[[], float] = time.time,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name, self.topic, self.role = name, topic.name, topic.role
        self._new_consumer = consumer
        self._rule, self._store, self._relay, self._tick = rule, store, relay, tick
        self._decoder = Decoder(rule, topic)
        self._worker = worker
        self._memory = memory
        self._clock = clock
        self._owned: dict[int, Owned] = {}
        self._committed = 0.0
        self._assigned = False
        self.polled_at = time.monotonic()

    # life

    async def on_start(self) -> None:
        self._consumer = self._new_consumer()
        self._consumer.subscribe([self.topic], listener=self)

    async def on_stop(self) -> None:
        for owned in list(self._owned.values()):
            await self._finish(owned)
        await self._commit_offsets(self._owned)
        self._owned.clear()
        # Outside: it waits for a rebalance, which waits for the batch in flight; and not for a Kafka that is away.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._consumer.stop()

    @property
    def ready(self) -> bool:
        """The group has spoken, and every partition it gave us is claimed."""
        return self._assigned and all(owned.token or owned.stopped for owned in self._owned.values())

    @property
    def partitions(self) -> list[int]:
        return sorted(self._owned)

    @property
    def stopped_partitions(self) -> dict[int, str]:
        return {partition: owned.stopped for partition, owned in self._owned.items() if owned.stopped}

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        for tp in revoked:
            if owned := self._owned.pop(tp.partition, None):
                await self._finish(owned)
                await self._relay.release(self._store, tp.partition)

    async def _finish(self, owned: Owned) -> None:
        """Wait for the batch in flight; a claim that reads a log from its start is given up."""
        if owned.work and owned.token is None:
            owned.work.cancel()
        async with owned.turn:
            pass

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        # Claims happen in the loop: the coordinator swallows a listener's exceptions.
        self._owned = {tp.partition: Owned() for tp in assigned}
        self._assigned = True

    # the loop

    @Service.task
    async def _run(self) -> None:
        await self._consumer.start()  # returns with the first assignment: here, so that lanes join side by side
        while not self.should_stop:
            self._claim_all()
            self._tick_all()
            records = await self._poll()
            self.polled_at = time.monotonic()
            for tp, chunk in records.items():
                if owned := self._owned.get(tp.partition):
                    self._begin(tp.partition, owned, self._process, chunk)
            if time.monotonic() - self._committed >= TICK_S:
                self._committed = time.monotonic()
                await self._commit_offsets(self._owned)

    async def _poll(self) -> dict[TopicPartition, list[Any]]:
        working = self._working()
        idle = [
            TopicPartition(self.topic, p)
            for p, one in self._owned.items()
            if one.token and one.work not in working
        ]
        fetched: dict[TopicPartition, list[Any]] = {}
        try:
            if idle:
                fetched = await self._consumer.getmany(
                    *idle, timeout_ms=SHORT_POLL_MS if working else POLL_MS, max_records=self._rule.max_records
                )
            elif working:
                await asyncio.wait(working, timeout=POLL_MS / SECOND, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(POLL_MS / SECOND)
        except NoOffsetForPartitionError:  # assigned, not yet claimed: the claim seeks
            return {}
        except OffsetOutOfRangeError as error:  # the log has left us behind: the claim stops what has to
            for tp in error.args[0]:
                if owned := self._owned.get(tp.partition):
                    owned.token = None
            return {}
        except ConsumerStoppedError:
            if not self.should_stop:
                raise
            return {}
        except KafkaError as error:
            if not error.retriable:
                raise
            log.warning("kafka does not answer, trying again", lane=self.name, error=str(error))
            await asyncio.sleep(1)
            return {}
        return fetched

    def _working(self) -> set[asyncio.Task[None]]:
        """What is in flight: claims, ticks, batches. One that failed for good fails the lane."""
        for owned in self._owned.values():
            if owned.work and owned.work.done():
                done, owned.work = owned.work, None
                done.result()
        return {owned.work for owned in self._owned.values() if owned.work}

    def _begin(self, partition: int, owned: Owned, step: Callable[..., Awaitable[None]], *args: Any) -> None:
        async def work() -> None:
            async with owned.turn:
                if self._owned.get(partition) is owned and not self.should_stop:  # not revoked in between
                    await self._guarded(partition, step(partition, owned, *args))

        owned.work = asyncio.create_task(work())

    async def _process(self, partition: int, owned: Owned, records: list[Any]) -> None:
        if owned.token is None:  # a tick has lost it in between
            return
        end = records[-1].offset + 1
        outcome = await self._decided(partition, owned.next, owned.token, records)
        self._conclude(partition, owned, end, await outcome)

    async def _decided(self, partition: int, start: int, token: Token, records: list[Any]) -> Awaitable[Outcome]:
        """The commit of a batch that is decided, still to be awaited.

        What decides returns before Redis does: batch and plan are freed while the processor's caches hold them.
        """
        partitions = len(self._consumer.partitions_for_topic(self.topic) or ())
        batch = self._decoder.batch(partition, partitions, start, records, self._now())
        known = await self._store.read(batch)
        plan = self._decide(batch, known)
        plan.outgoing += batch.misplaced
        self._bury(batch, plan)
        return self._store.commit(batch, token, plan)

    def _conclude(self, partition: int, owned: Owned, end: int, outcome: Outcome) -> None:
        match outcome:
            case Applied() | Repeated():
                owned.next, owned.failures = end, 0
                if self._memory:
                    self._memory.passed(partition, end)
                self._relay.wake()
            case Behind(offset) if self._memory is None:
                log.warning("position differs, seeking", lane=self.name, partition=partition, to=offset)
                self._seek(partition, owned, offset)
            case _:
                self._give_up(partition, owned, outcome)

    def _give_up(self, partition: int, owned: Owned, outcome: Outcome) -> None:
        log.warning("claiming again", lane=self.name, partition=partition, outcome=type(outcome).__name__)
        owned.token = None

    def _decide(self, batch: Batch, known: Known) -> P:
        """The rule's plan; a record that the rule fails on is set aside, lest it stops its partition for ever."""
        now = self._now()
        try:
            return self._rule.decide(batch, known, now)
        except Exception:
            log.exception("a record fails the rule, looking for it", lane=self.name, partition=batch.partition)
        sound, failed = [], []
        for item in batch.items:
            try:
                self._rule.decide(replace(batch, items=[item], letters=[]), known, now)
            except Exception as error:
                failed.append(self._letter(batch, item.offset, "error", repr(error)))
            else:
                sound.append(item)
        batch.items = sound
        plan = self._rule.decide(batch, known, now)
        batch.letters += failed
        return plan

    def _letter(self, batch: Batch, offset: int, reason: str, detail: str) -> DeadLetter:
        return letter_of(self.topic, batch.record(offset), reason, detail, self._now())

    def _bury(self, batch: Batch, plan: P) -> None:
        refused = [self._letter(batch, item.offset, reason, detail) for item, reason, detail in plan.refused]
        for letter in batch.letters + refused:
            plan.outgoing.append(Outgoing(DEAD_LETTERS, f"{letter.topic}:{letter.partition}", letter))
            plan.counts["livenps_dead_letters_total", self.role, letter.reason] += 1

    # claims

    def _claim_all(self) -> None:
        for partition, owned in self._owned.items():
            if not (owned.token or owned.stopped or owned.work) and time.monotonic() >= owned.retry_at:
                self._begin(partition, owned, self._claim)

    async def _claim(self, partition: int, owned: Owned) -> None:
        tp = TopicPartition(self.topic, partition)
        token = Token(self._worker, self._consumer._coordinator.generation)  # aiokafka has no public name for it
        # What the state returned before it was lost is in the log by the time that the memory reads it, or never.
        await self._relay.release(self._store, partition)
        claim = await self._store.claim(partition, token)
        if not isinstance(claim, Claimed):
            owned.retry_at = time.monotonic() + 1
            return
        self._relay.own(self._store, partition)  # what was returned is published also where we may not go on
        first = (await self._consumer.beginning_offsets([tp]))[tp]
        end = (await self._consumer.end_offsets([tp]))[tp]
        offset = first if claim.offset is None else claim.offset
        # Never reset silently: records would be skipped, or counted against another topic's offsets.
        if not first <= offset <= end:
            self._stop_partition(partition, owned, f"position {offset} lies outside the log [{first}, {end}]")
            return
        if await self._recreated(tp, claim, first):
            self._stop_partition(
                partition, owned, f"the record before position {offset} is another one: a new topic?"
            )
            return
        if self._memory:
            await self._memory.recover(partition, token, claim)
        if claim.offset is None:
            await self._store.begin(partition, token, first, end)
        self._seek(partition, owned, offset)
        owned.token, owned.failures = token, 0
        log.info("partition claimed", lane=self.name, partition=partition, offset=offset)

    async def _recreated(self, tp: TopicPartition, claim: Claimed, first: int) -> bool:
        """Whether the record before the position is another one than was applied. Compaction may have taken it."""
        if not claim.offset or claim.offset == first or not claim.timestamp:
            return False
        self._consumer.seek(tp, claim.offset - 1)
        deadline = time.monotonic() + LOOK_S
        while time.monotonic() < deadline:
            for record in (await self._consumer.getmany(tp, timeout_ms=POLL_MS, max_records=1)).get(tp, []):
                return record.offset == claim.offset - 1 and bool(record.timestamp != claim.timestamp)
            if await self._consumer.position(tp) >= claim.offset:  # there is none any more
                return False
        raise BrokerUnavailable(f"Kafka does not give the record before position {claim.offset}")

    def _stop_partition(self, partition: int, owned: Owned, why: str) -> None:
        owned.token, owned.stopped = None, why
        log.error("partition stopped", lane=self.name, partition=partition, why=why)

    def _seek(self, partition: int, owned: Owned, offset: int) -> None:
        self._consumer.seek(TopicPartition(self.topic, partition), offset)
        owned.next = offset

    async def _guarded(self, partition: int, work: Awaitable[None]) -> None:
        """A transient failure gives up the claim and waits; claiming again seeks to where the state stands.

        Any other stops the partition, but those of Kafka's client, which all partitions share.
        """
        try:
            await work
        except (LivenpsError, KafkaError) as error:
            owned = self._owned.get(partition)
            if not error.retriable and not isinstance(error, KafkaTimeoutError):  # which aiokafka gives up on
                if owned is None or isinstance(error, KafkaError):
                    raise
                self._stop_partition(partition, owned, str(error))
                return
            if owned is not None:
                owned.token = None
                owned.failures += 1
                wait = min(MAX_BACKOFF_S, 0.1 * 2**owned.failures) * random.uniform(0.5, 1)  # noqa: S311 - jitter
                owned.retry_at = time.monotonic() + wait
                log.warning(
                    "waiting", lane=self.name, partition=partition, seconds=round(wait, 1), error=repr(error)
                )
        except Exception as error:  # a bug of ours, which shall not stop what has nothing to do with it
            owned = self._owned.get(partition)
            if owned is None:
                raise
            log.exception("a partition fails", lane=self.name, partition=partition)
            self._stop_partition(partition, owned, f"livenps fails on it: {error!r}")

    # ticks

    def _tick_all(self) -> None:
        """Before the next poll: a partition with records to read would never be without a batch in flight."""
        working = self._working()
        for partition, owned in self._owned.items():
            if owned.token and owned.work not in working and time.monotonic() >= owned.tick_at:
                self._begin(partition, owned, self._tick_one)

    async def _tick_one(self, partition: int, owned: Owned) -> None:
        if owned.token is None:
            return
        began = time.monotonic()
        match await self._tick(partition, owned.token, self._now()):
            case Applied() | Repeated():
                await self._pass_gap(partition, owned, owned.token)
                self._relay.wake()
            case outcome:
                self._give_up(partition, owned, outcome)
        ended = time.monotonic()
        owned.tick_at = ended + min(max(TICK_S, (ended - began) / TICKS), MAX_TICK_S)

    async def _pass_gap(self, partition: int, owned: Owned, token: Token) -> None:
        """Move over what Kafka gives nobody, such as the end of a transaction, as over an empty batch."""
        reached = await self._consumer.position(TopicPartition(self.topic, partition))
        if reached > owned.next:
            batch = Batch(partition, owned.next, reached, self._now(), [], [])
            plan = self._rule.decide(batch, await self._store.read(batch), self._now())
            self._conclude(partition, owned, reached, await self._store.commit(batch, token, plan))

    async def _commit_offsets(self, partitions: Mapping[int, Owned]) -> None:
        """Only lag tools read these commits, so one that fails is left out, also where Kafka is away for long."""
        offsets = {TopicPartition(self.topic, p): one.next for p, one in partitions.items() if one.token}
        if offsets:
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(COMMIT_S):
                    await self._consumer.commit(offsets)

    def _now(self) -> int:
        return int(self._clock() * SECOND)
