"""Before anything starts: the addresses answer, and the topics are what the program needs."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit, urlunsplit

import structlog
from aiokafka.errors import KafkaError

from livenps.settings import Config
from sinks.redis import client
from streams import topics
from streams.errors import BrokerUnavailable, LivenpsError
from streams.times import FUTURE, SECOND

MAX_WAIT_S = 5.0
CONNECT_S = 3.0

log = structlog.get_logger(__name__)


class ClocksDiffer(LivenpsError):
    """A worker with such a clock would take answers out of windows too early, or too late."""

    retriable = True


async def prepare(config: Config, *, create_topics: bool, clock: Callable[[], float] = time.time) -> None:
    """Wait for Kafka and Redis as long as it takes, and for a clock that is right; create missing topics.

    Raises TopicMismatch where the cluster's topics would make the lanes wrong.
    """
    await _until("Redis", _without_password(config.redis.url), lambda: _ping(config, clock))
    await _until("Kafka", config.kafka.bootstrap, lambda: _topics(config) if create_topics else _connect(config))


async def _ping(config: Config, clock: Callable[[], float]) -> None:
    redis = client.connect(config.redis.url)
    try:
        time_of = client.Script(redis, "return redis.call('TIME')")  # of one server, where it is a cluster too
        seconds, _ = await client.ask(time_of(keys=[config.redis.prefix], args=[]))
    finally:
        await redis.aclose()
    ahead = clock() - int(seconds)
    if abs(ahead) * SECOND > FUTURE:
        where = "ahead of" if ahead > 0 else "behind"
        raise ClocksDiffer(f"this machine's clock is {abs(ahead):.0f} s {where} that of Redis; set it right")


async def _connect(config: Config) -> None:
    """Return once one of the brokers answers: any of them knows the others."""
    failures = []
    for address in config.kafka.bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            async with asyncio.timeout(CONNECT_S):
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except TimeoutError:
            failures.append(f"{address.strip()} does not answer within {CONNECT_S:g} s")
        except OSError as error:
            failures.append(str(error))
        else:
            writer.close()
            return
    raise BrokerUnavailable("; ".join(failures))


async def _topics(config: Config) -> None:
    await _connect(config)
    wanted = config.topics().values()
    try:
        differences = [d for d in await topics.check(config.kafka.bootstrap, wanted) if d.what != "topic"]
        topics.refuse_fatal(differences)  # before anything is created
        created = await topics.create(config.kafka.bootstrap, wanted)
    except KafkaError as error:
        if not error.retriable:
            raise BrokerUnavailable(f"Kafka refuses: {error!r}") from error
        raise BrokerUnavailable(repr(error)) from error
    if created:
        log.info("topics created", topics=created)
    for difference in differences:
        log.warning("topic differs from the configuration", difference=str(difference))


async def _until(what: str, address: str, attempt: Callable[[], Awaitable[None]]) -> None:
    failures = 0
    while True:
        try:
            await attempt()
        except LivenpsError as error:
            if not error.retriable:
                raise
            failures += 1
            seconds = min(MAX_WAIT_S, 0.25 * 2**failures) * random.uniform(0.5, 1)  # noqa: S311 - jitter
            log.warning(f"waiting for {what} at {address}", error=str(error), retry_in=f"{seconds:.1f} s")
            await asyncio.sleep(seconds)
        else:
            return


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host))
