"""A state that is counted anew beside the live one, and the one step that switches to it."""

import asyncio
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from scoring.windows import DEFAULT_WINDOWS
from sinks.redis.answers import AnswersStore
from sinks.redis.board import BoardReader
from sinks.redis.live import Live, live
from sinks.redis.rebuild import CHUNK, RebuildStore
from streams.events import Response
from streams.store import (
    Applied,
    Behind,
    Claimed,
    Fenced,
    Lost,
    Outcome,
    Repeated,
    RolledBack,
    StoreCorrupt,
    StoreUnavailable,
    Token,
)
from tests.make import NOW, answer
from tests.sinks.redis.lanes import LANES, A, B, Lane
from tests.sinks.redis.state import dump, key_names

LEASE = "sinks.redis.lane.LEASE"
R = Token("rebuild-r", 0)
S = Token("rebuild-s", 0)


async def folded(store: AnswersStore, token: Token = A) -> None:
    for _ in range(2):  # what is not worth it waits for more that comes
        assert await store.tick(0, token, NOW) == Applied()


@dataclass
class Rebuild:
    """A rebuild of the same log that the live lane reads, by one owner."""

    lane: Lane
    store: RebuildStore
    token: Token = R
    build: str = ""

    async def start(self, offset: int = 0) -> None:
        build = await self.store.start(0, self.token, offset)
        assert isinstance(build, str)
        self.build = build

    async def fill(self, start: int, end: int) -> Outcome:
        read = self.lane.batch(start, end)
        return await self.store.commit(read, self.token, self.lane.rule.decide(read, None, NOW))

    async def fold(self) -> None:
        await folded(self.store, self.token)

    async def switch(self, seq: str | None = None, *, adopt: bool = True, **options: bool) -> Outcome:
        seq = (await self.live()).seq if seq is None else seq
        return await self.store.switch(0, self.token, self.build, seq, adopt=adopt, **options)

    async def live(self) -> Live:
        found = await live(self.store._redis, self.store.base(0))
        assert found is not None
        return found

    async def end(self) -> int:
        await self.store.drop(0, self.token)
        return await self.store.clear(0)


def new_lane(redis: Redis, prefix: str) -> Lane:
    """An answers lane; one record in three corrects the answer four before it."""
    lane = LANES["answers"](redis, prefix)

    def event(n: int) -> Response:
        id_ = f"r{n - 4 if n % 3 == 2 else n}"
        return answer(n % 11, id_, customer_id="c1", attributes={"plan": "ab"[n % 2]})

    return Lane(lane.store, lane.rule, event)


@pytest.fixture
async def lane(redis: Redis, namespace: str) -> Lane:
    lane = new_lane(redis, namespace)
    await lane.open()
    return lane


def new_rebuild(lane: Lane, token: Token = R) -> Rebuild:
    store = lane.store
    return Rebuild(lane, RebuildStore(store._redis, store._prefix, DEFAULT_WINDOWS, clock=lambda: NOW), token)


@pytest.fixture
def rebuild(lane: Lane) -> Rebuild:
    return new_rebuild(lane)


async def build(redis: Redis, prefix: str, number: str) -> dict[str, object]:
    """All that one build holds, by the part of its keys' names behind its number."""
    marker = f"}}:{number}:"
    content = await dump(redis, prefix)
    return {name.partition(marker)[2]: value for name, value in content.items() if marker in name}


# the whole way


async def test_a_rebuild_beside_a_live_lane_holds_the_same_and_takes_its_place(
    lane: Lane, rebuild: Rebuild, redis: Redis, namespace: str
) -> None:
    await lane.commit(0, 10)
    await rebuild.start()
    assert await rebuild.fill(0, 7) == Applied()
    await lane.commit(10, 14)
    assert await rebuild.fill(7, 14) == Applied()
    await folded(lane.store)
    await rebuild.fold()
    before, shared = await build(redis, namespace, "0"), await shared_keys(redis, namespace)
    assert await build(redis, namespace, rebuild.build) == before
    assert await rebuild.switch() == Applied()
    assert await rebuild.end() == len(before)

    assert await build(redis, namespace, "0") == {}
    assert await build(redis, namespace, rebuild.build) == before
    assert await shared_keys(redis, namespace) == shared
    assert f"{lane.store.base(0)}:rebuild" not in await key_names(redis, namespace)
    assert await lane.commit(14, 16) == RolledBack()
    assert await lane.store.claim(0, A) == Claimed(14, NOW)
    assert await lane.commit(14, 20) == Applied()
    await rebuild.start()
    await rebuild.fill(0, 20)
    assert await rebuild.switch() == Applied()


async def shared_keys(redis: Redis, prefix: str) -> dict[str, object]:
    """What builds share: series, feeds, first acceptances, counters, returned events."""
    names = ("series", "feeds", "first", "counts", "out")
    return {name: value for name, value in (await dump(redis, prefix)).items() if name.endswith(names)}


async def test_first_acceptances_that_are_not_folded_in_yet_outlive_the_switch(
    lane: Lane, rebuild: Rebuild, redis: Redis, namespace: str
) -> None:
    await lane.commit(0, 10)
    board = BoardReader(redis, namespace, DEFAULT_WINDOWS, 1, clock=lambda: NOW)
    before = await board.board()
    await rebuild.start()
    await rebuild.fill(0, 10)
    assert await rebuild.switch() == Applied()
    await lane.store.claim(0, A)
    for _ in range(2):
        after = await BoardReader(redis, namespace, DEFAULT_WINDOWS, 1, clock=lambda: NOW).board()
        assert (after.first, after.windows) == (before.first, before.windows)
        await folded(lane.store)


async def test_nothing_is_returned_or_counted_by_a_rebuild(
    lane: Lane, rebuild: Rebuild, redis: Redis, namespace: str
) -> None:
    await lane.commit(0, 10)
    await folded(lane.store)
    shared = await shared_keys(redis, namespace)
    assert len(shared) == 5
    await rebuild.start()
    await rebuild.fill(0, 10)
    await rebuild.fold()
    assert await shared_keys(redis, namespace) == shared
    assert await lane.commit(10, 12) == Applied(), "the live lane notices nothing before the switch"


async def test_what_was_damaged_is_right_after_a_rebuild(
    lane: Lane, rebuild: Rebuild, redis: Redis, namespace: str
) -> None:
    await lane.commit(0, 10)
    await folded(lane.store)
    before = await build(redis, namespace, "0")
    data = f"{lane.store.base(0)}:0:"
    assert await redis.delete(data + "span", data + "sums") == 2
    await redis.set(data + "sums", "of another type")
    assert await build(redis, namespace, "0") != before
    await rebuild.start()
    await rebuild.fill(0, 10)
    await rebuild.fold()
    assert await rebuild.switch() == Applied()
    await rebuild.end()
    assert await build(redis, namespace, rebuild.build) == before


async def test_a_window_that_was_added_is_whole_after_a_rebuild(redis: Redis, namespace: str) -> None:
    few = AnswersStore(redis, namespace, DEFAULT_WINDOWS[:1], clock=lambda: NOW)
    lane = new_lane(redis, namespace)
    lane.store = few
    await lane.open()
    await lane.commit(0, 10)
    await folded(few)
    board = BoardReader(redis, namespace, DEFAULT_WINDOWS, 4, clock=lambda: NOW)
    assert (await board.partition(0)).windows["24h"] == {}
    rebuild = new_rebuild(lane)
    await rebuild.start()
    await rebuild.fill(0, 10)
    rebuilt = (await board.partition(0, lane="rebuild")).windows
    assert rebuilt["24h"] == rebuilt["all"] == (await board.partition(0)).windows["all"] != {}
    assert await rebuild.switch() == Applied()
    assert (await board.partition(0)).windows == rebuilt


# the switch


@pytest.mark.parametrize("filled", [4, 8])
async def test_a_rebuild_that_stands_elsewhere_is_not_switched_to(
    lane: Lane, rebuild: Rebuild, redis: Redis, namespace: str, filled: int
) -> None:
    await lane.commit(0, 6)
    await rebuild.start()
    await rebuild.fill(0, filled)
    before = await dump(redis, namespace)
    assert await rebuild.switch() == Behind(6)
    assert await dump(redis, namespace) == before


async def test_a_live_state_that_has_changed_since_it_was_compared_is_not_given_up(
    lane: Lane, rebuild: Rebuild
) -> None:
    await lane.commit(0, 6)
    await rebuild.start()
    await rebuild.fill(0, 6)
    seq = (await rebuild.live()).seq
    assert isinstance(lane.store, AnswersStore)
    assert await lane.store.tick(0, A, NOW) == Applied()
    assert await rebuild.switch(seq) == Behind(6)
    assert await rebuild.switch() == Applied()


async def test_a_comparison_alone_changes_nothing(
    lane: Lane, rebuild: Rebuild, redis: Redis, namespace: str
) -> None:
    await lane.commit(0, 6)
    before = await build(redis, namespace, "0")
    await rebuild.start()
    await rebuild.fill(0, 6)
    assert await rebuild.switch(adopt=False) == Applied()
    assert await rebuild.end() == len(before)
    assert await build(redis, namespace, "0") == before
    assert await build(redis, namespace, rebuild.build) == {}
    assert await lane.commit(6, 8) == Applied()


async def test_a_switch_whose_reply_was_lost_is_no_failure(lane: Lane, rebuild: Rebuild) -> None:
    await lane.commit(0, 6)
    await rebuild.start()
    await rebuild.fill(0, 6)
    seq = (await rebuild.live()).seq
    assert [await rebuild.switch(seq), await rebuild.switch(seq)] == [Applied()] * 2
    assert await rebuild.store.start(0, S, 0) != Fenced(), "it holds nothing any more"


async def test_a_batch_whose_reply_was_lost_is_filled_once(lane: Lane, rebuild: Rebuild) -> None:
    await lane.commit(0, 6)
    await rebuild.start()
    assert [await rebuild.fill(0, 6), await rebuild.fill(0, 6)] == [Applied(), Repeated()]
    assert await rebuild.switch() == Applied()


@pytest.mark.parametrize("switched", [True, False])
async def test_a_live_lane_that_is_held_goes_on_afterwards(lane: Lane, rebuild: Rebuild, switched: bool) -> None:
    await lane.commit(0, 6)
    await rebuild.start()
    assert await rebuild.switch(hold=True) == Behind(6)
    assert await lane.commit(6, 8) == Fenced()
    assert await lane.store.hold(0, A) == Fenced()
    assert await lane.store.claim(0, A) == Fenced()
    if switched:
        await rebuild.fill(0, 6)
        assert await rebuild.switch() == Applied()
    await rebuild.end()
    assert await lane.store.claim(0, A) == Claimed(6, NOW)
    assert await lane.commit(6, 8) == Applied()


async def test_a_worker_of_a_newer_generation_is_not_held(lane: Lane, rebuild: Rebuild) -> None:
    await lane.commit(0, 6)
    await rebuild.start()
    await rebuild.switch(hold=True)
    assert await lane.store.claim(0, B) == Claimed(6, NOW)
    assert await lane.commit(6, 8, B) == Applied()
    await rebuild.end()
    assert await lane.commit(8, 9, B) == Applied()


async def test_a_position_that_the_log_no_longer_reaches_is_given_up_for_the_rebuilt_one(
    lane: Lane, rebuild: Rebuild, redis: Redis
) -> None:
    await lane.commit(0, 9)
    await redis.hset(f"{lane.store.base(0)}:lane", "until", "20")
    await rebuild.start(offset=2)
    await rebuild.fill(2, 5)
    assert await rebuild.switch() == Behind(9)
    assert await rebuild.switch(jump=True) == Applied()
    await rebuild.end()
    assert await lane.store.claim(0, A) == Claimed(5, NOW)
    assert not await redis.hexists(f"{lane.store.base(0)}:lane", "until")
    assert await lane.commit(5, 7) == Applied()


# two at once, and those that die


async def test_a_second_rebuild_is_refused_while_the_first_is_at_work(lane: Lane, rebuild: Rebuild) -> None:
    await lane.commit(0, 6)
    await rebuild.start()
    second = asyncio.create_task(rebuild.store.start(0, S, 0))
    filled = 0
    while not second.done():
        assert await rebuild.fill(filled, filled + 1) == Applied()
        filled += 1
        await asyncio.sleep(0.05)
    assert await second == Fenced()
    assert await rebuild.fill(filled, filled + 1) == Applied()


async def test_a_rebuild_that_died_is_begun_anew(
    lane: Lane, rebuild: Rebuild, redis: Redis, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lane.commit(0, 6)
    await folded(lane.store)
    before = await build(redis, namespace, "0")
    with monkeypatch.context() as patched:
        patched.setattr(LEASE, 300)
        await rebuild.start()
        await rebuild.fill(0, 5)
        await rebuild.fold()
    second = new_rebuild(lane, S)
    await second.start()
    assert second.build != rebuild.build
    assert await second.store.clear(0) == len(await build(redis, namespace, "0")), "the half build"
    await second.fill(0, 6)
    await second.fold()

    # The first one was only slow: nothing it still does has an effect.
    for late in (await rebuild.fill(5, 6), await rebuild.switch()):
        assert late == Fenced()
    assert await rebuild.end() == 0
    assert await build(redis, namespace, second.build) == before
    assert await second.switch() == Applied()
    await second.end()
    assert await rebuild.fill(5, 6) == Lost()
    await rebuild.end()
    assert await build(redis, namespace, second.build) == before


async def test_keys_that_a_crash_has_left_are_removed_by_the_next_one(
    lane: Lane, rebuild: Rebuild, redis: Redis, namespace: str
) -> None:
    await lane.commit(0, 6)
    await folded(lane.store)
    await rebuild.start()
    await rebuild.fill(0, 6)
    await rebuild.fold()
    await rebuild.switch()  # and no end
    assert await build(redis, namespace, "0")
    second = new_rebuild(lane, S)
    await second.start()
    await second.fill(0, 6)
    await second.fold()
    await second.store.clear(0)
    assert await build(redis, namespace, "0") == {}
    assert await build(redis, namespace, rebuild.build) == await build(redis, namespace, second.build) != {}


async def test_exactly_the_builds_of_the_one_partition_are_removed(redis: Redis, namespace: str) -> None:
    prefix = rf"{namespace}a*[b]\?"
    lane, beside = new_lane(redis, prefix), new_lane(redis, f"{namespace}axb{chr(92)}y")
    for partition in (0, 1):
        await lane.open(partition=partition)
        await lane.commit(0, 3, partition=partition)
    await beside.open()
    await beside.commit(0, 3)
    base = lane.store.base(0)
    many = [f"{base}:7:index:{n:04x}" for n in range(2 * CHUNK + 1)]
    for name in [*many, f"{base}:12:span"]:
        await redis.hset(name, "field", "value")
    await redis.set(f"{base}:1.5:not ours", "kept")
    before = {name for name in await key_names(redis, namespace) if ":7:" not in name and ":12:" not in name}
    assert await new_rebuild(lane).store.clear(0) == len(many) + 1
    assert set(await key_names(redis, namespace)) == before


async def test_a_rebuild_whose_state_is_lost_says_so(
    lane: Lane, rebuild: Rebuild, redis: Redis, namespace: str
) -> None:
    await rebuild.start()
    await rebuild.fill(0, 3)
    await redis.delete(*await key_names(redis, namespace))
    assert await rebuild.fill(3, 5) == Lost()
    assert await rebuild.switch("0") in (Lost(), RolledBack())


async def test_a_key_of_another_type_is_refused(lane: Lane, rebuild: Rebuild, redis: Redis) -> None:
    name = f"{lane.store.base(0)}:rebuild"
    await redis.set(name, "not ours")
    with pytest.raises(StoreCorrupt, match="of another type"):
        await rebuild.start()
    await redis.delete(name)
    await rebuild.start()
    await redis.delete(f"{lane.store.base(0)}:lane")
    await redis.set(f"{lane.store.base(0)}:lane", "not ours")
    with pytest.raises(StoreCorrupt, match="of another type"):
        await rebuild.switch("1")
    with pytest.raises(StoreCorrupt, match="of another type"):
        await rebuild.start()


@pytest.mark.parametrize("url", ["redis_url"], indirect=True)
@pytest.mark.real
async def test_a_rebuild_that_takes_the_last_memory_gives_it_back(
    url: str, redis: Redis, lane: Lane, rebuild: Rebuild, namespace: str
) -> None:
    """Only the real one has a limit."""
    await lane.commit(0, 6)
    before = await build(redis, namespace, "0")
    await rebuild.start()
    await rebuild.fill(0, 3)
    try:
        await redis.config_set("maxmemory", "1")
        with pytest.raises(StoreUnavailable, match="refuses for now"):
            await rebuild.fill(3, 6)
        assert await rebuild.end() > 0
    finally:
        await redis.config_set("maxmemory", "0")
    assert await build(redis, namespace, rebuild.build) == {}
    assert await build(redis, namespace, "0") == before
    assert f"{lane.store.base(0)}:rebuild" not in await key_names(redis, namespace)
    assert await lane.commit(6, 8) == Applied()


async def test_a_rebuild_tells_the_newest_answer_where_the_state_does_not(
    lane: Lane, rebuild: Rebuild, redis: Redis
) -> None:
    newest = f"{lane.store.base(0)}:newest"
    await lane.commit(0, 10)
    before = await redis.hgetall(newest)
    assert before
    await redis.delete(newest)
    await rebuild.start()
    await rebuild.fill(0, 10)
    assert await redis.hgetall(newest) == before
