"""Every answer counts once, whatever is killed: the program's numbers against a recount of the topic."""

import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import RunPart, Serve
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
    given = answers(20_000, 1, time.time())
    program = serve()
    async with here.feeding(given):
        for position in (3_000, 8_000, 14_000):
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


async def test_a_redis_that_is_killed_and_comes_back_older(
    kafka: Kafka, namespace: str, run_part: RunPart, serve: Serve
) -> None:
    redis = run_part(Redis())
    given = answers(12_000, 3, time.time())
    program = serve({"redis": {"url": redis.url}})
    async with site(kafka.bootstrap, redis.url, namespace) as here:
        async with here.feeding(given):
            for position in (2_000, 7_000):
                await here.reached(position)
                kept = log_of(redis).stat().st_size
                await here.reached(await here.position() + 500)
                redis.kill()
                cut(log_of(redis), kept)
                redis.launch()
                await until(redis.answers)
        await serving(program)
        await nothing_lost(here, program)


def log_of(server: Redis) -> Path:
    (log,) = (server.directory / "appendonlydir").glob("*.incr.aof")
    return log


def cut(log: Path, kept: int) -> None:
    """Lose the end of what Redis had written, as a power cut would, in the middle of a command."""
    size = log.stat().st_size
    assert size > kept
    with log.open("r+b") as file:
        file.truncate((kept + size) // 2)


async def test_a_broker_that_is_killed_and_comes_back(here: Site, serve: Serve, kafka: Kafka) -> None:
    given = answers(12_000, 4, time.time())
    program = serve()
    async with here.feeding(given):
        for position in (2_000, 7_000):
            await here.reached(position)
            kafka.kill()
            kafka.launch()
            await until(kafka.answers, timeout=kafka.patience)
    assert program.running
    await serving(program)
    await nothing_lost(here, program)


async def test_a_worker_that_stands_still_while_another_takes_over(here: Site, serve: Serve) -> None:
    given = answers(20_000, 5, time.time())
    first, second = serve(wait=False), serve(wait=False)
    await serving(first)
    await serving(second)
    async with here.feeding(given):
        await here.reached(2_000)
        first.pause()
        await here.reached(12_000)  # more than a feed is ahead: the other one has all partitions
        first.resume()
        await here.reached(15_000)
    for program in (first, second):
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
