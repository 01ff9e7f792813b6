"""The proxy passes on what it was given, and stops exactly what it was told to."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis as Client
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.conftest import RunPart
from tests.real.proxy import Command, Proxy, Way
from tests.real.redis import Redis
from tests.real.wait import until


@pytest.fixture
def server(run_part: RunPart) -> Redis:
    return run_part(Redis())


@pytest.fixture
def proxy(server: Redis) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
async def near(proxy: Proxy) -> AsyncIterator[Client]:
    async with Client.from_url(proxy.url, retry=None) as client:
        yield client


@pytest.fixture
async def direct(server: Redis) -> AsyncIterator[Client]:
    async with Client.from_url(server.url) as client:
        yield client


def counts(command: Command) -> bool:
    return command[0] == b"INCR"


async def incr(client: Client) -> int:
    return int(await client.execute_command("INCR", "n"))  # type: ignore[no-untyped-call] # its `incr` says INCRBY


async def test_values_of_all_kinds_pass(near: Client) -> None:
    big = b"\r\n" * 300_000
    await near.set("big", big)
    assert await near.get("big") == big
    assert await near.get("none") is None
    await near.hset("hash", mapping={"a": "1", "b": ""})
    assert await near.hgetall("hash") == {b"a": b"1", b"b": b""}
    assert await near.eval("return {1, {'a', false}, {}}", 0) == [1, [b"a", None], []]
    async with near.pipeline(transaction=True) as pipeline:
        pipeline.incr("n")
        pipeline.incr("n")
        assert await pipeline.execute() == [1, 2]


async def test_a_lost_reply_is_of_a_command_that_was_done(proxy: Proxy, near: Client) -> None:
    trap = proxy.lose(counts, times=2)
    for _ in range(2):
        with pytest.raises(RedisConnectionError):
            await incr(near)
    assert await incr(near) == 3
    assert trap.caught == 2


async def test_a_lost_request_is_of_a_command_that_was_not_done(proxy: Proxy, near: Client) -> None:
    proxy.lose(counts, Way.REQUEST)
    with pytest.raises(RedisConnectionError):
        await incr(near)
    assert await incr(near) == 1


@pytest.mark.parametrize(("way", "done"), [(Way.REQUEST, None), (Way.REPLY, b"1")])
async def test_what_is_held_goes_on_when_told(
    proxy: Proxy, near: Client, direct: Client, way: Way, done: bytes | None
) -> None:
    trap = proxy.hold(counts, way)
    asked = asyncio.create_task(incr(near))
    await until(lambda: trap.caught)
    assert await direct.get("n") == done
    assert await near.get("n") == done  # others pass
    assert not asked.done()
    trap.release()
    assert await asked == 1


async def test_a_server_that_is_away_is_away_behind_it_too(server: Redis, near: Client) -> None:
    assert await near.ping()
    server.kill()
    with pytest.raises(RedisConnectionError):
        await near.ping()
    with pytest.raises(RedisConnectionError):
        await near.ping()
    server.start()
    assert await near.ping()


async def test_what_is_lost_passes_again_when_told(proxy: Proxy, near: Client) -> None:
    trap = proxy.lose(counts, Way.REQUEST, times=1_000)
    with pytest.raises(RedisConnectionError):
        await incr(near)
    trap.release()
    assert await incr(near) == 1
