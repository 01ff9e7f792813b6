"""How far the logs reach, asked of Kafka itself."""

from collections.abc import AsyncIterator

import pytest

from streams import log_ends
from streams.log_ends import LogEnds
from tests.real.kafka import Kafka
from tests.real.wait import until
from tests.streams.worker import Bench


@pytest.fixture
async def ends(bench: Bench) -> AsyncIterator[LogEnds]:
    service = LogEnds(bench.bootstrap)
    await service.start()
    yield service
    await service.stop()


async def test_bounds_of_every_partition(bench: Bench, ends: LogEnds) -> None:
    await bench.write(b"{}", b"{}", partition=1)
    assert await ends.bounds(bench.responses, [0, 1]) == {0: (0, 0), 1: (0, 2)}
    await bench.write(b"{}")
    assert await ends.bounds(bench.responses, [0, 1]) == {0: (0, 1), 1: (0, 2)}


async def test_a_topic_that_is_not_there_has_none(
    ends: LogEnds, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_ends, "TIMEOUT_S", 0.3)
    assert await ends.bounds(f"{namespace}nothing", [0]) == {}


async def test_a_kafka_that_does_not_answer_has_none_until_it_does(
    bench: Bench, ends: LogEnds, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.write(b"{}")
    assert await ends.bounds(bench.responses, [0]) == {0: (0, 1)}
    monkeypatch.setattr(log_ends, "TIMEOUT_S", 0.3)
    kafka.pause()

    async def silent() -> bool:
        return await ends.bounds(bench.responses, [0]) == {}

    await until(silent)
    kafka.resume()
    monkeypatch.setattr(log_ends, "TIMEOUT_S", 5.0)
    assert await until(lambda: ends.bounds(bench.responses, [0])) == {0: (0, 1)}
