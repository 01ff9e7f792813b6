"""Fixtures over real parts. Kafka and Redis run once for all tests; the rest is each test's own."""

import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Protocol, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from playwright.async_api import Browser, Page

from tests.real.browser import chromium
from tests.real.kafka import Kafka
from tests.real.livenps import NOTHING, Livenps, merged
from tests.real.parts import need
from tests.real.process import Part
from tests.real.redis import Redis
from tests.real.redis_cluster import RedisCluster
from tests.real.smtp import Mailbox

# How long a rule takes on a busy machine says nothing about the rule.
settings.register_profile("livenps", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("livenps")

REAL = {"kafka", "redis_server", "redis_cluster", "run_part", "browser"}

P = TypeVar("P", bound=Part)


class RunPart(Protocol):
    """Starts a real part and returns it, or skips the test where it is missing."""

    def __call__(self, part: P) -> P: ...


class Serve(Protocol):
    """Starts the program on the shared Kafka and Redis, with what the test changes in its configuration."""

    def __call__(
        self,
        changes: Mapping[str, Any] = NOTHING,
        *,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] = NOTHING,
        wait: bool = True,
    ) -> Livenps: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses a real part, so that `-m "not real"` runs the rest."""
    for item in items:
        if REAL & set(getattr(item, "fixturenames", ())):
            item.add_marker("real")


@pytest.fixture(scope="session")
def shared_parts() -> list[Part]:
    """The parts that all tests share, as far as one was needed."""
    return []


@pytest.fixture
def namespace(shared_parts: list[Part]) -> Iterator[str]:
    """A prefix of this test's own for topics, groups and keys, so that tests share a broker.

    Its topics go with it: a broker with those of all tests takes a minute to come back from a kill.
    """
    prefix = f"t{uuid.uuid4().hex[:10]}."
    yield prefix
    for part in shared_parts:
        if isinstance(part, Kafka):
            part.ensure()
            part.delete_topics(prefix)


@pytest.fixture(autouse=True)
def leave_running(shared_parts: list[Part]) -> Iterator[None]:
    """A test may stop, kill or pause a shared part; the next one finds it serving."""
    yield
    for part in shared_parts:
        part.ensure()


@pytest.fixture(scope="session")
def kafka(shared_parts: list[Part]) -> Iterator[Kafka]:
    """The broker of the whole run; topics take the test's `namespace`."""
    need("kafka")
    with Kafka() as broker:
        shared_parts.append(broker)
        yield broker
        shared_parts.remove(broker)


@pytest.fixture(scope="session")
def redis_server(shared_parts: list[Part]) -> Iterator[Redis]:
    """The Redis of the whole run, for tests that stop it or look at it; others take `redis_url`."""
    need("redis")
    with Redis() as server:
        shared_parts.append(server)
        yield server
        shared_parts.remove(server)


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """The address of an empty Redis."""
    redis_server.flush()
    return redis_server.url


@pytest.fixture(scope="session")
def redis_cluster(shared_parts: list[Part]) -> Iterator[RedisCluster]:
    """The Redis Cluster of the whole run; most tests take `redis_cluster_url`."""
    need("redis")
    with RedisCluster() as cluster:
        shared_parts.append(cluster)
        yield cluster
        shared_parts.remove(cluster)


@pytest.fixture
def redis_cluster_url(redis_cluster: RedisCluster) -> str:
    """The address of an empty Redis Cluster."""
    redis_cluster.flush()
    return redis_cluster.url


@pytest.fixture
def run_part() -> Iterator[RunPart]:
    """Start parts of this test's own, such as `run_part(Redis())`, and stop them after it."""
    with ExitStack() as stack:

        def run(part: P) -> P:
            stack.callback(part.close)
            need(part.name)
            return part.start()

        yield run


@pytest.fixture
def real_parts(kafka: Kafka, redis_server: Redis, namespace: str) -> dict[str, Any]:
    """The configuration that has a program use the shared parts, under names of this test's own."""
    return {
        "kafka": {"bootstrap": kafka.bootstrap, "prefix": namespace},
        "redis": {"url": redis_server.url, "prefix": namespace},
    }


@pytest.fixture
def serve(real_parts: dict[str, Any]) -> Iterator[Serve]:
    """Run programs of this test's own, and stop them after it."""
    with ExitStack() as stack:

        def run(changes: Mapping[str, Any] = NOTHING, *, wait: bool = True, **options: Any) -> Livenps:
            program = Livenps(merged(real_parts, changes), **options)
            stack.callback(program.close)
            program.launch()
            if wait:
                program.wait()
            return program

        yield run


@pytest.fixture
def smtp() -> Iterator[Mailbox]:
    """A mail receiver of this test's own."""
    mailbox = Mailbox().start()
    yield mailbox
    mailbox.stop()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A Chromium of this test's own."""
    need("chromium")
    async with chromium() as running:
        yield running


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """An empty page; a script that fails on it fails the test."""
    failures: list[str] = []
    page = await browser.new_page()
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    await page.close()
    assert not failures
