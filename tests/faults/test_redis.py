"""Every answer counts once, whatever happens to Redis: the program's numbers against a recount of the topic."""

import asyncio
import time

import pytest

from tests.faults.answers import answers
from tests.faults.faults import away, damaged, end_lost, full, put_back, removed, runs
from tests.faults.site import RESTART, Site, nothing_lost, serving, stopped
from tests.faults.world import POLL_INTERVAL, Impatient, World
from tests.real.livenps import Livenps
from tests.real.proxy import Way
from tests.real.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.mark.parametrize(("script", "times"), [("answers", 10), ("fold", 3)])
@pytest.mark.parametrize("way", Way)
async def test_connections_that_end_around_a_script(
    world: World, here: Site, way: Way, script: str, times: int
) -> None:
    program = world.worker()
    async with here.feeding(answers(8_000, 21, time.time())):
        for position in (1_000, 2_500, 4_000):
            await here.reached(position)
            trap = world.proxy.lose(runs(script), way, times=times)
            await until(lambda trap=trap: trap.caught == times, timeout=RESTART, message="they were lost")  # type: ignore[misc]
    await serving(program)
    await nothing_lost(here, program)


async def test_a_redis_that_is_killed_and_comes_back_without_the_end(world: World, here: Site) -> None:
    program = world.worker()
    async with here.feeding(answers(12_000, 3, time.time())):
        for position in (2_000, 7_000):
            await here.reached(position)
            size = world.redis.aof.stat().st_size
            await here.reached(await here.position() + 500)
            await end_lost(world.redis, size)
    await serving(program)
    await nothing_lost(here, program)


async def test_an_older_copy_that_is_put_back(world: World, here: Site) -> None:
    program = world.worker()
    async with here.feeding(answers(12_000, 22, time.time())):
        await here.reached(2_000)
        copy = world.redis.keep()
        for position in (6_000, 8_000):
            await here.reached(position)
            await put_back(world.redis, copy)
    await serving(program)
    await nothing_lost(here, program)


async def test_a_redis_that_is_emptied(world: World, here: Site) -> None:
    program = world.worker()
    async with here.feeding(answers(10_000, 23, time.time())):
        for position in (3_000, 7_000):
            await here.reached(position)
            await here.redis.flushall()
    await serving(program)
    await nothing_lost(here, program)


async def test_a_redis_that_is_away_for_longer_than_kafka_waits_for_a_poll(world: World, here: Site) -> None:
    program = world.worker(Impatient)
    async with here.feeding(answers(6_000, 24, time.time())):
        await here.reached(2_000)
        await away(world.redis, 2 * POLL_INTERVAL)
    await serving(program)
    await nothing_lost(here, program)


async def test_a_redis_that_is_full(world: World, here: Site) -> None:
    program = world.worker()
    async with here.feeding(answers(6_000, 25, time.time())):
        await here.reached(2_000)
        async with full(here):
            await until(lambda: not program.answers(), message="the program is not ready")
            state = await kept(here)
            tries = waits(program)
            await until(lambda: waits(program) > tries + 4, timeout=30, message="the batches are tried again")
            assert await kept(here) == state
            assert program.running
    await serving(program)
    await nothing_lost(here, program)


async def kept(here: Site) -> dict[bytes, bytes | None]:
    """All that is counted; without the outboxes, which empty themselves."""
    keys = [key async for key in here.redis.scan_iter(count=1_000) if not key.endswith(b":out")]
    return {key: await here.redis.dump(key) for key in keys}


def waits(program: Livenps) -> int:
    """How often a lane has said that it tries something again later."""
    return sum(line["event"] == "waiting" for line in program.lines())


@pytest.mark.parametrize("key", ["lane", "out", "counts", "first"])
async def test_a_key_of_another_type(world: World, here: Site, key: str) -> None:
    program = world.worker()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(here.feed(answers(5_000, 26, time.time())))
        await here.reached(2_000)
        await damaged(here, 1, key)
        await stopped(program, {1})
    await here.caught_up(0, 2, 3)
    assert program.running

    program.kill()
    await removed(here, 1)
    program.launch()
    await here.caught_up()
    await serving(program)
    await nothing_lost(here, program)
