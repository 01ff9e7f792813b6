"""Faults at random: what a soak does to its world."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple

from tests.faults.faults import (
    away,
    damaged,
    end_lost,
    frozen,
    full,
    killed,
    put_back,
    refusing,
    removed,
    runs,
    slow,
    told_to_end,
)
from tests.faults.world import World
from tests.real.livenps import Livenps
from tests.real.proxy import Command, Matches, Way

MOST = 3  # workers
STATE_KEYS = ("lane", "out", "counts", "first")


class Fault(NamedTuple):
    """What is done to which part; two faults of different parts may happen at once."""

    part: str
    does: Callable[[World], Awaitable[None]]
    weight: int = 4


def _one(world: World) -> Livenps:
    return world.chance.choice(world.workers)


async def _worker_killed(world: World) -> None:
    await killed(_one(world))


async def _worker_ended(world: World) -> None:
    worker = _one(world)
    code = await told_to_end(worker)
    worker.launch()
    if code:
        raise RuntimeError(f"a worker that was told to end had the exit code {code}")


async def _worker_frozen(world: World) -> None:
    await frozen(_one(world), world.chance.choice([1, 5, 20]))


async def _worker_comes_or_goes(world: World) -> None:
    if len(world.workers) < MOST:
        world.worker()
        return
    worker = _one(world)
    await told_to_end(worker)
    world.workers.remove(worker)
    worker.close()


async def _redis_killed(world: World) -> None:
    await away(world.redis, world.chance.uniform(0, 5))


async def _redis_frozen(world: World) -> None:
    await frozen(world.redis, world.chance.uniform(1, 12))


async def _redis_without_end(world: World) -> None:
    size = world.redis.aof.stat().st_size
    await asyncio.sleep(2)
    await end_lost(world.redis, size)


async def _redis_older(world: World) -> None:
    copy = world.redis.keep()
    await asyncio.sleep(world.chance.uniform(2, 15))
    await put_back(world.redis, copy)


async def _redis_emptied(world: World) -> None:
    await world.site.redis.flushall()


async def _redis_full(world: World) -> None:
    async with full(world.site):
        await asyncio.sleep(world.chance.uniform(2, 10))


async def _broker_killed(world: World) -> None:
    await away(world.kafka, world.chance.uniform(0, 10))


async def _broker_frozen(world: World) -> None:
    await frozen(world.kafka, world.chance.uniform(1, 12))


async def _broker_slow(world: World) -> None:
    async with slow(world.kafka):
        await asyncio.sleep(world.chance.uniform(2, 10))


async def _letters_refused(world: World) -> None:
    async with refusing(world.site, "dead-letters"):
        await asyncio.sleep(5)


async def _batches_lost(world: World) -> None:
    await _lost(world, runs("answers"), world.chance.choice(list(Way)))


async def _claims_lost(world: World) -> None:
    lost = asyncio.create_task(_lost(world, runs("claim"), world.chance.choice(list(Way))))
    await killed(_one(world))  # its partitions are claimed by others, and its own again
    await lost


async def _anything_lost(world: World) -> None:
    chance = random.Random(world.chance.random())  # how many commands there are must not move the faults behind it

    def matches(command: Command) -> bool:
        return chance.random() < 0.2

    await _lost(world, matches, Way.REPLY)


async def _lost(world: World, matches: Matches, way: Way) -> None:
    trap = world.proxy.lose(matches, way, times=world.chance.randint(1, 20))
    await asyncio.sleep(5)
    trap.release()


async def _key_damaged(world: World) -> None:
    """A partition stops; it is removed and counted anew, after a restart of all workers."""
    partition = world.chance.randrange(world.site.partitions)
    await damaged(world.site, partition, world.chance.choice(STATE_KEYS))
    await asyncio.sleep(3)
    for worker in world.workers:
        worker.kill()
    await removed(world.site, partition)
    for worker in world.workers:
        worker.launch()


FAULTS = {
    "worker killed": Fault("workers", _worker_killed, 8),
    "worker told to end": Fault("workers", _worker_ended),
    "worker frozen": Fault("workers", _worker_frozen),
    "worker added or removed": Fault("workers", _worker_comes_or_goes),
    "claims lost": Fault("workers", _claims_lost),
    "redis killed": Fault("redis", _redis_killed),
    "redis frozen": Fault("redis", _redis_frozen),
    "redis loses its last seconds": Fault("redis", _redis_without_end),
    "redis put back to a backup": Fault("redis", _redis_older),
    "redis emptied": Fault("redis", _redis_emptied, 1),
    "redis full": Fault("redis", _redis_full),
    "broker killed": Fault("kafka", _broker_killed, 2),
    "broker frozen": Fault("kafka", _broker_frozen, 2),
    "broker slow": Fault("kafka", _broker_slow, 2),
    "dead letters refused": Fault("kafka", _letters_refused, 1),
    "batches lost": Fault("connections", _batches_lost),
    "replies of all kinds lost": Fault("connections", _anything_lost),
    "key of the state damaged": Fault("everything", _key_damaged, 1),
}


def draw(world: World, without: Collection[str]) -> Sequence[str]:
    """The names of one or two faults that may happen at once."""
    names = [name for name in FAULTS if name not in without]
    weights = [FAULTS[name].weight for name in names]
    first, second = world.chance.choices(names, weights, k=2)
    parts = {FAULTS[first].part, FAULTS[second].part}
    together = len(parts) == 2 and "everything" not in parts and world.chance.random() < 0.3
    return [first, second] if together else [first]


async def happen(world: World, names: Sequence[str]) -> None:
    """Do these faults at once; each has given back what it took when this returns."""
    await asyncio.gather(*(FAULTS[name].does(world) for name in names))
