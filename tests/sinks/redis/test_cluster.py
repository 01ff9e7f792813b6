"""What only a Redis Cluster does: slots move, masters go away, replicas take over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from sinks.redis.board import BoardReader
from sinks.redis.client import Client, Script, ask, connect
from sinks.redis.comments import CommentsReader
from streams.store import Applied, Claimed, StoreCorrupt, StoreUnavailable
from tests.conftest import RunPart
from tests.make import NOW
from tests.real.ports import free_port
from tests.real.redis_cluster import Node, RedisCluster
from tests.real.wait import until
from tests.sinks.redis.lanes import LANES, A, B, Lane
from tests.sinks.redis.state import dump, key_names

PREFIX = "t"


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    client = connect(url)
    try:
        yield client
    finally:
        await client.aclose()


@dataclass
class Move:
    """Moves the slot of a key to another server, in the steps that resharding takes."""

    slot: int
    source: Node
    target: Node

    def begin(self) -> None:
        self.target.demand(f"CLUSTER SETSLOT {self.slot} IMPORTING {self.source.id}")
        self.source.demand(f"CLUSTER SETSLOT {self.slot} MIGRATING {self.target.id}")

    def carry(self, *keys: str) -> None:
        for key in keys:
            self.source.demand(f"MIGRATE 127.0.0.1 {self.target.port} {key} 0 5000")

    def finish(self) -> None:
        for node in (self.target, self.source):
            node.demand(f"CLUSTER SETSLOT {self.slot} NODE {self.target.id}")


@pytest.mark.parametrize("name", LANES)
async def test_a_partition_whose_slot_moves_is_neither_read_nor_written_until_it_has_moved(
    run_part: RunPart, name: str
) -> None:
    cluster = run_part(RedisCluster())
    async with connected(cluster.url) as redis:
        lane = LANES[name](redis, PREFIX)
        await lane.open()
        await lane.commit(0, 3)
        base = lane.store.base(0)
        before, plan = await dump(redis, PREFIX), await lane.plan(lane.batch(3, 5))
        source = cluster.owner(base)
        move = Move(cluster.slot(base), source, next(node for node in cluster.masters if node is not source))

        async def nothing_happens() -> None:
            with pytest.raises(StoreUnavailable, match="moving slots"):
                await lane.store.commit(lane.batch(3, 5), A, plan)
            with pytest.raises(StoreUnavailable):
                await lane.store.claim(0, B)
            with pytest.raises(StoreUnavailable):
                await board(redis).partition(0) if name == "answers" else await lane.store.hold(0, A)
            if name == "customers":
                with pytest.raises(StoreUnavailable):
                    await lane.plan(lane.batch(3, 5))

        keys = [key for key in await key_names(redis, PREFIX) if key.startswith(base)]
        move.begin()
        for part in (keys[:0], keys[:1], keys[1:-1], keys[-1:]):
            move.carry(*part)
            await nothing_happens()
        move.finish()

        assert await dump(redis, PREFIX) == before
        assert await lane.store.claim(0, A) == Claimed(3, NOW)
        assert await lane.commit(3, 5) == Applied()


async def test_a_slot_that_moves_to_a_new_server_is_waited_for(
    run_part: RunPart,
) -> None:
    cluster = run_part(RedisCluster())
    added = run_part(Node(silence=5_000))
    async with connected(cluster.url) as redis:
        lane = LANES["answers"](redis, PREFIX)
        await lane.open()
        await lane.commit(0, 3)
        base = lane.store.base(0)
        move = Move(cluster.slot(base), cluster.owner(base), added)
        cluster.meet(added)
        await until(lambda: all(node.knows(added) for node in cluster.masters))
        await until(lambda: added.agrees, message="the new server finds every slot served")
        move.begin()
        move.carry(*[key for key in await key_names(redis, PREFIX) if key.startswith(base)])
        with pytest.raises(StoreUnavailable):
            await board(redis).positions("a", [0])
        with pytest.raises(StoreUnavailable):
            await lane.commit(3, 5)
        move.finish()
        assert await lane.commit(3, 5) == Applied()


async def test_a_replica_that_takes_over_goes_on(run_part: RunPart) -> None:
    cluster = run_part(RedisCluster(replicas=True, silence=1_000))
    async with connected(cluster.url) as redis:
        lanes = {name: new(redis, PREFIX) for name, new in LANES.items()}
        for lane in lanes.values():
            await lane.open()
            await lane.commit(0, 3)
        before = await dump(redis, PREFIX)
        await until(lambda: all(node.replicated for node in cluster.masters))
        cluster.owner(lanes["answers"].store.base(0)).kill()
        for lane in lanes.values():
            await until(lambda lane=lane: applied(lane, 0, 3), message="the replica has taken over")  # type: ignore[misc]
        assert await dump(redis, PREFIX) == before
        for lane in lanes.values():
            assert await lane.commit(3, 5) == Applied()
        assert (await board(redis).partition(0)).offset == 5
        assert len(await CommentsReader(redis, PREFIX, [0]).newest("nps", 10)) == 5


async def test_a_master_that_is_away_holds_up_no_script_of_another(run_part: RunPart) -> None:
    """Before it is given up; then the cluster as a whole refuses, by default."""
    cluster = run_part(RedisCluster(silence=60_000))
    async with connected(cluster.url) as redis:
        assert await redis.ping()
        others = [node for node in cluster.masters if node is not cluster.owner("here")]
        others[0].kill()
        assert await ask(Script(redis, "return redis.call('INCR', KEYS[1])")(keys=["here"], args=[])) == 1


async def test_a_cluster_without_a_master_is_waited_for(run_part: RunPart) -> None:
    cluster = run_part(RedisCluster(silence=1_000))
    async with connected(cluster.url) as redis:
        lane = LANES["answers"](redis, PREFIX)
        await lane.open()
        away = cluster.owner(lane.store.base(0))
        away.stop()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await lane.commit(0, 2)
        others = [node for node in cluster.masters if node is not away]
        await until(lambda: not any(node.agrees for node in others), message="the others give it up")
        with pytest.raises(StoreUnavailable):
            await lane.commit(0, 2)
        with pytest.raises(StoreUnavailable):
            await board(redis).board()
        cluster.ensure()
        assert await lane.store.claim(0, A) == Claimed(0, 0)
        assert await lane.commit(0, 2) == Applied()


async def test_a_cluster_that_is_away_is_waited_for() -> None:
    async with connected(f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{free_port()}") as redis:
        for reply in (redis.ping(), Script(redis, "return 1")(keys=["a"], args=[]), redis.hgetall("a")):
            with pytest.raises(StoreUnavailable, match="does not answer"):
                await ask(reply)


async def test_keys_of_several_slots_in_one_script_are_our_mistake(redis_cluster_url: str) -> None:
    async with connected(redis_cluster_url) as redis:
        for _ in ("found by the server", "found by the client, which has connected by then"):
            with pytest.raises(StoreCorrupt, match=r"same( key)? slot"):
                await ask(Script(redis, "return 1")(keys=["a", "b"], args=[]))


async def test_a_server_of_a_cluster_is_no_redis_of_its_own(redis_cluster: RedisCluster) -> None:
    wrong = redis_cluster.masters[0]
    elsewhere = next(key for key in "abcdefgh" if redis_cluster.owner(key) is not wrong)
    async with connected(wrong.url) as redis:
        with pytest.raises(StoreCorrupt, match=r"redis\+cluster://"):
            await ask(redis.hgetall(elsewhere))


async def test_a_redis_of_its_own_is_no_cluster(redis_url: str) -> None:
    async with connected(redis_url.replace("redis://", "redis+cluster://")) as redis:
        with pytest.raises(StoreUnavailable, match="Cluster mode is not enabled"):
            await ask(redis.ping())


def board(redis: Client) -> BoardReader:
    return BoardReader(redis, PREFIX, [], 4, clock=lambda: NOW)


async def applied(lane: Lane, start: int, end: int) -> bool:
    """Tell whether a batch is in the state; one that is applied is not again."""
    try:
        return await lane.commit(start, end) is not None
    except StoreUnavailable:
        return False
