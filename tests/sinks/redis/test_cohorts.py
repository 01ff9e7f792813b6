"""Who was invited in a window, and who of them answered: written by the customer lane, read by the board."""

import pytest
from redis.asyncio import Redis

from scoring.board import Cohort
from scoring.windows import Window
from sinks.redis.board import BoardReader
from sinks.redis.cohorts import first, width
from sinks.redis.customers import CustomersStore
from streams.customers_tick import customers_tick
from streams.events import Answered, CustomerEvent
from streams.store import Applied, Repeated, StoreCorrupt
from streams.times import DAY, HOUR, MINUTE, from_ms
from tests.make import NOW, batch, deciding, survey, touchpoint
from tests.sinks.redis.lanes import A

DAY_LONG = Window("24h", 24 * HOUR, 15 * MINUTE)
WINDOWS = [Window("1h", HOUR, MINUTE), DAY_LONG]
RULE = deciding(survey())


class Lane:
    """One partition of the lane, and the board of both, at a time of the test's."""

    def __init__(self, redis: Redis, prefix: str, partition: int = 0) -> None:
        self.store = CustomersStore(redis, prefix, windows=WINDOWS)
        self.now, self._position, self._partition = NOW, 0, partition
        self._redis, self._prefix = redis, prefix

    async def open(self) -> "Lane":
        await self.store.claim(self._partition, A)
        await self.store.begin(self._partition, A, 0, 0)
        return self

    async def happens(self, *events: CustomerEvent) -> None:
        read = batch(*events, start=self._position, partition=self._partition, timestamp=self.now)
        plan = RULE.decide(read, await self.store.read(read), self.now)
        assert await self.store.commit(read, A, plan) == Applied()
        assert await self.store.commit(read, A, plan) == Repeated()
        self._position = read.end

    async def cohorts(self, window: str) -> Cohort | None:
        board = await BoardReader(self._redis, self._prefix, WINDOWS, 2, lambda: self.now).board()
        return board.cohorts[window].get("nps")


def answered(customer: str, at: int) -> Answered:
    return Answered(
        event_id=f"answered:{customer}", customer_id=customer, survey_id="nps", occurred_at=from_ms(at)
    )


@pytest.fixture
async def lane(redis: Redis, namespace: str) -> Lane:
    return await Lane(redis, namespace).open()


async def test_an_answer_counts_in_the_windows_of_its_invitation(lane: Lane) -> None:
    assert await lane.cohorts("24h") is None
    await lane.happens(touchpoint(customer="c1"), touchpoint(customer="c2"), touchpoint(customer="c3"))
    assert await lane.cohorts("1h") == Cohort(3, 0)
    lane.now += 2 * HOUR
    await lane.happens(answered("c1", lane.now))
    assert await lane.cohorts("1h") is None
    assert await lane.cohorts("24h") == Cohort(3, 1)


async def test_partitions_are_summed(redis: Redis, namespace: str, lane: Lane) -> None:
    other = await Lane(redis, namespace, partition=1).open()
    await lane.happens(touchpoint(customer="c1"))
    await other.happens(touchpoint(customer="c2"), answered("c2", NOW))
    assert await lane.cohorts("1h") == Cohort(2, 1)


async def test_what_no_window_holds_is_forgotten_once_an_hour(redis: Redis, lane: Lane) -> None:
    tick = customers_tick(RULE, lane.store)
    key = lane.store.base(0) + ":cohorts"
    await lane.happens(touchpoint(customer="c1"))
    assert await tick(0, A, lane.now) == Applied()
    assert await redis.hlen(key) == len(WINDOWS) + 1  # when that was done
    lane.now += 2 * HOUR
    assert await tick(0, A, lane.now) == Applied()
    assert await redis.hlen(key) == 2
    assert await lane.cohorts("24h") == Cohort(1, 0)
    lane.now += DAY
    assert await tick(0, A, lane.now) == Applied()
    assert await redis.hkeys(key) == [b"swept"]


async def test_a_damaged_count_is_reported(redis: Redis, lane: Lane) -> None:
    await redis.set(lane.store.base(0) + ":cohorts", "not ours")
    with pytest.raises(StoreCorrupt):
        await lane.happens(touchpoint())
    with pytest.raises(StoreCorrupt):
        await customers_tick(RULE, lane.store)(0, A, NOW)


@pytest.mark.parametrize(
    ("window", "minutes"),
    [
        (Window("1h", HOUR, MINUTE), 3),
        (DAY_LONG, 60),
        (Window("7d", 7 * DAY, 2 * HOUR), 8 * 60),
        (Window("90d", 90 * DAY, DAY), 4 * 24 * 60),
        (Window("short", HOUR, HOUR), 60),
    ],
)
def test_a_window_has_about_24_buckets_and_no_more_than_its_length(window: Window, minutes: int) -> None:
    assert width(window) == minutes
    buckets = NOW // MINUTE // minutes - first(window, NOW) + 1
    assert buckets * minutes * MINUTE <= window.length + minutes * MINUTE
    assert buckets <= 25
