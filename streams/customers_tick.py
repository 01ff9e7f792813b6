"""The customer lane between records: what is due is settled, and who is due by schedule is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streams.customers import CustomersPlan, DecideSurveys, Known, Occasion
from streams.events import SurveyRequest
from streams.store import Applied, Outcome, Token
from streams.times import DAY
from surveys.contacts import ContactState


class DueStore(Protocol):
    """The part of the customer lane's store that its tick needs."""

    async def due(self, partition: int, now: int) -> list[SurveyRequest]: ...

    async def known(self, partition: int, customers: Sequence[str]) -> Known: ...

    async def walk(self, partition: int, cursor: int) -> tuple[int, dict[str, ContactState]]: ...

    async def settle(self, partition: int, token: Token, plan: CustomersPlan) -> Outcome: ...

    async def forget(self, partition: int, token: Token, now: int) -> Outcome: ...


def customers_tick(rule: DecideSurveys, store: DueStore) -> Callable[[int, Token, int], Awaitable[Outcome]]:
    """The customer lane's tick: settle what is due, or else ask who is due by schedule, a bounded number."""
    rounds: dict[int, _Round] = {}

    async def tick(partition: int, token: Token, now: int) -> Outcome:
        due = await store.due(partition, now) if rule.may_settle(partition) else []
        if due:
            known = await store.known(partition, [request.customer_id for request in due])
            return await store.settle(partition, token, rule.settle(partition, due, known, now))
        if rule.repeats:
            at = rounds.setdefault(partition, _Round())
            plan = await _walk(rule, store, partition, at, now)
            if plan.outgoing or plan.eligible:
                outcome = await store.settle(partition, token, plan)
                if outcome == Applied():
                    at.told.update((ask.key, ask.event.event_id) for ask in plan.outgoing)  # type: ignore[attr-defined]
                return outcome
        return await store.forget(partition, token, now)

    return tick


@dataclass(slots=True)
class _Round:
    """How far a walk over a partition's customers has come, and whom it has asked for on this day.

    Lost with the worker: who is asked for twice is told by the id of the ask.
    """

    cursor: int = 0
    day: int = 0
    told: set[Occasion] = field(default_factory=set)


async def _walk(rule: DecideSurveys, store: DueStore, partition: int, at: _Round, now: int) -> CustomersPlan:
    if at.day != now // DAY:
        at.day, at.told = now // DAY, set()
    known = await store.known(partition, [])
    at.cursor, states = await store.walk(partition, at.cursor)
    return rule.ask_again(states, now, at.told, rule.sent(partition, known), rule.draws(known, now))
