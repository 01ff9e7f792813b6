"""What the state should not hold, and clocks that are wrong: nothing is half applied, and nothing stays wrong."""

from typing import Any

import pytest
from redis.asyncio import Redis

from scoring.scales import NPS, SCORES
from scoring.segments import Dimension, Dimensions
from sinks.redis import answers
from streams.store import StoreCorrupt
from streams.times import DAY, HOUR, MINUTE, from_ms
from tests.make import NOW, answer, groups
from tests.sinks.redis.counting import Counting
from tests.sinks.redis.lanes import A
from tests.sinks.redis.state import dump

PLAN = Dimensions((Dimension("plan"),))


@pytest.fixture
async def counting(redis: Redis, namespace: str) -> Counting:
    return await Counting(redis, namespace, PLAN).open()


async def broken(redis: Redis, key: str) -> Any:
    """Spoil every value of a hash; what it held."""
    whole: Any = await redis.hgetall(key)
    assert whole
    for field in whole:
        await redis.hset(key, field, "[1,")
    return whole


@pytest.mark.parametrize("name", ["feeds", "series"])
async def test_what_cannot_be_read_leaves_no_answer_known_and_not_counted(
    counting: Counting, redis: Redis, name: str
) -> None:
    """Once the key is repaired, the same batch counts whole."""
    await counting.count(answer(9, attributes={"plan": "free"}))
    key = f"{counting.store.base(0)}:{name}"
    whole = await broken(redis, key)
    before = await dump(redis, counting.prefix)
    batch = answer(9, "new", attributes={"plan": "pro"}), answer(3, attributes={"plan": "pro"})
    with pytest.raises(StoreCorrupt):
        await counting.count(*batch)
    assert await dump(redis, counting.prefix) == before
    await redis.hset(key, mapping=whole)
    await counting.count(*batch)
    await counting.assert_equals_recount()


@pytest.mark.parametrize("name", ["feeds", "first", "0:sums", f"0:b:1h/1:{NOW // MINUTE - 10}"])
async def test_what_cannot_be_read_is_folded_into_not_even_in_part(
    counting: Counting, redis: Redis, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = from_ms(NOW - 10 * MINUTE)
    await counting.count(answer(9, "r0"), answer(9, attributes={"plan": "free"}, answered_at=before))
    await counting.tick()
    await counting.count(answer(9, "new", attributes={"plan": "pro"}), answer(3, attributes={"plan": "pro"}))
    key = f"{counting.store.base(0)}:{name}"
    whole = await broken(redis, key)
    held = await dump(redis, counting.prefix)
    monkeypatch.setattr(answers, "WORTH", 0)
    with pytest.raises(StoreCorrupt):
        await answers.AnswersStore(redis, counting.prefix, counting.windows, lambda: NOW).tick(0, A, NOW)
    assert await dump(redis, counting.prefix) == held
    await redis.hset(key, mapping=whole)
    await counting.tick()
    await counting.assert_equals_recount()


async def test_sums_of_another_layout_are_refused_with_what_to_do(counting: Counting, redis: Redis) -> None:
    await counting.count(answer())
    await counting.tick()
    sums = f"{counting.store.base(0)}:0:sums"
    [(id_, row)] = (await redis.hgetall(sums)).items()
    await redis.hset(sums, id_, row[: 4 * SCORES * 6])  # without the newest buckets
    with pytest.raises(StoreCorrupt, match="livenps rebuild"):
        await counting.board()
    await counting.count(answer(3, "r2"))
    with pytest.raises(StoreCorrupt, match="livenps rebuild"):
        await counting.tick()


async def test_a_feed_that_is_gone_leaves_no_answer_known_and_not_counted(
    counting: Counting, redis: Redis
) -> None:
    await counting.count(answer(9, attributes={"plan": "free"}))
    key = f"{counting.store.base(0)}:feeds"
    whole: Any = await redis.hgetall(key)
    await redis.delete(key)
    before = await dump(redis, counting.prefix)
    batch = answer(9, "new"), answer(3, attributes={"plan": "pro"})
    with pytest.raises(StoreCorrupt):
        await counting.count(*batch)
    assert await dump(redis, counting.prefix) == before
    await redis.hset(key, mapping=whole)
    await counting.count(*batch)
    await counting.assert_equals_recount()


async def test_a_bucket_that_its_sum_does_not_hold_is_taken_out_not_even_in_part(
    counting: Counting, redis: Redis
) -> None:
    times = [from_ms(NOW - minutes * MINUTE) for minutes in (0, 10)]
    for at in times:
        given = [answer(9, f"r{at}-{n}", attributes={"plan": n}, answered_at=at) for n in range(20)]
        await counting.count(*given)
    await counting.tick()
    sums = f"{counting.store.base(0)}:0:sums"
    await redis.hdel(sums, (await redis.hkeys(sums))[10])
    before = await dump(redis, counting.prefix)
    for _ in range(2):
        with pytest.raises(StoreCorrupt):
            await counting.store.tick(0, A, NOW + HOUR)
    assert await dump(redis, counting.prefix) == before


async def test_windows_begin_anew_once_a_clock_that_was_ahead_is_right(counting: Counting) -> None:
    """What had left them is gone; it must not stay so until that clock's time has come."""
    await counting.count(answer(9))
    await counting.store.tick(0, A, NOW + 3_650 * DAY)
    await counting.store.tick(0, A, NOW)
    counting.now += 2 * DAY
    await counting.count(answer(3, "r2"), answer(3, "r3", answered_at=from_ms(NOW - DAY)))
    board = await counting.board()
    assert {window: board.tally("nps", window, NPS).groups for window in board.windows} == {
        "all": groups(promoters=1, detractors=2),
        **dict.fromkeys(("1h", "24h", "7d", "30d", "90d"), groups(detractors=1)),
    }


async def test_a_clock_that_is_set_back_a_little_begins_no_window_anew(counting: Counting) -> None:
    await counting.count(answer(9), answer(9, "r2", answered_at=from_ms(NOW - 58 * MINUTE)))
    await counting.store.tick(0, A, NOW + MINUTE)
    await counting.store.tick(0, A, NOW - 5 * MINUTE)
    assert (await counting.board()).tally("nps", "1h", NPS).groups == groups(promoters=2)
