"""What is waited for before anything starts."""

import asyncio

import pytest
from redis.asyncio import Redis

from livenps.config import load
from livenps.startup import prepare
from streams.times import DAY, MINUTE, SECOND
from tests.real.kafka import Kafka
from tests.real.wait import until

pytestmark = pytest.mark.real


@pytest.mark.parametrize(("wrong", "told"), [(3_650 * DAY, "ahead of"), (-6 * MINUTE, "behind")])
async def test_a_clock_that_differs_from_that_of_redis_is_waited_for(
    redis_url: str, kafka: Kafka, capsys: pytest.CaptureFixture[str], wrong: int, told: str
) -> None:
    """It would empty the windows, or keep in them what has left."""
    config = load(None, {"LIVENPS_REDIS_URL": redis_url, "LIVENPS_KAFKA_BOOTSTRAP": kafka.bootstrap})
    async with Redis.from_url(redis_url) as redis:
        shift = [wrong / SECOND]

        def clock() -> float:
            return asyncio.get_running_loop().time() - began + at + shift[0]

        at, began = float((await redis.time())[0]), asyncio.get_running_loop().time()
        starting = asyncio.create_task(prepare(config, create_topics=False, clock=clock))
        await until(lambda: f"{told} that of Redis" in capsys.readouterr().out, message="it is told")
        assert not starting.done()
        shift[0] = 0.0
        await asyncio.wait_for(starting, 10)
