"""``livenps resume``: partitions that have stopped go on where a person says."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator

import httpx
import pytest

from streams.events import encode
from tests.conftest import Serve
from tests.faults.faults import recreated
from tests.faults.site import RESTART, Site, serving, site
from tests.livenps.run import run, run_answered
from tests.make import touchpoint
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.wait import until

pytestmark = pytest.mark.slow


@pytest.fixture
async def here(kafka: Kafka, redis_url: str, namespace: str) -> AsyncIterator[Site]:
    async with site(kafka.bootstrap, redis_url, namespace, lane="c", role="touchpoints") as here:
        yield here


async def customers_of(here: Site, number: int, first: int = 0) -> None:
    """Write a touchpoint each of so many customers, each to its own partition."""
    events = [touchpoint(f"e{n}", customer=f"c{n}", event="something") for n in range(first, first + number)]
    pairs = [(event.customer_id, encode(event)) for event in events]
    await records.write_all(here.bootstrap, here.topic, pairs)


async def at_rest(here: Site) -> None:
    """Half a minute after the last worker was at work."""
    for partition in range(4):
        await here.redis.hset(f"{here.base(partition)}:lane", "lease", "1")


def resume(program: Livenps, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = run("resume", "--lane", "customers", "--config", str(program.config), *arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def checks(program: Livenps) -> str:
    try:
        reply = httpx.get(f"{program.url}/readyz", timeout=5, trust_env=False)
    except httpx.TransportError:
        return ""
    return str(reply.json()["checks"].get("lane customers", ""))


@pytest.mark.parametrize("at", ["first", "end", "2"])
async def test_partitions_of_a_recreated_topic_go_on(here: Site, serve: Serve, at: str) -> None:
    program = serve()
    await customers_of(here, 200)
    await here.caught_up()
    program.stop()
    before = await here.positions()
    await recreated(here)
    await customers_of(here, 20)
    ends = await records.ends(here.bootstrap, here.topic)
    assert all(2 <= ends[partition] < before[partition] for partition in range(4))
    program.launch()
    await until(lambda: "lies outside the log" in checks(program), timeout=RESTART, message="it stops")
    await at_rest(here)

    chosen = [part for partition in range(4) for part in ("--partition", str(partition))]
    report = json.loads(resume(program, *chosen, "--at", at, "--yes", "--json").stdout)
    to = {partition: {"first": 0, "end": end}.get(at, 2) for partition, end in ends.items()}
    assert report["lane"] == "customers"
    assert report["partitions"] == [
        {
            "partition": partition,
            "was": before[partition],
            "first": 0,
            "end": ends[partition],
            "position": to[partition],
            "skipped": to[partition],
            "again": 0,
            "gone": 0,
        }
        for partition in range(4)
    ]
    assert await here.positions() == to
    program.stop()
    program.launch()
    await serving(program)
    await customers_of(here, 30, first=200)
    await here.caught_up()
    assert checks(program) == "ok"


async def test_back_and_forth_in_a_log_that_is_there(here: Site, serve: Serve) -> None:
    program = serve()
    await customers_of(here, 40)
    await here.caught_up()
    program.stop()
    await at_rest(here)
    at = (await here.positions())[2]
    decided = await records.ends(here.bootstrap, f"{here.namespace}survey.decisions")
    told = resume(program, "--partition", "2", "--at", "1", "--yes").stdout
    assert told.splitlines() == [
        f"customers, partition 2: position {at} lies in the log [0, {at}]",
        "  It resumes at 1: 0 records of the log are never processed.",
        f"  {at - 1} records are read again: what is remembered of them has no effect twice.",
        "The positions are set. A worker goes on from there after its next start.",
    ]
    program.launch()
    await serving(program)
    await here.caught_up()
    await here.empty("c")
    assert await records.ends(here.bootstrap, f"{here.namespace}survey.decisions") == decided


async def test_a_partition_that_a_worker_works_on_is_left_alone(here: Site, serve: Serve) -> None:
    program = serve()
    await customers_of(here, 40)
    await here.caught_up()
    before = await here.positions()
    done = resume(program, "--partition", "0", "--at", "first", "--yes", code=1)
    assert done.stderr == "livenps: customers, partition 0: a worker is at work on it, stop it first\n"
    assert await here.positions() == before
    await customers_of(here, 40, first=40)
    await here.caught_up()


async def test_it_asks_before(here: Site, serve: Serve) -> None:
    program = serve()
    await customers_of(here, 40)
    await here.caught_up()
    program.stop()
    await at_rest(here)
    before = await here.positions()
    refused = resume(program, "--partition", "1", "--at", "first", code=2)
    assert refused.stderr.endswith("Say --yes.\n")
    for reply, code, position in (("n", 1, before[1]), ("", 1, before[1]), ("y", 0, 0)):
        command = ("resume", "--lane", "customers", "--partition", "1", "--at", "first")
        done = await asyncio.to_thread(run_answered, reply, *command, "--config", str(program.config))
        assert done.returncode == code, done.stderr
        assert "Go on? [y/N]" in done.stderr
        assert (await here.positions())[1] == position


async def test_wrong_calls(here: Site, serve: Serve) -> None:
    program = serve()
    for arguments, message in (
        (("--partition", "1", "--at", "nowhere"), "expected first, end or an offset"),
        (("--partition", "1", "--at", "-1"), "expected"),
        (("--partition", "7", "--at", "first"), "has no partition 7, they are 0 to 3"),
        (("--partition", "1", "--at", "99"), "customers, partition 1: offset 99 lies outside the log [0, 0]"),
    ):
        assert message in resume(program, *arguments, code=2).stderr
    program.stop()
    await here.redis.flushall()
    done = resume(program, "--partition", "1", "--at", "first", code=2)
    assert "there is no position, a worker begins at the log's start" in done.stderr
