"""Every answer counts once, whatever happens to the workers: their numbers against a recount of the topic."""

import asyncio
import time

import pytest

from tests.faults.answers import answers
from tests.faults.faults import frozen, runs, told_to_end
from tests.faults.site import RESTART, Site, nothing_lost, serving
from tests.faults.world import POLL_INTERVAL, Impatient, World
from tests.real.livenps import Livenps
from tests.real.proxy import Way
from tests.real.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.mark.parametrize("script", ["answers", "fold"])
@pytest.mark.parametrize("moment", ["before", "within", "after"])
async def test_a_worker_that_is_killed_around_its_script(
    world: World, here: Site, moment: str, script: str
) -> None:
    program = world.worker()
    async with here.feeding(answers(5_000, 11, time.time())):
        await here.reached(1_500)
        trap = world.proxy.hold(runs(script), Way.REPLY if moment == "after" else Way.REQUEST)
        await until(lambda: trap.caught, message="it is on its way")
        position = await here.position()
        if moment == "within":  # Redis has the request, and runs it when the worker is no more
            world.redis.pause()
            trap.release()
        program.kill()
        trap.cut()
        world.redis.resume()
        if moment == "within" and script == "answers":
            await here.reached(position + 1)
        program.launch()
    await serving(program)
    await nothing_lost(here, program)


async def test_a_worker_that_stands_still_while_another_takes_over(world: World, here: Site) -> None:
    first = world.worker()
    async with here.feeding(answers(12_000, 5, time.time())):
        await here.reached(1_500)
        trap = world.proxy.hold(runs("answers"))
        await until(lambda: trap.caught, message="a batch is on its way")
        first.pause()
        second = world.worker()
        await here.reached(6_000)  # more than a feed is ahead: the group has given up the first one
        trap.release()  # its batch arrives now
        await here.reached(8_000)
        first.resume()
    await world.serving()
    await nothing_lost(here, first)
    await nothing_lost(here, second)


async def test_workers_that_come_and_go(world: World, here: Site) -> None:
    first, second = world.worker(), world.worker()
    async with here.feeding(answers(16_000, 12, time.time())):
        await here.reached(1_500)
        third = world.worker()
        await here.reached(3_000)
        await serving(first)
        assert await told_to_end(first) == 0
        await here.reached(5_000)
        second.kill()
        first.launch()
        await here.reached(8_000)
        await serving(third)
        assert await told_to_end(third) == 0
        second.launch()
        await here.reached(11_000)
        first.kill()
        third.launch()
        await here.reached(14_000)
        first.launch()
    await world.serving()
    await nothing_lost(here, second)


async def test_a_spare_worker_takes_over_however_long_it_has_waited(world: World, here: Site) -> None:
    here.partitions = 1
    first = world.worker(Impatient)
    await serving(first)
    spare = world.worker(Impatient)
    await serving(spare)
    while has_claimed(spare):  # the group gives the partition to the lower member id: with each turn it is lower
        assert await told_to_end(first) == 0
        first, spare = spare, world.worker(Impatient)
        await serving(spare)
    await asyncio.sleep(2 * POLL_INTERVAL)
    assert await told_to_end(first) == 0
    await here.feed(answers(500, 13, time.time()))
    await here.caught_up()
    await nothing_lost(here, spare)


def has_claimed(program: Livenps) -> bool:
    """Whether a worker has ever had a partition."""
    return any(line["event"] == "partition claimed" for line in program.lines())


async def test_claims_that_fail_while_a_rebalance_assigns(world: World, here: Site) -> None:
    first = world.worker()
    async with here.feeding(answers(6_000, 15, time.time())):
        await here.reached(1_500)
        trap = world.proxy.hold(runs("claim"))
        second = world.worker()
        await until(lambda: trap.caught, timeout=RESTART, message="a partition is claimed")
        world.redis.pause()
        trap.release()
        await until(lambda: waits(first) or waits(second), timeout=RESTART, message="a claim has failed")
        world.redis.resume()
    await world.serving()
    await nothing_lost(here, first)
    await nothing_lost(here, second)


def waits(program: Livenps) -> bool:
    """Whether a lane has said that it tries something again later."""
    return any(line["event"] == "waiting" for line in program.lines())


async def test_a_worker_that_is_told_to_end_as_soon_as_it_begins(world: World) -> None:
    for _ in range(3):
        program = world.worker()
        await until(lambda: "serving" in program.log.read_text(), timeout=30, every=0.001)  # noqa: B023
        assert await told_to_end(program) == 0


async def test_a_worker_that_stands_still_for_a_moment(world: World, here: Site) -> None:
    program = world.worker()
    async with here.feeding(answers(5_000, 16, time.time())):
        for position in (1_000, 2_500):
            await here.reached(position)
            await frozen(program, 1)
    await nothing_lost(here, program)
