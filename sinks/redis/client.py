"""The connection to Redis, one server or a cluster, and its failures in the project's own words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import msgspec
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import FullJitterBackoff
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ClusterError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from streams.store import StoreCorrupt, StoreUnavailable

Client: TypeAlias = Redis | RedisCluster

_LUA = Path(__file__).with_name("lua")
# What waiting helps against. redis-py makes an exception of its own of most codes and cuts the code off.
_TRANSIENT = (OutOfMemoryError, ReadOnlyError, ClusterDownError, TryAgainError)
_TRANSIENT_CODES = ("BUSY", "NOREPLICAS", "MISCONF")


def connect(url: str) -> Client:
    """A client for one Redis, or with ``redis+cluster://host:port,host:port`` for a cluster.

    Nothing is connected until the first command.
    """
    options: dict[str, Any] = {
        "socket_timeout": 5,
        "socket_connect_timeout": 5,
        "retry": Retry(FullJitterBackoff(cap=0.5, base=0.05), retries=2),
        "retry_on_error": [RedisConnectionError, RedisTimeoutError],
    }
    parts = urlsplit(url)
    scheme, plus, _ = parts.scheme.partition("+cluster")
    if not plus:
        return Redis.from_url(url, **options)
    user, at, addresses = parts.netloc.rpartition("@")
    hosts = [urlsplit(f"//{address}") for address in addresses.split(",")]
    nodes = [ClusterNode(host.hostname or "", host.port or 6379) for host in hosts]
    first = parts._replace(scheme=scheme, netloc=user + at + hosts[0].netloc)
    return RedisCluster.from_url(urlunsplit(first), startup_nodes=nodes, **options)


class Script:
    """A Lua script, by its hash; a server that does not know it, as after a failover, is sent the text.

    redis-py's own would teach it to every master of a cluster first, and fail where one of them is away.

    One that makes up the names of more keys is given two or more, one of which never has a value (the base). While
    a cluster moves their slot, that has it wait until all of them have arrived; given one alone, it would run on a
    part of them.
    """

    def __init__(self, redis: Client, text: str) -> None:
        self._redis, self._text = redis, text
        self._sha = sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, keys: Sequence[str], args: Sequence[str | int | bytes]) -> Any:
        try:
            return await self._redis.evalsha(self._sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self._redis.eval(self._text, len(keys), *keys, *args)


async def ask(reply: Any) -> Any:  # redis-py types a reply as everything it might ever be
    """Await a reply of Redis; raise StoreUnavailable where waiting helps and StoreCorrupt where it does not."""
    try:
        return await reply
    except (RedisConnectionError, RedisTimeoutError) as error:
        raise StoreUnavailable(f"Redis does not answer: {error}") from error
    except AskError as error:  # or MovedError, which is one; a cluster's own client follows them
        raise StoreCorrupt("this Redis is one of a cluster: its URL has to begin with redis+cluster://") from error
    except ResponseError as error:
        code = str(error).rpartition("caused error: ('")[2]  # where a pipeline says which command it was
        if isinstance(error, _TRANSIENT) or code.startswith(_TRANSIENT_CODES):
            raise StoreUnavailable(f"Redis refuses for now: {error}") from error
        raise StoreCorrupt(f"Redis refuses: {error}") from error
    except RedisClusterException as error:
        if "same key slot" in str(error):
            raise StoreCorrupt(f"Redis Cluster: {error}") from error
        raise StoreUnavailable(f"Redis Cluster does not answer: {error}") from error
    except (ClusterError, AttributeError) as error:  # the latter is redis-py's, about a server that is new to it
        raise StoreUnavailable(f"Redis Cluster is moving slots: {error}") from error
    except RedisError as error:
        raise StoreUnavailable(f"Redis: {error}") from error
    except RuntimeError as error:  # uvloop's, of a connection that was closed under redis-py's hands
        if "closed" not in str(error):
            raise
        raise StoreUnavailable(f"Redis does not answer: {error}") from error


@cache
def script(*parts: str) -> str:
    """The text of a script made of Lua files, the later ones using what the earlier ones define."""
    return "".join((_LUA / f"{part}.lua").read_text() for part in parts)


def to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
