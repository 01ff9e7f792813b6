"""The contract of every lane's state: claims, and batches that are applied once or not at all."""

import pytest
from redis.asyncio import Redis

from sinks.redis.client import connect
from streams.events import encode
from streams.store import (
    OUTBOX_CHUNK,
    Applied,
    Behind,
    Claimed,
    Fenced,
    Lost,
    Outcome,
    Outgoing,
    Repeated,
    StoreCorrupt,
    StoreUnavailable,
    Token,
)
from tests.conftest import RunPart
from tests.make import NOW, touchpoint
from tests.real.redis import Redis as RedisServer
from tests.real.wait import until
from tests.sinks.redis.lanes import LANES, A, B, Lane
from tests.sinks.redis.state import dump, key_names

LEASE = "sinks.redis.lane.LEASE"


@pytest.fixture(params=LANES)
def lane(request: pytest.FixtureRequest, redis: Redis, namespace: str) -> Lane:
    return LANES[request.param](redis, namespace)


# positions


async def test_a_new_partition_has_no_position_until_it_is_begun(lane: Lane) -> None:
    assert await lane.store.claim(0, A) == Claimed(None, 0)
    assert await lane.store.begin(0, A, 7, 7) == Applied()
    assert await lane.store.claim(0, A) == Claimed(7, 0)


async def test_a_position_that_exists_is_not_begun_again(lane: Lane) -> None:
    await lane.open(offset=7)
    await lane.store.begin(0, A, 0, 0)
    assert await lane.store.claim(0, A) == Claimed(7, 0)


async def test_a_batch_moves_the_position_to_its_end(lane: Lane) -> None:
    await lane.open()
    assert await lane.commit(0, 2) == Applied()
    assert await lane.commit(2, 5) == Applied()
    assert await lane.store.claim(0, A) == Claimed(5, NOW)


async def test_a_batch_of_nothing_but_bad_records_moves_the_position_too(lane: Lane) -> None:
    await lane.open()
    empty = lane.batch(0, 0)
    empty.end = 3
    assert await lane.store.commit(empty, A, await lane.plan(empty)) == Applied()
    assert await lane.store.claim(0, A) == Claimed(3, NOW)


async def test_gaps_in_the_log_are_harmless(lane: Lane) -> None:
    """Compaction leaves gaps: a batch begins where the last one ended, whatever offsets are left."""
    await lane.open()
    await lane.commit(0, 2)
    read = lane.batch(10, 12)
    read.start = 2
    assert await lane.store.commit(read, A, await lane.plan(read)) == Applied()


async def test_offsets_beyond_32_bits_are_exact(lane: Lane) -> None:
    start = 2**53 - 10
    await lane.open(offset=start)
    assert await lane.commit(start, start + 2) == Applied()
    assert await lane.store.claim(0, A) == Claimed(start + 2, NOW)


async def test_partitions_are_apart(lane: Lane) -> None:
    await lane.open(partition=0)
    await lane.open(B, partition=1, offset=40)
    assert await lane.commit(0, 2) == Applied()
    assert await lane.commit(40, 41, B, partition=1) == Applied()
    assert await lane.store.claim(0, A) == Claimed(2, NOW)


# nothing is applied twice or out of order


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param(2, 4, Repeated(), id="the same again"),
        pytest.param(0, 4, Repeated(), id="a longer one with the same end"),
        pytest.param(1, 3, Repeated(), id="an earlier one"),
        pytest.param(2, 6, Behind(4), id="stale: part of it is applied"),
        pytest.param(6, 8, Behind(4), id="gap: records are missing before it"),
    ],
)
async def test_a_batch_that_does_not_begin_at_the_position_changes_nothing(
    lane: Lane, redis: Redis, namespace: str, start: int, end: int, expected: Outcome
) -> None:
    await lane.open()
    await lane.commit(0, 2)
    await lane.commit(2, 4)
    before = await dump(redis, namespace)
    assert await lane.commit(start, end) == expected
    assert await dump(redis, namespace) == before


async def test_without_a_position_a_batch_is_lost_and_changes_nothing(
    lane: Lane, redis: Redis, namespace: str
) -> None:
    await lane.store.claim(0, A)
    before = await dump(redis, namespace)
    assert await lane.commit(0, 2) == Lost()
    assert await dump(redis, namespace) == before


async def test_a_state_that_was_rolled_back_asks_for_the_missing_records(lane: Lane, redis: Redis) -> None:
    await lane.open()
    await lane.commit(0, 2)
    await redis.hset(f"{lane.store.base(0)}:lane", "off", "0")
    assert await lane.commit(2, 4) == Behind(0)


async def test_a_replay_from_the_start_gives_the_same_state(lane: Lane, redis: Redis, namespace: str) -> None:
    """A crash between two batches: the next owner sends again what it does not know to be applied."""
    await lane.open()
    for start in range(0, 6, 2):
        await lane.commit(start, start + 2)
    before = await dump(redis, namespace)
    assert await lane.store.claim(0, B) == Claimed(6, NOW)
    assert [await lane.commit(start, start + 2, B) for start in range(0, 6, 2)] == [Repeated()] * 3
    assert await dump(redis, namespace) == before


# ownership


async def test_a_higher_generation_takes_over_at_once(lane: Lane) -> None:
    await lane.open(A)
    await lane.commit(0, 2, A)
    assert await lane.store.claim(0, B) == Claimed(2, NOW)
    assert await lane.commit(2, 4, B) == Applied()


async def test_a_former_owner_is_fenced_and_changes_nothing(lane: Lane, redis: Redis, namespace: str) -> None:
    await lane.open(A)
    await lane.store.claim(0, B)
    before = await dump(redis, namespace)
    assert await lane.commit(0, 2, A) == Fenced()
    assert await lane.store.claim(0, A) == Fenced()
    assert await lane.store.begin(0, A, 9, 9) == Fenced()
    assert await lane.store.hold(0, A) == Fenced()
    assert await dump(redis, namespace) == before
    assert await lane.commit(0, 2, B) == Applied()


async def test_another_worker_of_the_same_generation_is_fenced(lane: Lane) -> None:
    await lane.open(A)
    other = Token("worker-c", A.generation)
    assert await lane.store.claim(0, other) == Fenced()
    assert await lane.commit(0, 2, other) == Fenced()
    assert await lane.commit(0, 2, A) == Applied()


async def test_a_worker_may_claim_again_with_any_generation(lane: Lane) -> None:
    """Kafka forgets the generation of a group that was empty for long."""
    await lane.open(A)
    assert await lane.store.claim(0, Token(A.owner, 1)) == Claimed(0, 0)
    assert await lane.commit(0, 2, Token(A.owner, 1)) == Applied()


async def test_a_higher_generation_need_not_claim_first(lane: Lane) -> None:
    await lane.open(A)
    assert await lane.commit(1, 3, B) == Behind(0)
    assert await lane.commit(0, 2, B) == Applied()
    assert await lane.commit(2, 4, A) == Fenced()


async def test_a_lower_generation_claims_once_the_lease_has_run_out(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LEASE, 1)
    await lane.open(B)

    async def claimed() -> bool:
        return await lane.store.claim(0, A) == Claimed(0, 0)

    await until(claimed)
    assert await lane.commit(0, 2, A) == Applied()


async def test_a_lower_generation_cannot_commit_without_a_claim(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(LEASE, -1)
        await lane.open(B)
    assert await lane.commit(0, 2, A) == Fenced()


@pytest.mark.parametrize("renewal", ["hold", "commit", "claim"])
async def test_whoever_works_keeps_the_lease(lane: Lane, monkeypatch: pytest.MonkeyPatch, renewal: str) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(LEASE, -1)
        await lane.open(B)
    if renewal == "hold":
        assert await lane.store.hold(0, B) == Applied()
    elif renewal == "commit":
        assert await lane.commit(0, 2, B) == Applied()
    else:
        await lane.store.claim(0, B)
    assert await lane.store.claim(0, A) == Fenced()


# returned events and counts


async def returning(lane: Lane, start: int, *outgoing: Outgoing) -> None:
    """Commit a batch of one record that reads as nothing and returns events."""
    read = lane.batch(start, start)
    read.end = start + 1
    plan = await lane.plan(read)
    plan.outgoing = list(outgoing)
    assert await lane.store.commit(read, A, plan) == Applied()


async def test_returned_events_wait_in_order_until_they_are_published(lane: Lane) -> None:
    odd = touchpoint("\"ü€'\\\n\0👍", properties={"total": 1.5})
    first = [Outgoing("touchpoints", "c 1", odd), Outgoing("touchpoints", "c2", touchpoint())]
    await lane.open()
    await returning(lane, 0, *first)
    await returning(lane, 1)
    await returning(lane, 2, first[1])
    entries = await lane.store.outbox(0)
    written = [(one.topic, one.key, encode(one.event)) for one in first]
    assert [messages for _, messages in entries] == [written, written[1:]]
    await lane.store.published(0, [entries[0][0]])
    assert await lane.store.outbox(0) == entries[1:]
    await lane.store.published(0, [entries[1][0]])
    assert await lane.store.outbox(0) == []


async def test_the_outbox_is_read_in_bounded_parts_the_oldest_first(lane: Lane) -> None:
    await lane.open()
    for offset in range(OUTBOX_CHUNK + 2):
        await returning(lane, offset, Outgoing("touchpoints", str(offset), touchpoint()))
    entries = await lane.store.outbox(0)
    assert [messages[0][1] for _, messages in entries] == [str(offset) for offset in range(OUTBOX_CHUNK)]


async def test_counts_add_up_over_batches(lane: Lane, redis: Redis) -> None:
    await lane.open()
    await lane.commit(0, 2)
    await lane.commit(2, 5)
    await lane.commit(2, 5)
    counts = await redis.hgetall(f"{lane.store.base(0)}:counts")
    assert counts[b'["records_total","seen"]'] == b"5"


# a damaged or failing state


async def test_keys_of_another_type_are_refused_before_anything_is_written(
    lane: Lane, redis: Redis, namespace: str
) -> None:
    """Each key that a batch touches in turn; Lua does not roll back what it wrote before it failed."""
    await lane.open()
    await lane.commit(0, 3)
    touched = [name for name in await key_names(redis, namespace) if name.startswith(lane.store.base(0))]
    assert len(touched) >= 4
    for partition, name in enumerate(touched, start=1):
        await lane.open(partition=partition)
        broken = name.replace(lane.store.base(0), lane.store.base(partition))
        plan = await lane.plan(lane.batch(0, 3, partition))
        await redis.delete(broken)
        await redis.set(broken, "not ours")
        before = await dump(redis, namespace)
        with pytest.raises(StoreCorrupt):
            await lane.store.commit(lane.batch(0, 3, partition), A, plan)
        assert await dump(redis, namespace) == before, broken


async def test_a_claim_of_a_damaged_partition_is_refused(lane: Lane, redis: Redis) -> None:
    await redis.set(f"{lane.store.base(0)}:lane", "not ours")
    with pytest.raises(StoreCorrupt, match="of another type"):
        await lane.store.claim(0, A)


async def test_a_redis_without_memory_makes_a_batch_wait(
    redis_server: RedisServer, redis_url: str, namespace: str
) -> None:
    """Only the real one has a limit. A partition that stopped would need a person, one that waits does not."""
    client = connect(redis_url)
    try:
        for name, new in LANES.items():
            lane = new(client, f"{namespace}{name}")
            await lane.open()
            before = await dump(client, f"{namespace}{name}")
            await client.config_set("maxmemory", "1")
            with pytest.raises(StoreUnavailable):
                await lane.commit(0, 2)
            await client.config_set("maxmemory", "0")
            assert await dump(client, f"{namespace}{name}") == before
            assert await lane.commit(0, 2) == Applied()
    finally:
        await client.config_set("maxmemory", "0")
        await client.aclose()


async def test_a_redis_that_comes_back_goes_on_where_it_was(run_part: RunPart) -> None:
    server = run_part(RedisServer())
    client = connect(server.url)
    try:
        lane = LANES["answers"](client, "t")
        await lane.open()
        assert await lane.commit(0, 2) == Applied()
        server.stop()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await lane.commit(2, 4)
        server.start()
        assert await lane.store.claim(0, A) == Claimed(2, NOW)
        assert await lane.commit(2, 4) == Applied()
    finally:
        await client.aclose()
