"""While a partition recovers nobody is shown a score, and everybody is told why."""

from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Page, expect
from redis.asyncio import Redis

from sinks.redis import keys
from tests.conftest import Serve
from tests.livenps.run import run
from tests.real.livenps import Livenps
from tests.real.redis import Redis as RedisServer
from tests.real.wait import until
from tests.web.api import Api

SURVEY = "support"


@pytest.fixture
def program(serve: Serve) -> Livenps:
    return serve()


@pytest.fixture
async def api(program: Livenps) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=10) as client:
        yield Api(client)


@pytest.fixture
async def recovering(api: Api, redis_server: RedisServer, namespace: str) -> AsyncIterator[Redis]:
    """Three answers, and the mark of a recovery as `begin.lua` leaves it, half-way in one partition."""
    await api.answer(SURVEY, 10, 10, 0)
    await api.counted(SURVEY, 2, 0, 1)
    async with Redis.from_url(redis_server.url) as redis:
        lane = lane_of(namespace)
        await redis.hset(lane, mapping={"off": 50, "until": 100})
        await until(lambda: refused(api), message="the scores are hidden")
        yield redis


def lane_of(namespace: str) -> str:
    return keys.base(namespace, "a", 0) + ":lane"


async def refused(api: Api) -> bool:
    return (await api.client.get("/v1/scores")).status_code == 503


async def test_the_read_api_says_how_far_it_is(api: Api, recovering: Redis) -> None:
    reply = await api.client.get("/v1/scores", params={"survey": SURVEY})
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    [error] = reply.json()["errors"]
    assert error["message"] == "the answers are being counted again: 87 %"  # of four partitions


async def test_metrics_hold_no_score(api: Api, recovering: Redis, namespace: str) -> None:
    assert not [name for name, _ in await api.metrics() if name.startswith("nps_")]
    labels = {"topic": "survey.responses"}
    assert [await api.metric("livenps_recovering", **labels, partition=p) for p in "0123"] == [1, 0, 0, 0]
    assert await api.metric("survey_touchpoints_total", event="other") == 0

    await recovering.hdel(lane_of(namespace), "until")

    async def exposed() -> bool:
        return await api.metric("nps_responses_total", survey=SURVEY, group="promoter") == 2

    await until(exposed, message="the scores are back")
    assert await api.metric("livenps_recovering", **labels, partition="0") == 0


async def test_it_is_alive_and_ready(api: Api, recovering: Redis) -> None:
    assert [(await api.client.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 200]


async def test_the_command_says_it_too(program: Livenps, recovering: Redis) -> None:
    done = run("score", "--url", program.url)
    assert done.returncode == 1
    why = "the answers are being counted again: 87 %"
    assert done.stderr == f"livenps: {program.url} has no scores for now: {why}\n"


async def test_the_page_says_it_in_place_of_numbers(
    program: Livenps, recovering: Redis, namespace: str, page: Page
) -> None:
    await page.goto(f"{program.url}/?survey={SURVEY}")
    notice = page.locator("#trouble")
    await expect(notice).to_have_text(
        "The answers are being counted again: 87 %. Scores are back when all are in."
    )
    await expect(page.locator("#content")).to_be_hidden()

    await recovering.hdel(lane_of(namespace), "until")
    await expect(page.locator("#score-n")).to_have_text("n = 3 answers")
    await expect(notice).to_be_hidden()

    await recovering.hset(lane_of(namespace), "until", 200)
    await expect(notice).to_have_text(
        "The answers are being counted again: 81 %. Scores are back when all are in."
    )
    await expect(page.locator("#content")).to_be_hidden()
