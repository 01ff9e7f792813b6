"""The embedded default: a Kafka that speaks the real protocol, and a Redis, real or not, that runs Lua."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from livenps import embedded as module
from livenps.embedded import Embedded, embedded
from sinks.redis.client import connect
from tests.livenps.run import run
from tests.real.parts import need
from tests.real.wait import until


@pytest.fixture(params=["a private redis-server", "fakeredis (no redis-server on the PATH)"])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedded]:
    if request.param.startswith("fakeredis"):
        monkeypatch.setattr(shutil, "which", lambda _: None)
    else:
        need("redis")
    with embedded() as running:
        assert running.redis_kind == request.param
        yield running


async def test_kafka_keeps_and_gives_back(parts: Embedded) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=parts.bootstrap, acks="all", enable_idempotence=True
    ) as producer:
        await producer.send_and_wait("responses", b"9", key=b"ada")
    async with AIOKafkaConsumer(
        "responses", bootstrap_servers=parts.bootstrap, group_id="test", auto_offset_reset="earliest"
    ) as consumer:
        assert (await consumer.getone()).value == b"9"


async def test_what_needs_a_real_kafka_says_so(parts: Embedded) -> None:
    """An embedded broker does answer: who is told otherwise looks for a fault in the network."""
    async with AIOKafkaProducer(bootstrap_servers=parts.bootstrap) as producer:
        await producer.send_and_wait("survey.decisions", b"{}")  # the topic is there from now on
    done = run("explain", "--customer", "c-17", environment={"LIVENPS_KAFKA_BOOTSTRAP": parts.bootstrap})
    assert done.returncode == 1
    assert f"Kafka at {parts.bootstrap} cannot be asked for its settings, as that of --embedded" in done.stderr


async def test_redis_runs_scripts(parts: Embedded) -> None:
    async with connect(parts.redis_url) as redis:
        script = redis.register_script("return redis.call('HINCRBY', KEYS[1], 'n', ARGV[1])")
        assert await script(keys=["tally"], args=[41]) == 41
        assert await script(keys=["tally"], args=[1]) == 42


async def test_nothing_is_left_behind() -> None:
    need("redis")
    with embedded() as running:
        folder = Path(running.redis_url.removeprefix("unix://")).parent
        async with connect(running.redis_url) as redis:
            server = (await redis.info("server"))["process_id"]
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)


async def test_redis_ends_also_with_a_program_that_is_killed() -> None:
    need("redis")
    script = """
import time
from livenps.embedded import embedded

with embedded() as parts:
    print(parts.redis_url, flush=True)
    time.sleep(60)
"""
    program = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert program.stdout
    with program.stdout as said:
        url = said.readline().strip()
        async with connect(url) as redis:
            server = (await redis.info("server"))["process_id"]
        program.kill()
        program.wait()
    await until(lambda: not Path(f"/proc/{server}").exists(), message="the server ended")


async def test_a_redis_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    need("redis")
    monkeypatch.setattr(module, "STOP_S", 0.1)
    with embedded() as running:
        async with connect(running.redis_url) as redis:
            server = (await redis.info("server"))["process_id"]
        os.kill(server, signal.SIGSTOP)
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
