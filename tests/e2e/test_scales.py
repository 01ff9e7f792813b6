"""Surveys of every metric side by side: from an event to the survey page to the scores, metrics and live page."""

import json
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import Page, expect

from scoring.scales import SCALES
from streams.topics import RESPONSES
from tests.conftest import Serve
from tests.livenps.run import run
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.receiver import Receiver
from tests.real.records import read, write_all
from tests.real.wait import until
from tests.web.api import Api

# What two customers answer, what is asked openly after it, and what the score is then.
ASKED = {
    "nps": ((10, "What do you like most?"), (0, "What went wrong?"), 0.0, "0"),
    "csat": ((4, "What did you like most?"), (2, "What went wrong?"), 50.0, "50 %"),
    "ces": ((7, "What helped you most?"), (4, "What would have made it easier?"), 5.5, "5.5"),
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().running() as running:
        yield running


@pytest.fixture
def program(serve: Serve, receiver: Receiver) -> Livenps:
    sent = {"channel": "webhook", "webhook_url": receiver.url}
    return serve(
        {"surveys": [{"id": name, "metric": name, "trigger": f"event of {name}", **sent} for name in SCALES]}
    )


@pytest.fixture
async def api(program: Livenps) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=10) as client:
        yield Api(client)


async def test_from_an_event_to_a_page_to_a_score_of_its_own_scale(
    program: Livenps, api: Api, receiver: Receiver, page: Page
) -> None:
    for metric, (*answers, score, shown) in ASKED.items():
        for chosen, question in answers:
            link = await api.invited(receiver, metric, properties={"plan": "pro"})
            await page.goto(f"{program.url}{link}")
            await expect(page.get_by_role("radio")).to_have_count(len(SCALES[metric].scores))
            await page.get_by_role("radio", name=str(chosen), exact=True).check(force=True)
            await page.get_by_role("button", name="Send").click()
            await expect(page.get_by_role("heading", name=question)).to_be_visible()
            await page.get_by_role("textbox").fill(f"words of {metric} {chosen}")
            await page.get_by_role("button", name="Send").click()
            await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        scale = SCALES[metric]
        groups = [scale.group(chosen) for chosen, _ in answers]
        await api.counted(metric, *(groups.count(group) for group in scale.groups))
        found = await api.scores(metric)
        for one in (found, found["segments"]["plan"]["pro"]):
            assert (one["metric"], one["score"], one["n"]) == (metric, score, 2)
            assert list(one["groups"]) == list(scale.groups)
        assert await api.metric(f"{metric}_score", survey=metric, window="24h") == score
        for group in scale.groups:
            expected = groups.count(group)
            labels = {"survey": metric, "group": group}
            assert await api.metric(f"{metric}_responses_total", **labels) == expected
            assert await api.metric(f"{metric}_window_responses", **labels, window="24h") == expected
        await page.goto(f"{program.url}/?survey={metric}&window=24h")
        await expect(page.locator("#score")).to_have_text(shown)
        await expect(page.locator("#subtitle")).to_have_text(f"{scale.title}, last 24 hours")
        await expect(page.locator("#comments .group")).to_have_text(groups[::-1])
    families = {name for name, _ in await api.metrics()}
    assert all(f"{metric}_segment_score" in families for metric in SCALES)
    surveys = {labels for name, labels in await api.metrics() if name == "csat_score"}
    assert {dict(labels)["survey"] for labels in surveys} == {"csat"}


async def test_a_score_that_reaches_kafka_outside_its_scale_is_a_dead_letter_and_all_counts_agree(
    program: Livenps, api: Api, kafka: Kafka, namespace: str
) -> None:
    topic = f"{namespace}{RESPONSES}"
    given = [("csat", 5), ("csat", 9), ("ces", 0), ("ces", 7), ("nps", 0)]
    values = [{"response_id": uuid4().hex, "survey_id": survey, "score": score} for survey, score in given]
    await write_all(kafka.bootstrap, topic, [(one["response_id"], json.dumps(one).encode()) for one in values])
    for survey, groups in (("csat", (1, 0, 0)), ("ces", (1, 0, 0)), ("nps", (0, 0, 1))):
        await api.counted(survey, *groups)
    letters = await until(lambda: _letters(kafka, f"{namespace}dead-letters"), message="two dead letters")
    assert sorted((letter["reason"], letter["detail"]) for letter in letters) == [
        ("invalid", "expected a score from 1 to 5 (csat), got 9"),
        ("invalid", "expected a score from 1 to 7 (ces), got 0"),
    ]
    verified = run("verify", "--config", str(program.config), "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    table = run("score", "--url", program.url, "--survey", "csat").stdout
    assert all(word in table for word in ("CSAT", "100 % (too few)", "satisfied", "neutral", "dissatisfied"))


async def _letters(kafka: Kafka, topic: str) -> list[dict[str, str]]:
    found = [json.loads(record.value) for record in await read(kafka.bootstrap, topic)]
    return found if len(found) == 2 else []
