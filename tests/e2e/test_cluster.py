"""The program on a Redis Cluster: three masters, of which one goes away for a while."""

import json
import subprocess
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from tests.conftest import RunPart, Serve
from tests.real.livenps import SECRET, Livenps, livenps
from tests.real.redis_cluster import RedisCluster
from tests.real.wait import until
from tests.web.api import Api

pytestmark = pytest.mark.slow
SURVEY = "relationship"
PATIENCE = 60.0


@pytest.fixture
def cluster(run_part: RunPart) -> RedisCluster:
    return run_part(RedisCluster(silence=1_000))


@pytest.fixture
def program(serve: Serve, cluster: RedisCluster) -> Livenps:
    return serve({"redis": {"url": cluster.url}})


@pytest.fixture
async def api(program: Livenps) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(base_url=program.url, timeout=20, trust_env=False) as client:
        yield Api(client)


async def test_answers_count_once_although_a_master_goes_away(
    cluster: RedisCluster, program: Livenps, api: Api
) -> None:
    ids = await answer(api, 500)
    await until(lambda: counted(api, 500), timeout=PATIENCE, message="500 answers")
    for master in cluster.masters:
        master.stop()
        ids += await answer(api, 100)  # Kafka takes them
        await answer(api, 100, ids[:100])
        await until(lambda: refuses(api), timeout=PATIENCE, message="scores are not served in part")
        master.launch()
    await until(cluster.answers, timeout=PATIENCE, message="the cluster serves again")
    await until(program.answers, timeout=PATIENCE, every=0.2, message="the program is ready again")
    await until(lambda: counted(api, 800), timeout=PATIENCE, message="800 answers")
    await until(
        lambda: verified(program)["records"] == 1_100, timeout=PATIENCE, every=0.5, message="1,100 records"
    )
    report = verified(program)
    assert (report["answers"], report["differences"], report["not_processed"]) == (800, [], [])


async def test_a_customer_is_asked_and_answers(program: Livenps, api: Api) -> None:
    asked = {"event": "Order Delivered", "customer_id": "ada", "contact": {"email": "ada@example.com"}}
    assert (await api.post("/v1/touchpoints", asked)).status_code == 202
    [link] = await until(lambda: links(program), timeout=PATIENCE, message="the survey's link")
    assert (await api.client.get(link)).status_code == 200
    assert (await api.client.post(link, data={"score": "9"})).status_code == 303
    await api.counted("post-purchase", 1, 0, 0)
    delivered = {"survey": "post-purchase", "channel": "log", "outcome": "sent"}
    assert await api.metric("survey_deliveries_total", **delivered) == 1
    await api.answer("post-purchase", 3, comment="Late.")

    async def comment() -> bool:
        async with api.live(survey="post-purchase") as snapshots:
            return [one["comment"] for one in (await anext(snapshots))["comments"]] == ["Late."]

    await until(comment, message="the comment")


async def answer(api: Api, count: int, again: list[str] | None = None) -> list[str]:
    """Send answers, or new versions of some."""
    ids = again or [uuid4().hex for _ in range(count)]
    body = [
        {"survey_id": SURVEY, "score": n % 11, "response_id": id_, "attributes": {"plan": "ab"[n % 2]}}
        for n, id_ in enumerate(ids)
    ]
    assert (await api.post("/v1/responses", body)).status_code == 202
    return ids


async def counted(api: Api, count: int) -> bool:
    reply = await api.client.get("/v1/scores", params={"survey": SURVEY, "window": "all"})
    return bool(reply.is_success and reply.json()["n"] == count)


async def refuses(api: Api) -> bool:
    return (await api.client.get("/v1/scores", params={"survey": SURVEY})).status_code == 503


def links(program: Livenps) -> list[str]:
    return [httpx.URL(line["link"]).path for line in program.lines() if "link" in line]


def verified(program: Livenps) -> dict[str, object]:
    done = subprocess.run(
        livenps("verify", "--config", str(program.config), "--json"),
        env={"LIVENPS_SECRET": SECRET, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    return report
