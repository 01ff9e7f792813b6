"""What commands do to a lane's position, on every lane: look, own it at rest, and set it."""

import asyncio

import pytest
from redis.asyncio import Redis

from sinks.redis.live import Live, live, patiently
from streams.store import Applied, Behind, Claimed, Fenced, Repeated, RolledBack, Token
from tests.make import NOW
from tests.sinks.redis.lanes import LANES, A, Lane
from tests.sinks.redis.state import dump

LEASE = "sinks.redis.lane.LEASE"
HAND = Token("by hand", -1)


@pytest.fixture(params=LANES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def lane(name: str, redis: Redis, namespace: str) -> Lane:
    return LANES[name](redis, namespace)


@pytest.fixture
def command(name: str, redis: Redis, namespace: str) -> Lane:
    """The same lane in another process."""
    return LANES[name](redis, namespace)


async def test_where_a_lane_stands(lane: Lane, redis: Redis) -> None:
    assert await live(redis, lane.store.base(0)) is None
    await lane.open(offset=7)
    assert await live(redis, lane.store.base(0)) == Live(7, 0, "1")
    await lane.commit(7, 9)
    assert await live(redis, lane.store.base(0)) == Live(9, NOW, "2")


@pytest.mark.parametrize("to", [0, 4, 900])
async def test_a_position_is_set_back_and_forth(lane: Lane, redis: Redis, to: int) -> None:
    await lane.open()
    await lane.commit(0, 4)
    await redis.hset(f"{lane.store.base(0)}:lane", mapping={"lease": "0", "until": "1000"})
    assert await lane.store.claim(0, HAND) == Claimed(4, NOW)
    assert await lane.store.seek(0, HAND, 4, to) == Applied()
    assert await lane.store.claim(0, A) == Claimed(to, 0), "without a timestamp: there is no record to compare"
    assert not await redis.hexists(f"{lane.store.base(0)}:lane", "until")
    assert await lane.commit(to, to + 2) == Applied()


async def test_a_worker_that_had_not_heard_of_it_goes_on_from_there(
    lane: Lane, command: Lane, redis: Redis
) -> None:
    await lane.open()
    await lane.commit(0, 4)
    await redis.hset(f"{lane.store.base(0)}:lane", "lease", "0")
    await command.store.claim(0, HAND)
    assert await command.store.seek(0, HAND, 4, 2) == Applied()
    assert await lane.commit(4, 6) == Behind(2)
    assert await lane.commit(2, 4) == RolledBack()
    await lane.store.claim(0, A)
    assert await lane.commit(2, 4) == Applied()


async def test_a_position_that_has_moved_is_not_set(lane: Lane, redis: Redis, namespace: str) -> None:
    await lane.open()
    await lane.commit(0, 4)
    await redis.hset(f"{lane.store.base(0)}:lane", "lease", "0")
    await lane.store.claim(0, HAND)
    before = await dump(redis, namespace)
    assert await lane.store.seek(0, HAND, 3, 9) == Behind(4)
    assert await lane.store.seek(0, HAND, 5, 2) == Repeated()
    assert await dump(redis, namespace) == before


async def test_a_partition_that_a_worker_works_on_is_left_alone(lane: Lane, redis: Redis) -> None:
    await lane.open()
    assert await lane.store.seek(0, HAND, 0, 9) == Fenced()
    claim = asyncio.create_task(patiently(redis, f"{lane.store.base(0)}:lane", lambda: lane.store.claim(0, HAND)))
    while not claim.done():
        assert await lane.store.hold(0, A) == Applied()
        await asyncio.sleep(0.05)
    assert await claim == Fenced()
    assert await lane.commit(0, 2) == Applied()


async def test_a_lease_that_nobody_renews_is_waited_for(
    lane: Lane, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(LEASE, 700)
        await lane.open()
    claim = await patiently(redis, f"{lane.store.base(0)}:lane", lambda: lane.store.claim(0, HAND))
    assert claim == Claimed(0, 0)
