"""The lanes as the contract suite drives them: a rule, its store, and events that touch every key."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from scoring.scales import NPS
from scoring.segments import Dimension, Dimensions, Series
from scoring.windows import DEFAULT_WINDOWS
from sinks.redis.answers import AnswersStore
from sinks.redis.comments import CommentsStore
from sinks.redis.customers import CustomersStore
from sinks.redis.incentives import IncentivesStore
from sinks.redis.incidents import IncidentsStore
from sinks.redis.lane import RedisLane
from sinks.redis.watch import WatchStore
from streams.answers import CountAnswers
from streams.comments import KeepComments
from streams.events import Claim, Contact, Event, Grant, Marker
from streams.incentives import GrantIncentives, Incentive
from streams.incidents import KeepIncidents
from streams.store import Applied, Batch, Outcome, Plan, Token
from streams.times import HOUR, Duration, from_ms
from streams.watch import Watch, WatchScores
from tests.make import NOW, SURVEYS, alert, answer, batch, deciding, increment, survey, touchpoint

A = Token("worker-a", 5)
B = Token("worker-b", 6)
DIMENSIONS = Dimensions((Dimension("plan"),))


@dataclass
class Lane:
    """One lane over one Redis; ``event(n)`` is what the record at offset n carries."""

    store: RedisLane[Any]
    rule: Any
    event: Callable[[int], Event]

    def batch(self, start: int, end: int, partition: int = 0) -> Batch:
        return batch(*map(self.event, range(start, end)), start=start, partition=partition)

    async def plan(self, read: Batch) -> Plan:
        plan: Plan = self.rule.decide(read, await self.store.read(read), NOW)  # type: ignore[attr-defined]
        plan.counts["records_total", "seen"] += len(read.items)
        return plan

    async def commit(self, start: int, end: int, token: Token = A, partition: int = 0) -> Outcome:
        read = self.batch(start, end, partition)
        return await self.store.commit(read, token, await self.plan(read))

    async def open(self, token: Token = A, partition: int = 0, offset: int = 0) -> None:
        await self.store.claim(partition, token)
        assert await self.store.begin(partition, token, offset, offset) == Applied()


def answers(redis: Redis, prefix: str) -> Lane:
    store = AnswersStore(redis, prefix, DEFAULT_WINDOWS, clock=lambda: NOW)
    rule = CountAnswers(SURVEYS, DIMENSIONS)
    return Lane(store, rule, lambda n: answer(n % 11, f"r{n}", customer_id="c1", attributes={"plan": "pro"}))


def customers(redis: Redis, prefix: str) -> Lane:
    rule = deciding(survey(delay=Duration(HOUR)))
    ann = Contact(email="ann@example.com")
    return Lane(CustomersStore(redis, prefix), rule, lambda n: touchpoint(f"e{n}", customer=f"c{n}", contact=ann))


def comments(redis: Redis, prefix: str) -> Lane:
    rule = KeepComments(SURVEYS, DIMENSIONS)
    return Lane(CommentsStore(redis, prefix), rule, lambda n: answer(n % 11, f"r{n}", comment=f"comment {n}"))


def watch(redis: Redis, prefix: str) -> Lane:
    series = [Series("nps", "plan", value) for value in ("free", "pro")]

    def event(n: int) -> Event:
        return increment(n % 11, offset=n, series=series[n % 2])

    rule = WatchScores(Watch(dict.fromkeys(series, NPS), learn=1, learn_days=0))
    return Lane(WatchStore(redis, prefix), rule, event)


def incidents(redis: Redis, prefix: str) -> Lane:
    def event(n: int) -> Event:
        return alert(f"a{n}") if n % 2 else Marker(marker_id=f"m{n}", title="release", at=from_ms(NOW))

    return Lane(IncidentsStore(redis, prefix), KeepIncidents(), event)


def incentives(redis: Redis, prefix: str) -> Lane:
    codes = tuple(f"CODE-{n}" for n in range(1_000))

    def event(n: int) -> Event:
        whose = {"response_id": f"r{n}", "survey_id": "nps", "customer_id": f"c{n}"}
        return Claim(**whose) if n % 2 else Grant(**whose, code=f"OLD-{n}", at=from_ms(NOW))

    return Lane(IncentivesStore(redis, prefix), GrantIncentives({"nps": Incentive(codes, HOUR)}, 16), event)


LANES = {
    "answers": answers,
    "customers": customers,
    "comments": comments,
    "watch": watch,
    "incidents": incidents,
    "incentives": incentives,
}
