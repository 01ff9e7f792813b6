"""The whole loop on real parts: a product event becomes a mail, an answer, a score, an alert, and peace again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from aiokafka import AIOKafkaProducer
from playwright.async_api import Page, expect
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import RunPart
from tests.real.alertmanager import Alertmanager
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.prometheus import Prometheus
from tests.real.receiver import Receiver
from tests.real.smtp import Mailbox
from tests.real.wait import until

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture
def program(kafka: Kafka, redis_url: str, namespace: str, smtp: Mailbox) -> Iterator[Livenps]:
    """The default program, whose purchase survey goes out by mail."""
    surveys: list[dict[str, Any]] = [
        {"id": "post-purchase", "trigger": "Order Delivered", "channel": "mail"},
        {"id": "relationship"},
    ]
    changes = {
        "kafka": {"bootstrap": kafka.bootstrap, "prefix": namespace},
        "redis": {"url": redis_url, "prefix": namespace},
        "surveys": surveys,
        "watch": {"learn": 300, "learn_for": "0s"},
    }
    with Livenps(changes, environment={"LIVENPS_SMTP_URL": f"smtp://{smtp.host}:{smtp.port}"}) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().running() as running:
        yield running


async def test_from_a_product_event_to_a_mail_to_an_answer_to_a_metric(
    program: Livenps, kafka: Kafka, namespace: str, smtp: Mailbox, page: Page
) -> None:
    delivered = {
        "event_id": "order-1",
        "event": "Order Delivered",
        "customer_id": "ada",
        "occurred_at": datetime.now(UTC).isoformat(),
        "properties": {"order_total": 59.9},
        "contact": {"email": "ada@example.com", "name": "Ada", "attributes": {"plan": "pro", "age": 31}},
    }
    await produce(kafka, f"{namespace}touchpoints", "ada", delivered)
    await until(lambda: smtp.messages, timeout=20, message="the mail")

    [mail] = smtp.messages
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text
    assert html
    assert mail["To"] == "ada@example.com"
    [link] = re.findall(r"http://\S+/s/[^\s/]+(?=\s)", text.get_content())
    assert html.get_content().count(f"{link}?score=") == 11

    httpx.head(link, trust_env=False).raise_for_status()  # as mail scanners do
    await page.goto(f"{link}?score=9")
    assert sample(program, "nps_responses_total", survey="post-purchase", group="promoter") == 0
    await expect(page.get_by_role("radio", name="9")).to_be_checked()
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_text("What do you like most?")).to_be_visible()
    counted = time.monotonic()
    await until(
        lambda: sample(program, "nps_responses_total", survey="post-purchase", group="promoter") == 1, timeout=5
    )
    assert time.monotonic() - counted < 1.0

    await page.get_by_role("textbox").fill("Fast, and <b>friendly</b>!")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_text("Thank you! Your answer helps")).to_be_visible()
    await page.goto(f"{program.url}/?survey=post-purchase")
    await expect(page.get_by_text("Fast, and <b>friendly</b>!")).to_be_visible()

    assert sample(program, "nps_score", survey="post-purchase", window="1h") == 100
    segment = {"survey": "post-purchase", "window": "1h", "dimension": "age", "segment": "25-34"}
    assert sample(program, "nps_segment_score", **segment) == 100
    await until(lambda: sample(program, "survey_answered_total", survey="post-purchase") == 1, timeout=5)
    assert sample(program, "survey_deliveries_total", survey="post-purchase", channel="mail", outcome="sent") == 1


async def test_a_drop_alerts_and_resolves(program: Livenps, receiver: Receiver, run_part: RunPart) -> None:
    alertmanager = Alertmanager(alertmanager_config(receiver.url, program))
    (alertmanager.directory / "livenps-token").write_text("any key will do from this machine")
    run_part(alertmanager)
    prometheus = run_part(
        Prometheus.scraping(
            [program.url.removeprefix("http://")], rules=quick_rules(), alertmanager=alertmanager.address
        )
    )
    last_week = datetime.now(UTC) - timedelta(days=5)
    plan = {"plan": "<b>pro</b> & {{ more }}"}
    answer(program, [10] * 180 + [8] * 90 + [3] * 30, at=last_week, attributes=plan)  # NPS 50
    await until(
        lambda: prometheus.query('nps_score{survey="relationship",window="30d"} == 50'), timeout=20, message="50"
    )
    await until(
        lambda: prometheus.query('nps_baseline{survey="relationship"} == 50'), timeout=20, message="learned"
    )
    assert not receiver.alerts("NpsDrop", "firing")

    posted = time.monotonic()  # the answer that it takes is among these
    answer(program, [10] * 10 + [8] * 10 + [2] * 40, attributes=plan)  # today: NPS -50
    incident = await until(lambda: incidents(program, "open"), timeout=30, message="livenps knows of it")
    print(f"\nfrom the answer that made it a drop to the incident: {time.monotonic() - posted:.1f} s")
    await until(lambda: receiver.alerts("NpsDrop", "firing"), timeout=30, message="the alert")
    [alert, *_] = receiver.alerts("NpsDrop", "firing")
    assert alert["labels"]["survey"] == "relationship"
    description = alert["annotations"]["description"]
    assert "below the baseline of 50.0" in description
    assert re.search(r"The last 24 hours score -\d+\.\d from \d+ answers\.", description)
    assert f"plan {plan['plan']} lost most: -" in description
    await until(lambda: receiver.alerts("NpsFastDrop", "firing"), timeout=30, message="the ticket")
    assert incident[0]["labels"] == alert["labels"]

    answer(program, [10] * 400)
    await until(lambda: receiver.alerts("NpsDrop", "resolved"), timeout=30, message="the alert's end")
    await until(lambda: incidents(program, "resolved"), timeout=30, message="and that it is over")
    assert not receiver.alerts("LivenpsDown", "firing")


async def test_the_worked_examples_of_the_score(program: Livenps) -> None:
    answer(program, [10] * 43 + [7] * 48 + [0] * 9, survey="post-purchase")
    for segment, nps in (("New", 45), ("Long-term", 70), ("Inactive", -20)):
        promoters, detractors = (nps + 10, 10) if nps > 0 else (10, 10 - nps)
        scores = [9] * promoters + [8] * (100 - promoters - detractors) + [6] * detractors
        answer(program, scores, attributes={"plan": segment, "age": 29})
    got = await until(lambda: scores_with(program, n=300, survey="relationship"), timeout=10)
    assert {name: one["score"] for name, one in got["segments"]["plan"].items()} == {
        "New": 45,
        "Long-term": 70,
        "Inactive": -20,
    }
    assert got["segments"]["age"]["25-34"]["n"] == 300
    purchase = await until(lambda: scores_with(program, n=100, survey="post-purchase"), timeout=10)
    assert purchase["score"] == 34


def answer(
    program: Livenps,
    scores: list[int],
    *,
    survey: str = "relationship",
    at: datetime | None = None,
    attributes: dict[str, Any] | None = None,
) -> None:
    """Post answers, as a data engineer would."""
    when = (at or datetime.now(UTC)).isoformat()
    body = [
        {"survey_id": survey, "score": score, "answered_at": when, "attributes": attributes or {}}
        for score in scores
    ]
    reply = httpx.post(f"{program.url}/v1/responses", json=body, trust_env=False)
    assert reply.status_code == 202, reply.text


def sample(program: Livenps, name: str, **labels: str) -> float | None:
    """One sample of the program's metrics."""
    text = httpx.get(f"{program.url}/metrics", trust_env=False).text
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            if one.name == name and one.labels == labels:
                return one.value
    return None


def scores_with(program: Livenps, *, n: int, survey: str) -> dict[str, Any] | None:
    params = {"survey": survey, "window": "24h"}
    got: dict[str, Any] = httpx.get(f"{program.url}/v1/scores", params=params, trust_env=False).json()
    return got if got["n"] == n else None


async def produce(kafka: Kafka, topic: str, key: str, value: dict[str, Any]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        await producer.send_and_wait(topic, json.dumps(value).encode(), key=key.encode())


def quick_rules() -> str:
    """The rules as they are shipped, with waits of a second."""
    groups = [
        group
        for path in sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    return re.sub(r"(for|keep_firing_for|interval): \w+", r"\1: 1s", yaml.safe_dump({"groups": groups}))


def incidents(program: Livenps, status: str) -> list[dict[str, Any]]:
    """The drops of the relationship survey that the program was told of."""
    params = {"survey": "relationship", "status": status}
    found = httpx.get(f"{program.url}/v1/timeline", params=params, trust_env=False).json()["incidents"]
    return [one for one in found if one["labels"]["alertname"] == "NpsDrop"]


def alertmanager_config(url: str, program: Livenps) -> str:
    """The configuration as it is shipped, with an address for people, that of the program, and short waits."""
    text = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text()
    text = text.replace("http://livenps.invalid/", f"{program.url}/v1/alerts")
    text = re.sub(r"http://[a-z-]+\.invalid/", url, text)
    return re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", text)
