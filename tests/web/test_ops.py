"""/metrics, /healthz and /readyz: what Prometheus and an orchestrator see."""

import asyncio
import time
from asyncio.subprocess import PIPE, STDOUT
from typing import Any

import httpx
import pytest

from tests.conftest import RunPart, Serve
from tests.real.parts import need
from tests.real.receiver import Receiver
from tests.real.redis import Redis
from tests.real.wait import until
from tests.web.api import Api

LABELS = {
    "nps_score": {"survey", "window"},
    "nps_score_lower_bound": {"survey", "window"},
    "nps_score_upper_bound": {"survey", "window"},
    "nps_window_responses": {"survey", "window", "group"},
    "nps_responses_total": {"survey", "group"},
    "nps_newest_response_timestamp_seconds": {"survey"},
    "nps_corrections_total": {"survey", "from_group", "to_group"},
    "nps_segment_score": {"survey", "window", "dimension", "segment"},
    "nps_segment_score_lower_bound": {"survey", "window", "dimension", "segment"},
    "nps_segment_score_upper_bound": {"survey", "window", "dimension", "segment"},
    "nps_segment_window_responses": {"survey", "window", "group", "dimension", "segment"},
    "nps_segment_responses_total": {"survey", "group", "dimension", "segment"},
    "survey_touchpoints_total": {"event"},
    "survey_decisions_total": {"survey", "decision", "reason"},
    "survey_requests_total": {"survey", "channel"},
    "survey_segment_requests_total": {"survey", "dimension", "segment"},
    "survey_segment_answered_total": {"survey", "dimension", "segment"},
    "survey_deliveries_total": {"survey", "channel", "outcome"},
    "livenps_build_info": {"version", "python"},
    "livenps_lag_records": {"topic", "partition"},
    "livenps_delivery_lag_records": {"channel", "partition"},
    "livenps_recovering": {"topic", "partition"},
    "livenps_last_processed_timestamp_seconds": {"topic"},
}


@pytest.fixture
async def busy(api: Api, receiver: Receiver, survey: str) -> str:
    """A survey of which everything has happened once: asked, answered, corrected."""
    link = await api.invited(receiver, survey, properties={"plan": 'p"r\\o\n', "region": "eu"})
    await api.client.post(link, data={"score": "9"})
    await api.answer(survey, 8, response_id=f"{survey}-1")
    await api.answer(survey, 2, response_id=f"{survey}-1")
    await api.counted(survey, 1, 0, 1)
    await until(lambda: api.metric("survey_answered_total", survey=survey), message="the answer came back")
    return survey


async def test_names_labels_and_values(api: Api, busy: str) -> None:
    series = await api.metrics()
    found: dict[str, set[frozenset[str]]] = {}
    for name, labels in series:
        found.setdefault(name, set()).add(frozenset(key for key, _ in labels))
    for name, wanted in LABELS.items():
        assert found[name] == {frozenset(wanted)}, name

    def value(name: str, **labels: str) -> float:
        return series[name, frozenset({"survey": busy, **labels}.items())]

    def by_group(name: str, **labels: str) -> list[float]:
        return [value(name, group=group, **labels) for group in ("promoter", "passive", "detractor")]

    assert value("nps_score", window="24h") == 0
    assert value("nps_score_lower_bound", window="all") < 0 < value("nps_score_upper_bound", window="all")
    assert by_group("nps_window_responses", window="1h") == [1, 0, 1]
    assert by_group("nps_responses_total") == [1, 1, 0]
    assert value("nps_corrections_total", from_group="passive", to_group="detractor") == 1
    assert value("nps_segment_score", window="24h", dimension="plan", segment='p"r\\o\n') == 100
    assert value("nps_segment_responses_total", group="promoter", dimension="region", segment="eu") == 1
    assert 0 <= time.time() - value("nps_newest_response_timestamp_seconds") < 120
    assert value("survey_decisions_total", decision="asked", reason="triggered") == 1
    assert value("survey_requests_total", channel="webhook") == 1
    assert value("survey_deliveries_total", channel="webhook", outcome="sent") == 1
    assert series["survey_touchpoints_total", frozenset({("event", f"event of {busy}")})] == 1


async def test_no_answers_no_score(api: Api, survey: str) -> None:
    series = [(name, dict(labels)) for name, labels in await api.metrics()]
    of_survey = {name for name, labels in series if labels.get("survey") == survey}
    assert {"nps_window_responses", "nps_responses_total"} <= of_survey
    assert not {name for name in of_survey if "_score" in name}


async def test_promtool_finds_nothing_to_complain_about(api: Api, busy: str) -> None:
    need("prometheus")
    scrape = (await api.client.get("/metrics")).content
    promtool = await asyncio.create_subprocess_exec(
        *("promtool", "check", "metrics"), stdin=PIPE, stdout=PIPE, stderr=STDOUT
    )
    complaints, _ = await promtool.communicate(scrape)
    assert (promtool.returncode, complaints) == (0, b"")


async def test_the_content_type_is_the_one_of_the_text_format(api: Api) -> None:
    assert (await api.client.get("/metrics")).headers["content-type"].startswith("text/plain; version=")


async def test_an_event_that_no_survey_uses_is_other(api: Api, survey: str) -> None:
    before = await api.metric("survey_touchpoints_total", event="other") or 0
    await api.post("/v1/touchpoints", {"event": f"unused {survey}", "customer_id": survey})

    async def counted() -> bool:
        return await api.metric("survey_touchpoints_total", event="other") == before + 1

    await until(counted, message="the touchpoint counts as other")


async def test_healthy_and_ready(api: Api) -> None:
    for path in ("/healthz", "/readyz"):
        reply = await api.client.get(path)
        assert reply.status_code == 200
        body = reply.json()
        assert body["status"] == "ok"
        assert set(body["checks"].values()) == {"ok"}
    assert {"redis", "draining", "lane customers", "lane answers"} <= body["checks"].keys()


async def test_without_redis_the_scrape_fails_and_comes_back(serve: Serve, run_part: RunPart) -> None:
    redis = run_part(Redis())
    program = serve({"redis": {"url": redis.url}})
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=30) as client:
        api = Api(client)
        await api.answer("support", 9)
        await api.counted("support", 1, 0, 0)
        redis.stop()

        async def statuses() -> dict[str, int]:
            paths = ("/metrics", "/v1/scores", "/readyz", "/healthz")
            return {path: (await client.get(path)).status_code for path in paths}

        async def all_down() -> bool:
            return await statuses() == {"/metrics": 503, "/v1/scores": 503, "/readyz": 503, "/healthz": 200}

        # Not at once: what was read a moment ago is shared for a quarter of a second.
        await until(all_down, message="all that needs Redis fails, and nothing else")
        ready: dict[str, Any] = (await client.get("/readyz")).json()
        assert ready["status"] == "failing"
        assert "Redis does not answer" in ready["checks"]["redis"]
        await api.answer("support", 0)  # Kafka takes it, and it counts later
        redis.launch()
        await until(redis.answers, message="redis is back")
        await until(program.answers, timeout=30, message="the program is ready again")
        await api.counted("support", 1, 0, 1)
        assert (await client.get("/metrics")).status_code == 200
    assert "Traceback" not in program.log.read_text()
