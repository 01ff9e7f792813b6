"""What is known of watched series, kept and read."""

import pytest
from redis.asyncio import Redis

from scoring.scales import NPS
from scoring.segments import Series
from sinks.redis.watch import WatchReader, WatchStore
from streams.events import Baseline
from streams.store import Applied, StoreCorrupt
from streams.times import from_ms
from streams.watch import NEW, Watch, WatchedSeries, WatchPlan, WatchScores
from tests.make import NOW, SERIES, batch, increment
from tests.sinks.redis.lanes import A
from tests.sinks.redis.state import dump

PRO = Series("nps", "plan", "pro")
BASELINE = Baseline(
    survey_id="nps",
    answers=[1, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0],
    days=2,
    set_at=from_ms(NOW),
    set_by="ann",
    reason="r",
)


@pytest.fixture
async def store(redis: Redis, namespace: str) -> WatchStore:
    store = WatchStore(redis, namespace)
    for partition in (0, 1):
        await store.claim(partition, A)
        assert await store.begin(partition, A, 0, 0) == Applied()
    return store


async def test_what_is_known_is_read_as_it_was_written(store: WatchStore, redis: Redis, namespace: str) -> None:
    rule = WatchScores(Watch(dict.fromkeys([SERIES, PRO], NPS), learn=3, learn_days=0))
    read = batch(BASELINE, increment(0, 5, 10), increment(9, series=PRO))
    plan = rule.decide(read, await store.read(read), NOW)
    assert await store.commit(read, A, plan) == Applied()
    assert await store.read(read) == plan.series
    assert plan.series[SERIES.key].drop.evidence > 0
    await store.settle(1, A, WatchPlan(series={Series("other").key: NEW}))
    found = await WatchReader(redis, namespace, range(2)).series()
    assert found == {SERIES: plan.series[SERIES.key], PRO: plan.series[PRO.key], Series("other"): NEW}


async def test_nothing_is_known_at_first(store: WatchStore, redis: Redis, namespace: str) -> None:
    assert await store.read(batch(increment(9))) == {}
    assert await store.read(batch()) == {}
    assert await WatchReader(redis, namespace, range(2)).series() == {}


async def test_settling_leaves_the_position(store: WatchStore, redis: Redis, namespace: str) -> None:
    known = WatchedSeries(baseline=BASELINE)
    assert await store.settle(0, A, WatchPlan(series={SERIES.key: known})) == Applied()
    assert await store.known(0, [SERIES.key]) == {SERIES.key: known}
    read = batch(increment(9))
    assert await store.commit(read, A, WatchPlan()) == Applied()


async def test_a_damaged_key_is_told_before_anything_is_written(
    store: WatchStore, redis: Redis, namespace: str
) -> None:
    await redis.set(f"{store.base(0)}:series", "not ours")
    before = await dump(redis, namespace)
    read = batch(increment(9))
    with pytest.raises(StoreCorrupt):
        await store.read(read)
    with pytest.raises(StoreCorrupt, match="series is of another type"):
        await store.commit(read, A, WatchPlan(series={SERIES.key: NEW}))
    assert await dump(redis, namespace) == before
    await redis.delete(f"{store.base(0)}:series")
    await redis.hset(f"{store.base(0)}:series", SERIES.key, "{")
    with pytest.raises(StoreCorrupt, match="cannot be read"):
        await store.read(read)
