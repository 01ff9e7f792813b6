"""``livenps rebuild`` on a real log and a real Redis, with workers at work and without."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from livenps.config import load
from sinks.redis.live import live
from sinks.redis.rebuild import RebuildStore
from streams import topics
from streams.store import Applied, Token
from tests.conftest import Serve
from tests.faults.answers import answers
from tests.faults.faults import forgotten, recreated
from tests.faults.site import Site, client, nothing_lost, serving, site, stopped
from tests.livenps.run import run, run_watched
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.livenps import configuration, livenps
from tests.real.ports import free_port
from tests.real.wait import until
from tests.sinks.redis.stored import DAY, with_window

pytestmark = pytest.mark.slow

ROLES = tuple(topics.topics())


@pytest.fixture
async def here(kafka: Kafka, redis_url: str, namespace: str) -> AsyncIterator[Site]:
    async with site(kafka.bootstrap, redis_url, namespace) as here:
        yield here


@pytest.fixture
async def config(here: Site, real_parts: dict[str, Any], tmp_path: Path) -> Path:
    """A configuration without a program that runs by it."""
    await topics.create(here.bootstrap, topics.topics(prefix=here.namespace).values())
    path = tmp_path / "livenps.toml"
    path.write_text(configuration(real_parts))
    return path


def rebuild(config: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = run("rebuild", "--config", str(config), "--json", *arguments)
    assert done.returncode == code, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def verified(config: Path) -> dict[str, Any]:
    done = run("verify", "--config", str(config), "--json")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


async def begun(here: Site, config: Path) -> None:
    """Have a live state stand at the end of the log, in which nothing was counted."""
    ends = await records.ends(here.bootstrap, here.topic)
    store = new_store(here, config)
    store.position = "lane"
    for partition, end in ends.items():
        await store.claim(partition, Token("nobody", 1))
        assert await store.begin(partition, Token("nobody", 1), end, end) == Applied()


def new_store(here: Site, config: Path) -> RebuildStore:
    windows = load(config).rolling_windows()
    return RebuildStore(here.redis, here.namespace, windows, clock=lambda: int(time.time() * 1_000))


# with workers


async def test_under_a_live_feed_nothing_is_lost_or_counted_twice(here: Site, serve: Serve) -> None:
    given = answers(20_000, 61, time.time())
    program = serve()
    reports = []
    async with here.feeding(given):
        for position in (4_000, 9_000, 14_000):
            await here.reached(position)
            reports.append(await asyncio.to_thread(rebuild, program.config))
    assert [one["partition"] for report in reports for one in report["partitions"]] == [0, 1, 2, 3] * 3
    assert [report["differences"] for report in reports] == [[]] * 3
    await serving(program)
    await nothing_lost(here, program)
    assert verified(program.config)["differences"] == []
    assert {await number(here, partition) for partition in range(4)} == {"3"}


async def number(here: Site, partition: int) -> str:
    """The build that is live; it is the only one."""
    base = here.base(partition)
    names = [name.decode() async for name in here.redis.scan_iter(match=f"{base}:[0-9]*", count=1_000)]
    [found] = {name.removeprefix(base).split(":")[1] for name in names}
    assert await here.redis.hget(f"{base}:lane", "build") == found.encode()
    return found


async def test_what_was_damaged_is_repaired_and_told(here: Site, serve: Serve) -> None:
    given = answers(2_000, 62, time.time())
    program = serve()
    async with here.feeding(given):
        pass
    await damage(here, partition=2)
    dry = rebuild(program.config, "--dry-run", code=1)
    assert verified(program.config)["differences"]
    report = rebuild(program.config)
    assert {one["partition"] for one in report["differences"]} == {2}
    assert {one["window"] for one in report["differences"]} == {"24h"}
    assert [one["rebuilt"] for one in report["differences"]] == [one["rebuilt"] for one in dry["differences"]]
    assert report["differences"][0]["before"] == [1_000, *[0] * 10]
    assert [one["differences"] for one in report["partitions"]] == [0, 0, 1, 0]
    assert verified(program.config)["differences"] == []
    assert rebuild(program.config, "--dry-run")["differences"] == []
    await serving(program)
    await nothing_lost(here, program)


async def damage(here: Site, partition: int) -> None:
    base = here.base(partition)
    live = (await here.redis.hget(f"{base}:lane", "build") or b"0").decode()
    await folded(here, f"{base}:{live}")
    [(id_, held), *_] = (await here.redis.hgetall(f"{base}:{live}:sums")).items()
    await here.redis.hset(f"{base}:{live}:sums", id_, with_window(held, DAY, [1_000, *[0] * 10]))


async def folded(here: Site, data: str) -> None:
    async def nothing_is_pending() -> bool:
        return not await here.redis.exists(f"{data}:pending")

    await until(nothing_is_pending, message="all is folded in")


async def test_a_partition_that_stopped_at_a_key_of_another_type_goes_on(here: Site, serve: Serve) -> None:
    given = answers(1_000, 73, time.time())
    program = serve()
    async with here.feeding(given[:500]):
        pass
    await folded(here, f"{here.base(3)}:0")
    await here.redis.delete(f"{here.base(3)}:0:sums")
    await here.redis.set(f"{here.base(3)}:0:sums", "not ours")
    await here.feed(given[500:])
    async with client(program) as web:
        await until(lambda: of_another_type(web), message="it stops")
    assert rebuild(program.config, "--partition", "3", "--dry-run", code=1)["differences"]
    report = rebuild(program.config, "--partition", "3")
    assert {tuple(one["before"]) for one in report["differences"]} == {(0,) * 11}, "it could not be read"
    program.stop()
    program.launch()
    await serving(program)
    await here.caught_up()
    await nothing_lost(here, program)


async def of_another_type(web: httpx.AsyncClient) -> bool:
    return "of another type" in (await web.get("/readyz")).json()["checks"]["lane answers"]


async def test_nothing_is_published(here: Site, serve: Serve) -> None:
    given = answers(2_000, 63, time.time())
    program = serve()
    stray = given[0][1].replace(b"r63-0", b"stray")
    async with here.feeding(given):
        pass
    for partition in range(4):
        await records.write(here.bootstrap, here.topic, stray, partition=partition)
    await here.reached(2_000 + 4 + 3)  # three of them are forwarded
    await here.empty("a", "c", "m")
    before = {role: await records.ends(here.bootstrap, here.namespace + role) for role in ROLES}
    report = rebuild(program.config)
    assert sum(one["misplaced"] for one in report["partitions"]) == 3
    assert sum(one["records"] for one in report["partitions"]) == 2_007
    await here.empty("a")
    after = {role: await records.ends(here.bootstrap, here.namespace + role) for role in ROLES}
    assert after == before
    assert verified(program.config)["differences"] == []


async def test_on_a_redis_cluster(serve: Serve, redis_cluster_url: str, kafka: Kafka, namespace: str) -> None:
    given = answers(3_000, 64, time.time())
    async with site(kafka.bootstrap, redis_cluster_url, namespace) as here:
        program = serve({"redis": {"url": redis_cluster_url}})
        async with here.feeding(given):
            await here.reached(1_000)
            assert len((await asyncio.to_thread(rebuild, program.config))["partitions"]) == 4
        await serving(program)
        await nothing_lost(here, program)
        assert {await number(here, partition) for partition in range(4)} == {"1"}


# without


async def test_windows_that_were_added_are_whole_and_a_worker_goes_on(here: Site, serve: Serve) -> None:
    given = answers(3_000, 65, time.time())
    few = serve({"windows": {"24h": "15m"}})
    few.stop()
    few.config.write_text(few.config.read_text().replace(windows_of(few.config), 'windows = {"1h" = "1m"}'))
    few.launch()
    async with here.feeding(given[:2_000]):
        pass
    for partition in range(here.partitions):
        await folded(here, f"{here.base(partition)}:0")
    few.stop()
    program = serve(wait=False)
    program.kill()
    report = rebuild(program.config)
    assert {"24h", "7d", "30d", "90d"} == {one["window"] for one in report["differences"]}
    program.launch()
    await serving(program)
    async with here.feeding(given[2_000:]):
        pass
    await nothing_lost(here, program)


def windows_of(config: Path) -> str:
    return next(line for line in config.read_text().splitlines() if line.startswith("windows = "))


async def test_a_rebuild_that_is_killed_is_begun_anew(here: Site, config: Path) -> None:
    given = answers(60_000, 66, time.time())
    await records.write_all(here.bootstrap, here.topic, given, partition=1)
    await begun(here, config)
    command = livenps("rebuild", "--config", str(config), "--partition", "1")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        key = f"{here.base(1)}:rebuild"
        await until(lambda: applied(here, key), every=0.002, timeout=30, message="it has begun")
        process.kill()
    assert 0 < int(await here.redis.hget(key, "off") or 0) < 60_000
    assert await here.redis.hget(f"{here.base(1)}:lane", "build") is None
    await here.redis.hset(key, "lease", "1")  # half a minute later
    report = rebuild(config, "--partition", "1")
    assert report["partitions"][0]["records"] == 60_000
    assert report["differences"]
    assert verified(config)["differences"] == []
    assert await number(here, 1) == "2"
    assert not await here.redis.exists(key)


async def applied(here: Site, key: str) -> bool:
    return int(await here.redis.hget(key, "off") or 0) > 0


async def test_two_at_once_are_not_possible(here: Site, config: Path) -> None:
    await records.write_all(here.bootstrap, here.topic, answers(100, 67, time.time()))
    await begun(here, config)
    store, first = new_store(here, config), Token("the first", 0)
    assert await store.start(2, first, 0) == "1"
    second = asyncio.create_task(asyncio.to_thread(run, "rebuild", "--config", str(config)))
    while not second.done():
        assert await store.hold(2, first) == Applied()
        await asyncio.sleep(0.05)
    done = await second
    assert done.returncode == 1
    assert done.stderr == "livenps: partition 2: another rebuild is at work on it\n"
    lines = [line for line in done.stdout.splitlines() if line.startswith("partition ")]
    assert [line.partition(":")[0] for line in lines] == ["partition 0", "partition 1"], "what was done before"
    assert await store.hold(2, first) == Applied()
    await store.drop(2, first)
    assert len(rebuild(config)["partitions"]) == 4


async def test_a_dry_run_switches_nothing(here: Site, config: Path) -> None:
    await records.write_all(here.bootstrap, here.topic, answers(500, 68, time.time()))
    await begun(here, config)
    before = {partition: await live(here.redis, here.base(partition)) for partition in range(4)}
    done = run("rebuild", "--config", str(config), "--dry-run")
    assert done.returncode == 1
    assert done.stderr == ""
    assert "│ partition │ window " not in done.stdout  # a heading is heavier
    assert "┃ rebuilt n ┃ live n ┃" in done.stdout
    assert done.stdout.endswith("Dry run: nothing was switched.\n")
    assert {partition: await live(here.redis, here.base(partition)) for partition in range(4)} == before
    assert not [key async for key in here.redis.scan_iter(match=f"{here.namespace}:{{a*:[0-9]*", count=1_000)]
    assert not [key async for key in here.redis.scan_iter(match=f"{here.namespace}:*:rebuild", count=1_000)]
    rebuild(config)
    assert rebuild(config, "--dry-run")["differences"] == []


async def test_partitions_that_nobody_has_begun(config: Path) -> None:
    report = rebuild(config, "--partition", "3", "--partition", "0", "--partition", "3")
    assert (report["partitions"], report["not_processed"], report["stopped"]) == ([], [0, 3], [])
    done = run("rebuild", "--config", str(config))
    assert "partition 0: nothing is counted yet; a worker reads it from the log's start.\n" in done.stdout


async def test_progress_on_a_terminal(here: Site, config: Path) -> None:
    await records.write_all(here.bootstrap, here.topic, answers(500, 69, time.time()))
    await begun(here, config)
    done, shown = await asyncio.to_thread(run_watched, "rebuild", "--config", str(config))
    assert done.returncode == 0
    assert "answers/s" in shown
    assert "partition 0: rebuilt up to offset " in done.stdout
    assert "\x1b" not in done.stdout


# stopped partitions


async def test_a_recreated_topic_is_rebuilt_from_what_it_holds(here: Site, serve: Serve) -> None:
    given = answers(3_000, 70, time.time())
    program = serve()
    async with here.feeding(given[:2_000]):
        pass
    program.stop()
    await recreated(here)
    await records.write_all(here.bootstrap, here.topic, given[2_000:])
    program.launch()
    await stopped(program, {0, 1, 2, 3})

    report = rebuild(program.config, code=1)
    assert [one["partition"] for one in report["stopped"]] == [0, 1, 2, 3]
    assert "lies outside the log" in report["stopped"][0]["why"]
    refused = run("rebuild", "--config", str(program.config), "--from-log")
    assert refused.returncode == 2
    assert "answers that the log holds no more leave all scores" in refused.stderr
    assert refused.stderr.endswith("Say --yes.\n")
    dry = rebuild(program.config, "--from-log", "--dry-run", code=1)
    assert sum(one["records"] for one in dry["partitions"]) == 1_000

    await at_rest(here)
    report = rebuild(program.config, "--from-log", "--yes")
    assert sum(one["records"] for one in report["partitions"]) == 1_000
    assert verified(program.config)["differences"] == []
    program.stop()
    comments(program.config, 0, 1, 2, 3)
    program.launch()
    await serving(program)
    await records.write_all(here.bootstrap, here.topic, given[:1])
    await here.caught_up()
    agreed = verified(program.config)
    assert (agreed["records"], agreed["differences"]) == (1_001, [])


async def at_rest(here: Site) -> None:
    """Half a minute after the last worker was at work."""
    for partition in range(4):
        for lane in "am":
            await here.redis.hset(f"{here.namespace}:{{{lane}{partition}}}:lane", "lease", "1")


def comments(config: Path, *partitions: int) -> None:
    """Have the comments, which read the same topic, go on too."""
    chosen = [part for partition in partitions for part in ("--partition", str(partition))]
    done = run("resume", "--lane", "comments", *chosen, "--at", "first", "--yes", "--config", str(config))
    assert done.returncode == 0, done.stderr


async def test_only_the_partition_that_has_stopped_is_counted_from_the_log(here: Site, serve: Serve) -> None:
    given = answers(3_000, 71, time.time())
    program = serve()
    async with here.feeding(given[:1_000]):
        pass
    program.stop()
    await records.write_all(here.bootstrap, here.topic, given[1_000:])
    ends = await records.ends(here.bootstrap, here.topic)
    at = await here.positions()
    await forgotten(here, {1: at[1] + 10})
    assert [one["partition"] for one in rebuild(program.config, code=1)["stopped"]] == [1]
    await at_rest(here)
    rebuild(program.config, "--from-log", "--yes")
    assert await here.positions() == {**at, 1: ends[1]}
    comments(program.config, 1)
    program.launch()
    await serving(program)
    await here.caught_up()
    await until(lambda: not verified(program.config)["differences"], timeout=30, message="they agree")


async def test_a_partition_that_a_worker_works_on_keeps_its_position(here: Site, serve: Serve) -> None:
    """As where somebody has the wrong log: the worker's partition has not stopped."""
    program = serve()
    async with here.feeding(answers(500, 72, time.time())):
        pass
    await here.redis.hset(f"{here.base(0)}:lane", "ts", "1")  # which a worker looks at only when it claims
    assert [one["partition"] for one in rebuild(program.config, code=1)["stopped"]] == [0]
    done = run("rebuild", "--config", str(program.config), "--partition", "0", "--from-log", "--yes")
    assert done.returncode == 1
    assert done.stderr == "livenps: partition 0: a worker is at work on it\n"
    assert not await here.redis.exists(f"{here.base(0)}:rebuild")


# wrong calls


async def test_a_partition_that_does_not_exist(config: Path, namespace: str) -> None:
    done = run("rebuild", "--config", str(config), "--partition", "4")
    assert done.returncode == 2
    assert done.stderr == f"livenps: {namespace}survey.responses has no partition 4, they are 0 to 3\n"


async def test_without_kafka(tmp_path: Path) -> None:
    config = tmp_path / "livenps.toml"
    address = f"127.0.0.1:{free_port()}"
    config.write_text(configuration({"kafka": {"bootstrap": address}}))
    done = run("rebuild", "--config", str(config))
    assert done.returncode == 1
    assert f"livenps: Kafka at {address} does not answer" in done.stderr
    assert "Traceback" not in done.stderr
