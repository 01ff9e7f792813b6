"""Every answer counts once, whenever the program with all its roles ends: against a recount of the topic."""

import signal
import time
from collections.abc import AsyncIterator

import pytest

from tests.conftest import Serve
from tests.faults.answers import answers
from tests.faults.site import Site, nothing_lost, serving, site
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.redis import Redis
from tests.real.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture
async def here(kafka: Kafka, redis_url: str, namespace: str) -> AsyncIterator[Site]:
    async with site(kafka.bootstrap, redis_url, namespace) as here:
        yield here


def again(program: Livenps) -> None:
    """Start a program that has ended."""
    assert not program.running
    program.launch()


async def test_a_program_that_is_killed_again_and_again(here: Site, serve: Serve) -> None:
    given = answers(12_000, 1, time.time())
    program = serve()
    async with here.feeding(given):
        for position in (3_000, 8_000):
            await here.reached(position)
            program.kill()
            again(program)
    await serving(program)
    await nothing_lost(here, program)


async def test_a_program_that_is_told_to_end_under_load(here: Site, serve: Serve) -> None:
    given = answers(12_000, 2, time.time())
    program = serve()
    async with here.feeding(given):
        for position in (2_000, 5_000, 8_000):
            await serving(program)
            await here.reached(position)
            program.signal(signal.SIGTERM)
            assert program.exit_code() == 0
            again(program)
    await serving(program)
    await nothing_lost(here, program)


@pytest.mark.parametrize("away", ["kafka", "redis"])
async def test_a_program_ends_when_told_also_while_a_part_is_away(
    here: Site, serve: Serve, kafka: Kafka, redis_server: Redis, away: str
) -> None:
    given = answers(2_000, 6, time.time())
    program = serve()
    async with here.feeding(given[:1_000]):
        pass
    part = {"kafka": kafka, "redis": redis_server}[away]
    part.kill()
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0
    part.launch()
    await until(part.answers, timeout=part.patience)
    again(program)
    await here.feed(given[1_000:])
    await here.reached(2_000)
    await serving(program)
    await nothing_lost(here, program)
