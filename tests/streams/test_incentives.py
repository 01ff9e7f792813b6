"""One code for a finished answer, and none twice, whatever is lost on the way."""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from livenps.program import now
from sinks.redis.incentives import IncentiveReader, IncentivesStore
from streams.events import Claim, Event, Grant, encode
from streams.incentive_memory import IncentiveMemory
from streams.incentives import LATE, GrantIncentives, Incentive, IncentivesPlan, Known, granted_at, remembered
from streams.partitions import partition_of
from streams.publisher import Publisher
from streams.store import Applied, Claimed, Token
from streams.times import DAY, from_ms
from streams.topics import INCENTIVES
from tests.make import NOW, batch
from tests.real import records
from tests.streams.worker import Bench

CODES = tuple(f"SAVE-{n}" for n in range(6))
RULE = GrantIncentives({"nps": Incentive(CODES, 30 * DAY)}, 1)
NOTHING = Known(frozenset(), frozenset(), {})
ME = Token("me", 1)


def claim(response: str = "r1", customer: str = "c1", survey: str = "nps") -> Claim:
    return Claim(response_id=response, survey_id=survey, customer_id=customer)


def test_claims_get_the_codes_in_their_order() -> None:
    plan = RULE.decide(batch(claim("r1", "c1"), claim("r2", "c2")), NOTHING, NOW)
    assert [(one.response_id, one.code) for one in plan.granted] == [("r1", "SAVE-0"), ("r2", "SAVE-1")]
    assert [outgoing.event for outgoing in plan.outgoing] == plan.granted
    assert plan.shown == []  # not before they stand on the log
    assert plan.counts["survey_incentives_total", "nps", "granted"] == 2


@pytest.mark.parametrize(
    ("events", "known", "now", "outcome"),
    [
        ([claim("r1"), claim("r2")], NOTHING, NOW, "again"),
        ([claim()], Known(frozenset(), frozenset(), {"c1": NOW - 30 * DAY + 1}), NOW, "again"),
        ([claim()], Known(frozenset(), frozenset(CODES), {}), NOW, "dry"),
        ([claim()], NOTHING, NOW + LATE + 1, "late"),
    ],
)
def test_who_gets_none(events: list[Event], known: Known, now: int, outcome: str) -> None:
    plan = RULE.decide(batch(*events), known, now)
    assert plan.empty == [events[-1].response_id]  # type: ignore[attr-defined]
    assert plan.counts["survey_incentives_total", "nps", outcome] == 1


def test_after_the_period_there_is_another_one() -> None:
    known = Known(frozenset(), frozenset(CODES[:1]), {"c1": NOW - 30 * DAY})
    assert [one.code for one in RULE.decide(batch(claim()), known, NOW).granted] == ["SAVE-1"]


def test_a_claim_that_comes_again_changes_nothing() -> None:
    plan = RULE.decide(batch(claim(), claim()), NOTHING, NOW)
    assert len(plan.granted) == 1
    assert plan.empty == []
    again = RULE.decide(batch(claim()), Known(frozenset({"r1"}), frozenset(), {}), NOW)
    assert (again.granted, again.empty, again.outgoing) == ([], [], [])


@given(st.integers(1, 12), st.sets(st.text(min_size=1, max_size=5), min_size=1))
def test_every_code_belongs_to_one_partition(partitions: int, codes: set[str]) -> None:
    incentive = Incentive(tuple(codes), 0)
    shares = [code for partition in range(partitions) for code in incentive.share(partition, partitions)]
    assert sorted(shares) == sorted(codes)


@dataclass
class World:
    """A log with its lane: what the state knows, and what customers were shown."""

    log: list[Event] = field(default_factory=list)
    offset: int = 0
    known: Known = NOTHING
    unpublished: list[Grant] = field(default_factory=list)
    shown: dict[str, set[str]] = field(default_factory=dict)
    contacts: dict[str, str] = field(default_factory=dict)

    def read(self) -> None:
        """One batch of up to two records."""
        events = self.log[self.offset : self.offset + 2]
        plan = RULE.decide(batch(*events, start=self.offset), self.known, NOW)
        self.apply(plan)
        self.unpublished += plan.granted
        self.offset += len(events)

    def apply(self, plan: IncentivesPlan) -> None:
        decided, last = set(self.known.decided) | set(plan.decided), dict(self.known.last)
        given = set(self.known.given)
        for one in (*plan.granted, *plan.shown):
            decided.add(one.response_id)
            given.add(one.code)
            last[one.customer_id] = granted_at(one)
        for one in plan.shown:
            self.shown.setdefault(one.response_id, set()).add(one.code)
            self.contacts[one.response_id] = one.customer_id
        self.known = Known(frozenset(decided), frozenset(given), last)

    def publish(self) -> None:
        self.log += self.unpublished
        self.unpublished = []

    def lose(self) -> None:
        """The state is gone, with what it had not published; the claim that follows reads the log."""
        self.known, self.offset, self.unpublished = NOTHING, 0, []
        self.apply(remembered(one for one in self.log if isinstance(one, Grant)))


steps = st.one_of(
    st.tuples(st.just("claim"), st.integers(0, 9), st.integers(0, 4)),
    st.tuples(st.sampled_from(["read", "publish", "lose"]), st.just(0), st.just(0)),
)


@given(st.lists(steps, max_size=60))
def test_nobody_is_shown_two_codes_and_no_code_is_shown_to_two(moves: list[tuple[str, int, int]]) -> None:
    world = World()
    for what, response, customer in [*moves, *[("read", 0, 0), ("publish", 0, 0)] * 60]:
        if what == "claim":
            world.log.append(claim(f"r{customer}-{response}", f"c{customer}"))
        else:
            getattr(world, what)()
    assert all(len(codes) == 1 for codes in world.shown.values())
    assert all(n == 1 for n in Counter(code for codes in world.shown.values() for code in codes).values())
    assert all(n == 1 for n in Counter(world.contacts.values()).values())  # within a period
    claimants = {one.customer_id for one in world.log if isinstance(one, Claim)}
    assert len(world.shown) == len(claimants)  # there are more codes than customers


async def test_a_lost_state_learns_from_the_log_what_was_given(bench: Bench) -> None:
    """On real Kafka and Redis; a state of before the grants reads those that are newer than it."""
    today = now()
    grants = [
        Grant(response_id=f"r{n}", survey_id="nps", customer_id="c1", code=f"SAVE-{n}", at=from_ms(today + n))
        for n in range(3)
    ]
    partition = partition_of("c1", bench.topics[INCENTIVES].partitions)
    await records.write(bench.bootstrap, bench.topics[INCENTIVES].name, b"not ours", partition=partition)
    async with Publisher(bench.bootstrap, bench.topics) as publisher:
        await publisher.publish([(INCENTIVES, "c1", encode(one)) for one in (claim("r9"), *grants)])
    redis: Redis = bench.redis
    for offset in (None, 0):
        await redis.flushall()
        store = IncentivesStore(redis, bench.namespace)
        memory = IncentiveMemory(bench.bootstrap, bench.topics[INCENTIVES], store)
        await store.claim(partition, ME)
        await memory.recover(partition, ME, Claimed(offset, 0))
        if offset is None:
            assert await store.begin(partition, ME, 0, 5) == Applied()
        known = await store.read(batch(claim("r2"), partition=partition))
        assert known == Known(frozenset({"r2"}), frozenset({"SAVE-0", "SAVE-1", "SAVE-2"}), {"c1": today + 2})
        reader = IncentiveReader(redis, bench.namespace, bench.topics[INCENTIVES].partitions)
        assert await reader.code("c1", "r1") == "SAVE-1"
        assert await reader.code("c1", "r9") is None
