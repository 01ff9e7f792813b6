"""`livenps report` on a running program."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from livenps.settings import WEEKDAYS
from sinks.redis.client import connect
from streams.events import encode
from streams.times import DAY, SECOND
from tests.conftest import Serve
from tests.faults.site import client
from tests.livenps.run import run
from tests.make import answer
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.redis import Redis
from tests.real.smtp import Mailbox
from tests.real.wait import until

SURVEY = "relationship"
WHO = "team@example.com"
SENT = 'livenps_reports_total{channel="mail",outcome="sent"} 1.0'

pytestmark = pytest.mark.slow


async def test_what_moved_in_the_last_week(serve: Serve, kafka: Kafka, namespace: str) -> None:
    program = serve()
    past = time.time() - 10 * DAY / SECOND
    sent = [
        *(answer(9, f"old{n}", survey=SURVEY, answered_at=past, attributes={"plan": "pro"}) for n in range(60)),
        *(answer(0, f"new{n}", survey=SURVEY, attributes={"plan": "pro"}) for n in range(40)),
    ]
    pairs = [(one.response_id, encode(one)) for one in sent]
    await records.write_all(kafka.bootstrap, f"{namespace}survey.responses", pairs)

    async def counted() -> bool:
        async with client(program) as web:
            reply = await web.get("/v1/scores", params={"survey": SURVEY, "window": "30d"})
        return reply.is_success and bool(reply.json()["n"] == 100)

    await until(counted, timeout=30, message="all are counted")
    config = ("--config", str(program.config))
    done = run("report", "--json", *config)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["window"], facts["reference_window"]) == ("7d", "30d")
    [found] = [one for one in facts["surveys"] if one["survey"] == SURVEY]
    assert (found["score"], found["n"], found["before"], found["n_before"]) == (-100, 40, 100, 60)
    assert found["moved"]
    assert [one["segment"] for one in found["worth_a_look"]] == ["pro"]
    text = run("report", *config).stdout
    assert "Down 200 from 100: more than chance." in text
    assert "- plan **pro** fell by 200 to -100" in text
    assert run("report", "--html", *config).stdout.startswith("<!doctype html>")


async def test_two_workers_send_a_due_report_once(
    serve: Serve, redis_server: Redis, namespace: str, smtp: Mailbox
) -> None:
    report = {
        "days": list(WEEKDAYS),
        "at": (datetime.now(UTC) - timedelta(minutes=2)).strftime("%H:%M"),
        "mail": [WHO],
    }
    last_week = int(time.time() * SECOND) - 7 * DAY
    redis = connect(redis_server.url)
    await redis.set(f"{namespace}:{{d0}}:reports", last_week)  # a worker has looked before
    await redis.aclose()
    environment = {"LIVENPS_SMTP_URL": f"smtp://{smtp.host}:{smtp.port}"}
    first, second = (serve({"report": report}, environment=environment) for _ in range(2))
    await until(lambda: smtp.messages, timeout=30, message="the report")
    [mail] = smtp.messages
    assert mail["Subject"] == "Our shop: how customers felt in the last 7 days"

    async def counted() -> bool:
        async with client(second) as web:
            return SENT in (await web.get("/metrics")).text

    await until(counted, timeout=30, message="it is counted")
    assert [line["to"] for line in (*first.lines(), *second.lines()) if line["event"] == "report"] == [
        "report.mail[0]"
    ]
    done = run("report", "--send", "--config", str(first.config), environment=environment)
    assert (done.returncode, done.stdout) == (0, "report.mail[0]: sent\n"), done.stderr
    assert smtp.recipients == [[WHO], [WHO]]
    smtp.reply = "550 no such user"
    done = run("report", "--send", "--config", str(first.config), environment=environment)
    assert done.returncode == 1
    assert done.stderr == "report.mail[0]: 550 no such user\nlivenps: 1 could not be sent\n"


def test_nobody_to_send_it_to() -> None:
    done = run("report", "--send")
    assert done.returncode == 2
    assert "nobody to send it to: name mail or webhook_url in [report] of the configuration" in done.stderr


def test_a_window_that_nothing_is_beside() -> None:
    for since in ("30d", "2h"):
        done = run("report", "--since", since)
        assert done.returncode == 2
        assert "(1h, 24h, 7d)" in " ".join(done.stderr.split())
