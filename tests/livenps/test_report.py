"""`livenps report` on a running program."""

import json
import time

import pytest

from streams.events import encode
from streams.times import DAY, SECOND
from tests.conftest import Serve
from tests.faults.site import client
from tests.livenps.run import run
from tests.make import answer
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.wait import until

SURVEY = "relationship"

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


def test_a_window_that_nothing_is_beside() -> None:
    for since in ("30d", "2h"):
        done = run("report", "--since", since)
        assert done.returncode == 2
        assert "(1h, 24h, 7d)" in " ".join(done.stderr.split())
