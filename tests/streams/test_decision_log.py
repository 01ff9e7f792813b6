"""Looking a customer's decisions up in the log."""

import pytest

from streams.decision_log import DecisionLog
from streams.events import DecisionRecord, Verdict, encode
from streams.partitions import partition_of
from streams.publisher import Publisher
from streams.times import from_ms
from streams.topics import DECISIONS
from tests.make import NOW
from tests.streams.worker import Bench

ME = "c1"
NEIGHBOUR = next(f"n{n}" for n in range(99) if partition_of(f"n{n}", 2) == partition_of(ME, 2))


def decision(number: int, customer: str = ME, reason: str = "triggered") -> DecisionRecord:
    verdict = Verdict(survey_id="nps", decision="asked", reason=reason, request_id="r", due_at=from_ms(NOW))
    return DecisionRecord(
        decision_id=f"touchpoints:0:{number}",
        customer_id=customer,
        event_id=f"e{number}",
        event="Order Delivered",
        decided_at=from_ms(NOW + number),
        verdicts=[verdict],
    )


@pytest.fixture
async def log(bench: Bench) -> Bench:
    """Ten decisions on a customer, the third one twice, each followed by one on a neighbour in the partition."""
    async with Publisher(bench.bootstrap, bench.topics) as publisher:
        for number in [0, 1, 2, 2, *range(3, 10)]:
            await publisher.publish([(DECISIONS, ME, encode(decision(number)))])
            await publisher.publish([(DECISIONS, NEIGHBOUR, encode(decision(number, NEIGHBOUR)))])
        await publisher.publish([(DECISIONS, ME, b"{")])
    return bench


def looking(bench: Bench, reach: int | None = None) -> DecisionLog:
    return DecisionLog(bench.bootstrap, bench.topics[DECISIONS], reach)


async def test_the_newest_first_each_once_and_nobody_elses(log: Bench) -> None:
    found = await looking(log).last(ME, 9)
    assert [one.event_id for one in found.decisions] == [f"e{number}" for number in range(9, 0, -1)]
    assert {one.customer_id for one in found.decisions} == {ME}
    assert found.complete
    assert len((await looking(log).last(ME, 100)).decisions) == 10


async def test_a_bounded_search_says_how_far_it_went(log: Bench) -> None:
    found = await looking(log, reach=7).last(ME, 100)
    assert [one.event_id for one in found.decisions] == ["e9", "e8", "e7"]
    assert not found.complete
    assert found.searched_from is not None


async def test_a_time_bounds_the_search_too(log: Bench) -> None:
    everything = await looking(log).last(ME, 100, since=0)
    assert len(everything.decisions) == 10
    assert everything.searched_from is not None
    nothing = await looking(log).last(ME, 100, since=everything.searched_from + 3_600_000)
    assert (nothing.decisions, nothing.searched_from, nothing.complete) == ([], None, False)


async def test_who_is_not_known_has_no_decisions(log: Bench) -> None:
    assert (await looking(log).last("stranger", 10)).decisions == []


async def test_each_reason_is_told_in_words(log: Bench) -> None:
    async with Publisher(log.bootstrap, log.topics) as publisher:
        await publisher.publish([(DECISIONS, ME, encode(decision(10, reason="of a newer livenps")))])
    told = (await looking(log).last(ME, 2)).told()["decisions"]
    assert [verdict["words"] for one in told for verdict in one["verdicts"]] == [
        "a rule that this livenps does not know",
        "the event triggers it, and no rule forbids it",
    ]
