"""Redis loses everything under a running program: until all answers are counted again, no number is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from streams.events import Response, encode
from tests.conftest import Serve
from tests.real.kafka import Kafka
from tests.real.records import write_all
from tests.real.redis import Redis
from tests.real.wait import until
from tests.web.api import Api

pytestmark = pytest.mark.slow
SURVEY = "relationship"
ANSWERS = 60_000
PATIENCE = 60.0


@pytest.fixture
async def api(serve: Serve) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(base_url=serve().url, timeout=20, trust_env=False) as client:
        yield Api(client)


async def test_no_part_of_the_answers_is_shown_for_all_of_them(
    api: Api, kafka: Kafka, redis_server: Redis, namespace: str
) -> None:
    await answer(kafka, f"{namespace}survey.responses")

    async def counted() -> bool:
        return await shown(api) == [ANSWERS] * 3

    await until(counted, timeout=PATIENCE, message="all answers are counted")
    redis_server.flush()
    hidden = 0

    async def counted_again() -> bool:
        nonlocal hidden
        numbers = await shown(api)
        assert set(numbers) <= {None, ANSWERS}
        hidden += numbers == [None] * 3
        return hidden > 0 and numbers == [ANSWERS] * 3

    await until(counted_again, timeout=PATIENCE, every=0, message="all answers are counted again")
    assert hidden > 1


async def shown(api: Api) -> list[float | None]:
    """How many answers the read API, the gauges and the counters speak of; None where they say nothing."""
    reply = await api.client.get("/v1/scores", params={"survey": SURVEY, "window": "all"})
    assert reply.status_code in (200, 503)
    samples = await api.metrics()

    def total(name: str, *labels: tuple[str, str]) -> float | None:
        wanted = {("survey", SURVEY), *labels}
        found = [n for (sample, given), n in samples.items() if sample == name and wanted <= given]
        return sum(found) if found else None

    return [
        reply.json()["n"] if reply.is_success else None,
        total("nps_window_responses", ("window", "all")),
        total("nps_responses_total"),
    ]


async def answer(kafka: Kafka, topic: str) -> None:
    given = (Response(response_id=f"r{n}", survey_id=SURVEY, score=n % 11) for n in range(ANSWERS))
    await write_all(kafka.bootstrap, topic, ((response.response_id, encode(response)) for response in given))
