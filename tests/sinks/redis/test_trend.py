"""How a series' answers are spread over the buckets of a window."""

import random
from collections import Counter

import pytest
from redis.asyncio import Redis

from scoring.scales import SCORES
from scoring.segments import Dimension, Dimensions, Series
from scoring.windows import DEFAULT_WINDOWS, Window
from sinks.redis.trend import TrendReader
from streams.store import StoreCorrupt
from streams.times import DAY, HOUR, MINUTE, from_ms
from tests.make import NOW, answer
from tests.sinks.redis.counting import Counting

PLAN = Dimensions((Dimension("plan"),))
WINDOWS = {window.name: window for window in DEFAULT_WINDOWS}


@pytest.fixture
async def counting(redis: Redis, namespace: str) -> Counting:
    return await Counting(redis, namespace, PLAN, partitions=2).open()


async def trend(counting: Counting, series: Series, window: Window) -> dict[int, list[int]]:
    """By the beginning of each bucket, the answers by score, where there are some."""
    reader = TrendReader(counting.redis, counting.prefix, 2, lambda: counting.now)
    found = await reader.trend(series, window)
    assert [bucket.at for bucket in found] == [*range(found[0].at, found[-1].at + 1, window.width)]
    return {bucket.at: bucket.histogram for bucket in found if any(bucket.histogram)}


async def test_every_answer_is_in_its_bucket_pending_or_folded_in(counting: Counting) -> None:
    chance = random.Random(7)
    sent = [
        (NOW - chance.randrange(3 * DAY), chance.randrange(SCORES), chance.choice(["free", "pro"]), n % 2)
        for n in range(200)
    ]

    def expected(window: Window, plans: set[str], number: int) -> dict[int, list[int]]:
        found: dict[int, Counter[int]] = {}
        for at, score, plan, _ in sent[:number]:
            bucket = at // window.width * window.width
            if plan in plans and at // window.width >= window.first(NOW):
                found.setdefault(bucket, Counter())[score] += 1
        return {bucket: [scores[n] for n in range(SCORES)] for bucket, scores in found.items()}

    for n, (at, score, plan, partition) in enumerate(sent, 1):
        one = answer(score, f"r{n}", attributes={"plan": plan}, answered_at=from_ms(at))
        await counting.count(one, partition=partition)
        if n in (60, 140):
            await counting.tick()
        if n in (60, 100, 200):
            for name in ("24h", "7d"):
                window = WINDOWS[name]
                assert await trend(counting, Series("nps"), window) == expected(window, {"free", "pro"}, n)
                assert await trend(counting, Series("nps", "plan", "pro"), window) == expected(window, {"pro"}, n)


async def test_a_correction_moves(counting: Counting) -> None:
    window = WINDOWS["24h"]
    await counting.count(answer(3, answered_at=from_ms(NOW - 2 * HOUR)))
    await counting.tick()
    await counting.count(answer(9, answered_at=from_ms(NOW)))
    [(at, histogram)] = (await trend(counting, Series("nps"), window)).items()
    assert at == NOW // window.width * window.width
    assert histogram[9] == sum(histogram) == 1


async def test_nothing_was_answered(counting: Counting) -> None:
    assert await trend(counting, Series("nps"), WINDOWS["1h"]) == {}
    await counting.count(answer(answered_at=from_ms(NOW - 90 * MINUTE)))
    assert await trend(counting, Series("nps"), WINDOWS["1h"]) == {}
    assert await trend(counting, Series("gone"), WINDOWS["24h"]) == {}


@pytest.mark.parametrize("key", ["0:pending", f"0:b:24h/15:{NOW // (15 * MINUTE)}"])
async def test_a_damaged_state_is_reported(counting: Counting, redis: Redis, key: str) -> None:
    await counting.count(answer(answered_at=from_ms(NOW)))
    await redis.set(f"{counting.store.base(0)}:{key}", "not ours")
    with pytest.raises(StoreCorrupt, match=key):
        await trend(counting, Series("nps"), WINDOWS["24h"])


@pytest.mark.parametrize("name", ["sums", f"b:24h/15:{NOW // (15 * MINUTE) - 2}"])
async def test_a_cell_that_is_cut_off_is_reported(counting: Counting, redis: Redis, name: str) -> None:
    await counting.count(answer(), answer(3, "r2", answered_at=from_ms(NOW - 30 * MINUTE)))
    await counting.tick()
    key = f"{counting.store.base(0)}:0:{name}"
    [field] = await redis.hkeys(key)
    await redis.hset(key, field, b"cut")
    with pytest.raises(StoreCorrupt, match="not what a lane writes"):
        await trend(counting, Series("nps"), WINDOWS["24h"])
