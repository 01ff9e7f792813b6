"""What tests of the moving parts share: a bench of topics and keys, fresh for every test."""

from collections.abc import AsyncIterator

import pytest

from tests.real.kafka import Kafka
from tests.streams.worker import Bench


@pytest.fixture
async def bench(kafka: Kafka, redis_url: str, namespace: str) -> AsyncIterator[Bench]:
    bench = await Bench.open(kafka.bootstrap, redis_url, namespace)
    yield bench
    await bench.redis.aclose()
