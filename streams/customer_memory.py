"""The customer lane's memory: what the logs say was decided and asked, for a state that has forgotten it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import structlog

from streams.customers import CustomersPlan, Known, decided_on
from streams.events import SENT_OFF, Attempt, ContactRecord, DecisionRecord, Event, Outcome, SurveyRequest
from streams.log_reader import LogReader
from streams.store import Claimed, Token
from streams.store import Outcome as Committed
from streams.times import MINUTE, to_ms
from streams.topics import ATTEMPTS, CONTACTS, DECISIONS, REQUESTS, TOUCHPOINTS, Topic
from surveys.caps import LONGEST_DAY, Caps
from surveys.cohorts import changes
from surveys.contacts import ContactState, recall

MARGIN = MINUTE  # the clocks of two brokers differ by less

E = TypeVar("E", bound=Event)

log = structlog.get_logger(__name__)


class Contacts(Protocol):
    """The part of the customer lane's store that is filled again."""

    async def known(self, partition: int, customers: Sequence[str]) -> Known: ...

    async def settle(self, partition: int, token: Token, plan: CustomersPlan) -> Committed: ...


class Requests(Protocol):
    """The part of delivery's state that is filled again."""

    async def restore(self, request: SurveyRequest, outcome: Outcome) -> None: ...


@dataclass(slots=True)
class _Recalled:
    """What the logs of one partition hold, and its state may not."""

    made: dict[int, DecisionRecord] = field(default_factory=dict)  # by the offset of the touchpoint
    settled: dict[str, DecisionRecord] = field(default_factory=dict)  # by the request it settles
    requested: set[tuple[str, str]] = field(default_factory=set)  # request id and state


class CustomerMemory:
    """Reads, on every claim, the decisions and requests that may be newer than the state.

    Where the state is gone altogether, contacts and who was asked are read first, from all there is. What was sent
    off counts against the daily caps before anything is decided.
    """

    def __init__(
        self,
        bootstrap: str,
        topics: Mapping[str, Topic],
        contacts: Contacts,
        requests: Requests,
        caps: Caps,
        clock: Callable[[], int],
    ) -> None:
        self._bootstrap, self._topics = bootstrap, topics
        self._contacts, self._requests = contacts, requests
        self._caps, self._clock = caps, clock
        self._recalled: dict[int, _Recalled] = {}
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._reader: LogReader | None = None

    # what the rule asks

    def made(self, partition: int, offset: int) -> DecisionRecord | None:
        return self._recalled[partition].made.get(offset)

    def settled(self, partition: int, request_id: str) -> DecisionRecord | None:
        return self._recalled[partition].settled.get(request_id)

    def requested(self, partition: int, request_id: str, state: str) -> bool:
        return (request_id, state) in self._recalled[partition].requested

    def ahead(self, partition: int) -> bool:
        return bool(self._recalled[partition].made)

    # what the lane asks

    def passed(self, partition: int, offset: int) -> None:
        made = self._recalled[partition].made
        while made and (oldest := next(iter(made))) < offset:
            del made[oldest]

    async def recover(self, partition: int, token: Token, claimed: Claimed) -> None:
        recalled = _Recalled()
        async with self._reading() as reader:
            if claimed.offset is None:
                await self._recall_customers(reader, partition, token)
            since = None if claimed.offset is None else claimed.timestamp - MARGIN
            _, end = await reader.bounds(self._topics[TOUCHPOINTS].name, partition)
            decided_since = since if since is None else min(since, await self._sent_since(partition, since))
            async for decisions in self._read(reader, DECISIONS, DecisionRecord, partition, decided_since):
                await self._recall_sent(partition, token, decisions)
                for record in decisions:
                    if record.settles:
                        recalled.settled.setdefault(record.settles, record)
                    elif (claimed.offset or 0) <= (offset := decided_on(record.decision_id)) < end:
                        recalled.made.setdefault(offset, record)
            outcomes = {} if since is None else await self._attempted(reader, partition, since)
            async for requests in self._read(reader, REQUESTS, SurveyRequest, partition, since):
                recalled.requested.update((request.request_id, request.state) for request in requests)
                await self._restore(requests, outcomes)
        recalled.made = dict(sorted(recalled.made.items()))
        self._recalled[partition] = recalled
        if recalled.made:
            log.warning("decisions are taken over from the log", partition=partition, decisions=len(recalled.made))

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[LogReader]:
        """One consumer for the partitions that are claimed together, for one after the other."""
        self._waiting += 1
        try:
            async with self._turn:
                if self._reader is None:
                    self._reader = await LogReader(self._bootstrap).__aenter__()
                yield self._reader
        finally:
            self._waiting -= 1
            if not self._waiting and self._reader:
                last, self._reader = self._reader, None
                await last.__aexit__(None, None, None)

    async def _recall_customers(self, reader: LogReader, partition: int, token: Token) -> None:
        """Fill a state that is gone: contacts, who was asked, and the requests that links lead to."""
        attempts: dict[tuple[str, str], Attempt] = {}
        async for contacts in self._read(reader, CONTACTS, ContactRecord, partition, None):
            await self._recall(partition, token, contacts)
        async for tried in self._read(reader, ATTEMPTS, Attempt, partition, None):
            attempts.update(((one.customer_id, one.survey_id), one) for one in tried if not one.reminds)
            await self._recall(partition, token, tried)
        async for requests in self._read(reader, REQUESTS, SurveyRequest, partition, None):
            await self._recall(partition, token, requests)
            for request in requests:
                newest = attempts.get((request.customer_id, request.survey_id))
                if request.state == "due" and newest and newest.request_id == request.request_id:
                    if newest.channel == request.channel:
                        await self._requests.restore(request, newest.outcome)
                    elif newest.channel in request.fallback:
                        await self._requests.restore(request, "failed")

    async def _attempted(self, reader: LogReader, partition: int, since: int) -> dict[str, Outcome]:
        """The newest outcome of each request that was attempted since then (ms)."""
        outcomes: dict[str, Outcome] = {}
        async for tried in self._read(reader, ATTEMPTS, Attempt, partition, since):
            outcomes.update((one.request_id, one.outcome) for one in tried)
        return outcomes

    async def _restore(self, requests: Sequence[SurveyRequest], outcomes: Mapping[str, Outcome]) -> None:
        """Have the links of what was sent work again: an older state of delivery came back with this one."""
        for request in requests:
            if request.state == "due" and (outcome := outcomes.get(request.request_id)):
                await self._requests.restore(request, outcome)

    async def _recall(
        self, partition: int, token: Token, events: Sequence[ContactRecord | SurveyRequest | Attempt]
    ) -> None:
        known = await self._contacts.known(partition, [event.customer_id for event in events])
        plan = CustomersPlan(contacts=dict(known.contacts))
        for event in events:
            before = plan.contacts.get(event.customer_id, ContactState())
            after = plan.contacts[event.customer_id] = recall(event, before)
            # A contact tells of other ids' invitations too, and an attempt and its outcome are one.
            if not isinstance(event, ContactRecord) and event.request_id not in before.recent:
                plan.cohorts.update(changes(before, after))
        await self._contacts.settle(partition, token, plan)

    async def _sent_since(self, partition: int, since: int) -> int:
        """From when (ms) on decisions are read: all of a day that is not counted yet, as of a cap that is new."""
        now, known = self._clock(), await self._contacts.known(partition, [])
        counted = all(n for place, n in known.sent.items() if place.day == self._caps.day(now))
        return since if counted else now - LONGEST_DAY

    async def _recall_sent(self, partition: int, token: Token, decisions: Sequence[DecisionRecord]) -> None:
        """Count what was sent off in the days that a cap may be asked about; ids tell what is counted already."""
        days = set(self._caps.around(self._clock()))
        sent = [
            (place, verdict.request_id)
            for record in decisions
            for verdict in record.verdicts
            if verdict.decision in SENT_OFF and verdict.request_id
            for place in self._caps.places(verdict.survey_id, to_ms(record.decided_at))
            if place in days
        ]
        if sent:
            await self._contacts.settle(partition, token, CustomersPlan(sent=sent))

    def _read(
        self, reader: LogReader, role: str, kind: type[E], partition: int, since: int | None
    ) -> AsyncIterator[list[E]]:
        return reader.events(self._topics[role].name, partition, kind, since)
