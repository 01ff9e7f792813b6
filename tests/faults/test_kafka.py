"""Every answer counts once, whatever happens to Kafka and its topics."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

import pytest
from aiokafka import ConsumerRecord

from tests.faults.answers import answers
from tests.faults.faults import away, back, forgotten, reads_outbox, recreated, slow, told_to_end
from tests.faults.site import Site, client, nothing_lost, serving, stopped
from tests.faults.world import World
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps

pytestmark = [pytest.mark.faults, pytest.mark.slow]

LONG = 65.0  # longer than a lane may be silent


async def test_a_broker_that_is_killed_and_comes_back(world: World, here: Site) -> None:
    program = world.worker()
    async with here.feeding(answers(12_000, 4, time.time())):
        for position in (2_000, 7_000):
            await here.reached(position)
            await away(world.kafka)
    assert program.running
    await serving(program)
    await nothing_lost(here, program)


async def test_brokers_that_are_all_away_for_long(world: World, here: Site) -> None:
    program = world.worker()
    given = answers(8_000, 31, time.time())
    await here.feed(given[:5_000])  # it returns while the last of them wait
    world.kafka.kill()
    gone = time.monotonic()
    async with client(program) as web:
        while time.monotonic() - gone < LONG:
            assert (await web.get("/healthz")).json()["status"] == "ok"
            await asyncio.sleep(1)
    assert program.running
    await back(world.kafka)
    async with here.feeding(given[5_000:]):
        pass
    await here.caught_up()
    await serving(program)
    await nothing_lost(here, program)


async def test_records_that_are_deleted_before_they_were_read(world: World, here: Site) -> None:
    program = world.worker()
    async with here.feeding(answers(2_000, 32, time.time())):
        pass
    await here.empty("a")
    assert await told_to_end(program) == 0
    log, position = await overtaken(here)
    program.launch()
    await stopped(program, {1})
    assert says_why(program) == {1}
    await here.caught_up(0, 2, 3)
    assert (await here.positions())[1] == position
    await nothing_lost(here, program, log)


async def test_what_a_partition_has_returned_is_published_though_it_stops(world: World, here: Site) -> None:
    program = world.worker()
    await serving(program)
    unread = world.proxy.lose(reads_outbox, times=1_000_000)
    async with here.feeding(answers(2_000, 35, time.time())):
        pass
    assert await told_to_end(program) == 0
    unread.release()
    log, _ = await overtaken(here)
    program.launch()
    await stopped(program, {1})
    await here.caught_up(0, 2, 3)
    await nothing_lost(here, program, log)


async def overtaken(here: Site) -> tuple[list[ConsumerRecord], int]:
    """Have retention pass partition 1 while no worker runs; the records that still count, and its position."""
    await here.feed(answers(1_000, 36, time.time()))
    log = await records.read(here.bootstrap, here.topic)
    position = (await here.positions())[1]
    await forgotten(here, {1: position + 1})
    return [one for one in log if one.partition != 1 or one.offset < position], position


@pytest.mark.parametrize(
    ("count", "pace"), [(400, nullcontext), (3_000, nullcontext), (3_000, slow)], ids=["fewer", "more", "slow"]
)
async def test_a_topic_that_is_created_anew(
    world: World, here: Site, count: int, pace: Callable[[Kafka], AbstractAsyncContextManager[None]]
) -> None:
    program = world.worker()
    async with here.feeding(answers(1_200, 33, time.time())):
        pass
    await here.empty("a")
    assert await told_to_end(program) == 0
    log = await records.read(here.bootstrap, here.topic)
    positions = await here.positions()
    await recreated(here)
    await here.feed(answers(count, 34, time.time()))

    async with pace(world.kafka):
        program.launch()
        await stopped(program, {0, 1, 2, 3})
    assert says_why(program) == {0, 1, 2, 3}
    assert await here.positions() == positions
    await nothing_lost(here, program, log)


def says_why(program: Livenps) -> set[int]:
    """The partitions of the answers that the log names as stopped, as an error and with a reason."""
    return {
        line["partition"]
        for line in program.lines()
        if line["event"] == "partition stopped"
        and line["level"] == "error"
        and line["lane"] == "answers"
        and line["why"]
    }
