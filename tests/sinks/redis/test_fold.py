"""Folding what is pending into counts: in whatever portions, with nothing lost in between."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from redis.asyncio import Redis

from scoring.cells import Changes
from scoring.scales import SCORES
from scoring.segments import Dimension, Dimensions
from sinks.redis import answers
from sinks.redis.counts import Counts, CountsReader, Ids, Part, Rows, Span, stacked
from sinks.redis.fold import Folded, fold
from streams.answers import AnswersPlan
from streams.store import Applied, RolledBack, StoreCorrupt
from streams.times import DAY, MINUTE, from_ms
from tests.make import NOW, answer
from tests.sinks.redis.counting import Counting
from tests.sinks.redis.lanes import A, B

DIMENSIONS = Dimensions((Dimension("plan"),))
FEEDS = [np.array([7], np.uint64), np.array([7, 9], np.uint64)]  # ids of series
HOUR = Span("1h/1", 1, 1_000, 1_060)
NONE = Counts.of([b"", b"", [], [], [[]], [], []])


def folded(*answers: tuple[int, int, int], before: Counts = NONE) -> Folded:
    """First answers folded in, given by feed, minute and score."""
    columns = np.array(answers, np.int64).reshape(-1, 3).T
    ones = np.ones(len(answers), np.int64)
    return fold(replace(before, changes=Changes(*columns, ones, ones)), FEEDS, len(answers), [HOUR])


def totals(rows: Rows) -> dict[int, list[int]]:
    """How many answers, by series, of each histogram."""
    return dict(zip(rows.ids.tolist(), rows.counts.sum(axis=2).tolist(), strict=True))


def buckets(found: Folded) -> dict[str, dict[int, list[int]]]:
    """How many answers, by series, of each bucket that is added to."""
    return {key: totals(rows) for key, rows in found.buckets.items() if len(rows.ids)}


# what folding adds


def test_an_answer_counts_in_its_series_and_bucket() -> None:
    found = folded((0, 1_010, 9), (1, 1_010, 0), (1, 1_011, 0))
    assert totals(found.sums) == {7: [3, 3, 1], 9: [2, 2, 1]}, "of all time, of the window, of its newest bucket"
    assert totals(found.first) == {7: [3], 9: [2]}
    assert buckets(found) == {"b:1h/1:1010": {7: [2], 9: [1]}}
    assert (found.newest, found.begins, found.gone) == (1_011, {"1h/1": 1_000}, [])


def test_what_is_older_than_its_window_is_in_no_bucket() -> None:
    found = folded((0, 999, 9), (0, 1_000, 9), (0, 1_001, 9))
    assert totals(found.sums) == {7: [3, 2, 1]}
    assert buckets(found) == {"b:1h/1:1000": {7: [1]}}


def held(newest: int, *, begin: int = 900) -> Counts:
    """One answer of series 9, in the newest bucket of its window."""
    span = [b"newest", b"%d" % newest, b"1h/1", b"%d" % begin, b"windows", b'["1h/1"]']
    histogram = np.eye(1, SCORES, 9, dtype=">u4").tobytes()
    return Counts.of([b"5", b"", span, [], [[]], [(9).to_bytes(8, "big"), 3 * histogram], []])


def test_the_newest_bucket_moves_out_of_the_sums_when_another_one_is() -> None:
    assert not held(1_010).ends([HOUR])
    found = folded((0, 1_010, 9), (0, 1_011, 9), before=held(1_010))
    assert totals(found.sums) == {7: [2, 2, 1], 9: [0, 0, -1]}
    assert buckets(found) == {"b:1h/1:1010": {7: [1], 9: [1]}}


def test_the_newest_bucket_leaves_its_window() -> None:
    assert held(999).ends([HOUR])
    assert not held(999, begin=1_000).ends([HOUR]), "it has left"
    found = folded(before=held(999))
    assert totals(found.sums) == {9: [0, -1, -1]}
    assert not buckets(found)


def test_what_has_left_its_window_is_taken_out() -> None:
    expired = Rows(np.array([9], np.uint64), np.full((1, 1, SCORES), 2, np.int64))
    span = [b"newest", b"1005", b"1h/1", b"998", b"windows", b'["1h/1"]']
    counts = Counts.of([b"5", b"", span, [], [[]], [], []])
    counts.expired[0].append(expired)
    found = folded(before=counts)
    assert totals(found.sums) == {9: [0, -2 * SCORES, 0]}
    assert found.gone == ["b:1h/1:998", "b:1h/1:999"]
    assert found.begins == {"1h/1": 1_000}


@pytest.mark.parametrize("begin", [None, b"5000"], ids=["added", "of a clock that was ahead"])
def test_a_window_begins_behind_what_it_never_held(begin: bytes | None) -> None:
    span = [b"newest", b"1100", *([b"1h/1", begin] if begin else [])]
    found = folded((0, 1_200, 9), before=Counts.of([b"5", b"", span, [], [[]], [], []]))
    assert found.begins == {"1h/1": 1_201}
    assert totals(found.sums) == {7: [1, 0, 0]}


def test_tables_are_stacked_by_column() -> None:
    one, other = np.array([3, 8], np.uint64), np.array([8], np.uint64)
    parts = [
        Part(one, [0], np.ones((2, 1, SCORES), np.int64)),
        Part(other, [0, 2], np.ones((1, 2, SCORES), np.int64)),
    ]
    assert totals(stacked(parts, 3)) == {3: [11, 0, 0], 8: [22, 0, 11]}
    assert totals(stacked([], 2)) == {}


def test_a_histogram_of_another_size_is_no_count() -> None:
    with pytest.raises(StoreCorrupt, match="histogram"):
        Counts.of([b"", b"", [], [], [[]], [], [b"12345678", b"short"]])


# in portions


@pytest.fixture
async def counting(redis: Redis, namespace: str) -> Counting:
    return await Counting(redis, namespace, DIMENSIONS).open()


@pytest.mark.parametrize(("changes", "counts"), [(1, 1_000_000), (20, 1_000_000), (1_000, 1), (1_000, 5_000)])
async def test_all_is_folded_in_in_whatever_portions(
    counting: Counting, redis: Redis, monkeypatch: pytest.MonkeyPatch, changes: int, counts: int
) -> None:
    monkeypatch.setattr(answers, "CHANGES", changes)
    monkeypatch.setattr(answers, "COUNTS", counts)
    for n in range(7):
        times = [from_ms(NOW - (n * 10 + m) * 300 * MINUTE) for m in range(9)]
        given = [answer(m, f"r{n * 5 + m}", answered_at=at, attributes={"plan": m}) for m, at in enumerate(times)]
        await counting.count(*given)
    await counting.tick()
    assert not await redis.exists(f"{counting.store.base(0)}:0:pending")
    await counting.assert_equals_recount()
    counting.now += 8 * DAY
    await counting.tick()
    await counting.assert_equals_recount()


def test_what_a_turn_writes_is_not_made_less_by_taking_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "COUNTS", 10)
    ones, half = np.ones(4, np.int64), [2, 2]
    changes = Changes(np.zeros(4, np.int64), 1_010 + np.arange(4), 9 * ones, ones, ones)
    steady = replace(held(1_013), changes=changes, entries=half)
    assert answers._folded(steady, FEEDS, [HOUR], 0)[1] == 1, "half of them touches half of the buckets"
    everybody = np.arange(500, dtype=np.uint64)
    rows = Rows(everybody, np.tile(held(1_000).sums.counts, (500, 1, 1)))
    turning = replace(held(1_000), sums=rows, changes=changes, entries=half)
    assert answers._folded(turning, FEEDS, [HOUR], 0)[1] == 2


async def test_a_large_batch_is_pending_in_parts(counting: Counting, redis: Redis) -> None:
    await counting.count(*[answer(n % 11, f"r{n}") for n in range(4_500)])
    assert await redis.llen(f"{counting.store.base(0)}:0:pending") == 3
    await counting.assert_equals_recount()


async def test_what_is_not_worth_folding_in_waits_while_others_come(counting: Counting, redis: Redis) -> None:
    pending = f"{counting.store.base(0)}:0:pending"
    for n in range(9):
        await counting.count(answer(n, f"r{n}", attributes={"plan": n}))
        await counting.store.tick(0, A, NOW)
        await counting.assert_equals_recount()
        assert await redis.llen(pending) == n + 1
    await counting.store.tick(0, A, NOW)
    assert not await redis.exists(pending)
    await counting.assert_equals_recount()


async def test_what_waits_is_looked_at_when_it_may_be_worth_it(
    counting: Counting, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "WORTH", 3)
    looks = []
    read = CountsReader.read

    async def noted(reader: CountsReader, base: str, lane: str, windows: Sequence[Span], changes: int) -> Any:
        looks.append(changes > 0)
        return await read(reader, base, lane, windows, changes)

    pending = f"{counting.store.base(0)}:0:pending"
    for n in range(6):  # of two series, one of which is everybody's
        await counting.count(answer(n, f"r{n}", attributes={"plan": "pro"}))
        with monkeypatch.context() as patched:
            patched.setattr(CountsReader, "read", noted)
            await counting.store.tick(0, A, NOW)
        assert await redis.llen(pending) == (n + 1) % 6
        await counting.assert_equals_recount()
    assert looks == [True, False, False, False, False, True]


async def test_nothing_waits_for_long(counting: Counting, redis: Redis) -> None:
    pending = f"{counting.store.base(0)}:0:pending"
    for n in range(3):
        await counting.count(answer(n, f"r{n}"))
        await counting.store.tick(0, A, NOW + n * answers.PATIENCE // 2)
        assert await redis.llen(pending) == (n + 1) % 3
        await counting.assert_equals_recount()


async def test_a_state_that_is_lost_while_it_is_read_is_no_damaged_one(
    counting: Counting, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await counting.count(answer(9, attributes={"plan": "pro"}))
    feeds = CountsReader.feeds

    async def lost(reader: CountsReader, base: str, ids: Ids) -> list[Ids]:
        await redis.delete(*[key async for key in redis.scan_iter(match=f"{counting.prefix}*")])
        return await feeds(reader, base, ids)

    monkeypatch.setattr(CountsReader, "feeds", lost)
    assert await counting.store.tick(0, A, NOW) == RolledBack()


# what the state is told


async def test_feeds_that_are_numbered_anew_are_told_anew(
    redis: Redis, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.answers.REMEMBERED", 3)
    counting = await Counting(redis, namespace, DIMENSIONS, partitions=2).open()
    for n in range(12):
        await counting.count(answer(n % 11, f"r{n}", attributes={"plan": n % 5}), partition=n % 2)
    await counting.assert_equals_recount()


async def test_feeds_and_series_are_told_once(counting: Counting) -> None:
    def told(number: int) -> object:
        read = counting.batch(answer(9, f"r{number}", attributes={"plan": "pro"}))
        body, *_ = counting.store.encode(0, counting.rule.decide(read, None, NOW))
        return body["feeds"], body["series"]  # type: ignore[index]

    whole = ([2], ['["nps"]', '["nps","plan","pro"]'])
    assert told(1) == told(2) == whole, "not before the state has them"
    await counting.count(answer(9, attributes={"plan": "pro"}))
    assert told(3) == ([], [])
    await counting.store.commit(replace(counting.batch(answer()), start=7, end=8), A, AnswersPlan())
    assert told(3) == whole, "a state that stands elsewhere may not have them"
    await counting.count(answer(9, attributes={"plan": "pro"}))
    assert told(3) == ([], [])
    assert await counting.store.claim(0, B)
    assert told(4) == whole, "the state may be another one"


async def test_a_worker_that_has_told_goes_on_after_a_lost_state(counting: Counting, redis: Redis) -> None:
    await counting.count(answer(9, attributes={"plan": "pro"}))
    await redis.delete(*[key async for key in redis.scan_iter(match=f"{counting.prefix}*")])
    await counting.store.claim(0, A)
    assert await counting.store.begin(0, A, 1, 1) == Applied()
    counting.forget()
    await counting.count(answer(3, "r2", attributes={"plan": "pro"}))
    await counting.tick()
    await counting.assert_equals_recount()
