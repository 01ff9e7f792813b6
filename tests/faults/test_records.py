"""Poison never stops the stream and never vanishes, wherever it stands and whatever becomes of its letters."""

import time

import pytest

from streams.topics import create, topics
from tests.faults.answers import POISON, answers
from tests.faults.faults import refusing
from tests.faults.site import Site, client, nothing_lost, samples, serving
from tests.faults.world import World
from tests.real import records
from tests.real.livenps import Livenps
from tests.real.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.slow]


async def poison(here: Site, count: int) -> None:
    """Append so much poison to every partition."""
    for number in range(here.partitions):
        values = [POISON[place % len(POISON)] for place in range(count)]
        await records.write(here.bootstrap, here.topic, *values, partition=number)


async def test_poison_at_the_start_in_the_middle_and_at_the_end_of_a_batch(world: World, here: Site) -> None:
    await create(here.bootstrap, topics(prefix=here.namespace).values())
    for part in range(2):
        await poison(here, 3)
        await here.feed(answers(400, 41 + part, time.time()))
    await poison(here, 3)
    program = world.worker()  # what waits is one batch of each partition
    await here.caught_up()
    await serving(program)
    await nothing_lost(here, program)


async def test_batches_of_nothing_but_poison(world: World, here: Site) -> None:
    program = world.worker()
    await serving(program)
    for part in range(3):
        await poison(here, 500)
        await here.caught_up()
        await here.feed(answers(200, 43 + part, time.time()))
        await here.caught_up()
    await nothing_lost(here, program)


async def test_letters_that_kafka_refuses_wait(world: World, here: Site) -> None:
    program = world.worker()
    await serving(program)
    given = answers(4_000, 46, time.time())
    async with refusing(here, "dead-letters"):
        async with here.feeding(given[:3_000]):
            pass
        assert await here.redis.xlen(here.base(0) + ":out")
        assert not await here.read("dead-letters")
        await until(lambda: told(program), message="somebody is told")
        assert program.running
    await here.feed(given[3_000:])
    await here.caught_up()
    await serving(program)
    await nothing_lost(here, program)


async def told(program: Livenps) -> bool:
    """Whether the metrics show that returned events wait."""
    async with client(program) as web:
        return any(value > 0 for _, value in await samples(web, "livenps_outbox_entries"))
