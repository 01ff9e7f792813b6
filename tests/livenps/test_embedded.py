"""The embedded default: a Kafka that speaks the real protocol, and a Redis, real or not, that runs Lua."""

import shutil
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from redis.asyncio import Redis

from livenps.embedded import Embedded, embedded
from tests.real.parts import need


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


async def test_redis_runs_scripts(parts: Embedded) -> None:
    async with Redis.from_url(parts.redis_url) as redis:
        script = redis.register_script("return redis.call('HINCRBY', KEYS[1], 'n', ARGV[1])")
        assert await script(keys=["tally"], args=[41]) == 41
        assert await script(keys=["tally"], args=[1]) == 42


async def test_nothing_is_left_behind() -> None:
    need("redis")
    with embedded() as running:
        path = running.redis_url.removeprefix("unix://")
        async with Redis.from_url(running.redis_url) as redis:
            await redis.set("score", 34)
    async with Redis(unix_socket_path=path) as redis:
        with pytest.raises(ConnectionError):
            await redis.ping()
