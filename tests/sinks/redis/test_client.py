"""The failures of Redis in the project's words."""

import asyncio

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from sinks.redis.client import Client, Script, ask, connect, script
from streams.store import StoreCorrupt, StoreUnavailable
from tests.conftest import RunPart
from tests.real.ports import free_port
from tests.real.redis import Redis
from tests.real.wait import until


async def reply(answer: object) -> object:
    if isinstance(answer, Exception):
        raise answer
    return answer


def error(line: str) -> Exception:
    """What redis-py makes of an error that the server sent."""
    made: Exception = BaseParser.parse_error(line)  # type: ignore[no-untyped-call]
    return made


@pytest.mark.parametrize(
    "line",
    [
        "OOM command not allowed when used memory > 'maxmemory'.",
        "LOADING Redis is loading the dataset in memory",
        "BUSY Redis is busy running a script.",
        "READONLY You can't write against a read only replica.",
        "MASTERDOWN Link with MASTER is down",
        "CLUSTERDOWN The cluster is down",
        "CLUSTERDOWN Hash slot not served",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "NOREPLICAS Not enough good replicas to write.",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    ],
    ids=lambda line: line.split()[0],
)
async def test_waiting_helps(line: str) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        await ask(reply(error(line)))
    assert caught.value.retriable


@pytest.mark.parametrize(
    "line",
    [
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "ERR unknown command 'EVALSHA'",
        "NOPERM this user has no permissions",
        "ERR user_script:12: attempt to index a nil value",
        "CROSSSLOT Keys in request don't hash to the same slot",
        "MOVED 3999 127.0.0.1:6381",
        "ASK 3999 127.0.0.1:6381",
    ],
    ids=lambda line: line.split()[0],
)
async def test_waiting_does_not_help(line: str) -> None:
    with pytest.raises(StoreCorrupt) as caught:
        await ask(reply(error(line)))
    assert not caught.value.retriable


CLOSED = RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


@pytest.mark.parametrize("lost", [RedisConnectionError("gone"), RedisTimeoutError("slow"), CLOSED], ids=str)
async def test_a_lost_connection_is_waited_for(lost: Exception) -> None:
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await ask(reply(lost))


async def test_a_pipeline_on_a_busy_server_is_waited_for(run_part: RunPart) -> None:
    """It says which of its commands was refused, before it says why."""
    client = connect(run_part(Redis()).url)
    await client.config_set("lua-time-limit", 1)
    busy = asyncio.create_task(client.eval("while true do end", 0))

    async def refused() -> bool:
        pipe = client.pipeline(transaction=False)
        pipe.hgetall("counts")
        try:
            await ask(pipe.execute())
        except StoreUnavailable:
            return True
        return False

    await until(refused, message="the script keeps the server busy")
    await client.script_kill()
    with pytest.raises(ResponseError):
        await busy
    await client.aclose()


async def test_a_reply_is_handed_on() -> None:
    assert await ask(reply([b"OK"])) == [b"OK"]


async def test_a_script_is_sent_again_to_a_server_that_forgot_it(redis: Client, namespace: str) -> None:
    increase = Script(redis, "return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert await increase(keys=[namespace], args=[2]) == 2
    assert await increase(keys=[namespace], args=[3]) == 5
    await redis.script_flush()
    assert await increase(keys=[namespace], args=[b"4"]) == 9


async def test_a_client_connects_with_its_first_command() -> None:
    client = connect(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await ask(client.ping())
    await client.aclose()


def test_a_script_is_its_parts_in_their_order() -> None:
    assert script("fence", "sweep", "fold") == script("fence") + script("sweep") + script("fold")
