"""The connection to Redis, and its failures in the project's own words."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import FullJitterBackoff
from redis.exceptions import (
    ClusterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from streams.store import StoreCorrupt, StoreUnavailable

_LUA = Path(__file__).with_name("lua")
# What waiting helps against. redis-py makes an exception of its own of most codes and cuts the code off.
# A script is missing where Redis restarts between being taught it and running it.
_TRANSIENT = (OutOfMemoryError, ReadOnlyError, ClusterDownError, TryAgainError, NoScriptError)
_TRANSIENT_CODES = ("BUSY", "NOREPLICAS", "MISCONF")


def connect(url: str) -> Redis:
    """A client for one Redis. Nothing is connected until the first command."""
    return Redis.from_url(
        url,
        socket_timeout=5,
        socket_connect_timeout=5,
        retry=Retry(FullJitterBackoff(cap=0.5, base=0.05), retries=2),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )


async def ask(reply: Any) -> Any:  # redis-py types a reply as everything it might ever be
    """Await a reply of Redis; raise StoreUnavailable where waiting helps and StoreCorrupt where it does not."""
    try:
        return await reply
    except (RedisConnectionError, RedisTimeoutError) as error:
        raise StoreUnavailable(f"Redis does not answer: {error}") from error
    except ResponseError as error:
        if isinstance(error, _TRANSIENT) or str(error).startswith(_TRANSIENT_CODES):
            raise StoreUnavailable(f"Redis refuses for now: {error}") from error
        raise StoreCorrupt(f"Redis refuses: {error}") from error
    except RedisError as error:
        raise StoreUnavailable(f"Redis: {error}") from error


@cache
def script(name: str, *, fenced: bool = True) -> str:
    """The text of a script; fenced ones begin with ``fence.lua``."""
    text = (_LUA / f"{name}.lua").read_text()
    return (_LUA / "fence.lua").read_text() + text if fenced else text


def to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
