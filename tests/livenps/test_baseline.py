"""`livenps baseline` and the watch lane behind it, on a running program."""

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from livenps.commands.baseline import FEWEST
from tests.conftest import Serve
from tests.faults.site import client, samples, serving
from tests.livenps.run import run
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.wait import until

SURVEY = "relationship"
SERIES = {"survey": SURVEY}
SEGMENT = {**SERIES, "dimension": "plan", "segments": ["pro"]}
WATCH = {"watch": {"learn": FEWEST, "learn_for": "0s", "series": [SERIES, SEGMENT]}}
BEFORE, AFTER = [0, 8, 9, 9, 10], [0, 0, 0, 8, 9]  # NPS 40 and -40

pytestmark = pytest.mark.slow


class Shop:
    """Writes answers, each its own."""

    def __init__(self, kafka: Kafka, namespace: str) -> None:
        self._bootstrap, self._topic = kafka.bootstrap, f"{namespace}survey.responses"
        self._chance = random.Random(20_261_122)
        self._sent = 0

    async def answer(self, scores: Sequence[int], number: int) -> None:
        """So many answers, of these scores in equal parts."""
        drawn = [scores[n % len(scores)] for n in range(number)]
        self._chance.shuffle(drawn)
        pairs = []
        for score in drawn:
            self._sent += 1
            body = {
                "response_id": f"r{self._sent}",
                "survey_id": SURVEY,
                "score": score,
                "attributes": {"plan": "pro"},
            }
            pairs.append((f"r{self._sent}", json.dumps(body).encode()))
        await records.write_all(self._bootstrap, self._topic, pairs)


@pytest.fixture
def shop(kafka: Kafka, namespace: str) -> Shop:
    return Shop(kafka, namespace)


def baseline(program: Livenps, *arguments: str) -> Any:
    """The command's JSON."""
    done = run("baseline", *arguments, "--config", str(program.config), "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shown(program: Livenps) -> Any:
    """What it says of the survey as a whole."""
    return next(one for one in baseline(program, "show") if one["survey"] == SURVEY)


def refused(program: Livenps, *arguments: str) -> str:
    done = run("baseline", *arguments, "--config", str(program.config))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


async def metric(program: Livenps, name: str) -> float | None:
    async with client(program) as web:
        return next((value for labels, value in await samples(web, name) if labels["survey"] == SURVEY), None)


async def watched(program: Livenps, answers: int) -> None:
    """Wait until the detectors of the survey as a whole have seen so many answers."""
    await until(
        lambda: shown(program).get("watched_answers", 0) >= answers,
        timeout=60,
        message=f"{answers} answers are watched",
    )


async def test_a_drop_against_a_learned_baseline_is_evidence(serve: Serve, shop: Shop) -> None:
    program = serve(WATCH)
    assert [one["baseline"] for one in baseline(program, "show")] == [None, None]
    await shop.answer(BEFORE, FEWEST)
    await until(lambda: shown(program)["baseline"] is not None, timeout=30, message="it is learned")
    await shop.answer(BEFORE, 100)
    await watched(program, 100)
    threshold = await metric(program, "nps_drop_evidence_threshold")
    evidence = await metric(program, "nps_drop_evidence")
    assert threshold is not None
    assert evidence is not None
    assert 0 < evidence < threshold
    await shop.answer(AFTER, 400)
    await watched(program, 500)
    assert (await metric(program, "nps_drop_evidence") or 0) >= threshold
    [whole, pro] = baseline(program, "show")
    assert whole["set_by"] == "livenps"
    assert whole["reason"].startswith("learned from the first")
    assert whole["drop_evidence"] > whole["threshold"] > whole["rise_evidence"]
    assert (pro["dimension"], pro["segment"]) == ("plan", "pro")
    assert pro["drop_evidence"] > pro["threshold"]


async def test_a_baseline_is_set_and_reset_on_purpose(serve: Serve, shop: Shop) -> None:
    program = serve({"watch": {"learn": 1_000}})
    named = ("--survey", SURVEY, "--reason", "after the release")
    assert f"has 0 answers in 30d, a baseline needs {FEWEST}" in refused(program, "set", *named)
    await shop.answer(BEFORE, 50)

    async def counted(number: int) -> bool:
        async with client(program) as web:
            reply = await web.get("/v1/scores", params={"survey": SURVEY, "window": "30d"})
        return reply.is_success and bool(reply.json()["n"] == number)

    await until(lambda: counted(50), timeout=30, message="50 answers are counted")
    assert "--force takes them" in refused(program, "set", *named)
    found = baseline(program, "set", *named, "--window", "24h", "--force")
    assert (found["baseline"], found["answers"], found["days"], found["covered_days"]) == (40, 50, 1, 1)
    assert (found["reason"], found["set_by"] != "", found["watched_answers"]) == ("after the release", True, 0)
    assert shown(program) == found
    done = run("baseline", "show", "--config", str(program.config), environment={"COLUMNS": "200"})
    assert "after the release" in " ".join(done.stdout.split())
    assert "learning: 0 of 1,000 answers" in " ".join(done.stdout.split())
    reset = baseline(program, "reset", *named)
    assert (reset["baseline"], reset["learned"]) == (None, 0)
    assert await metric(program, "nps_baseline") is None


async def test_a_baseline_outlives_a_lost_redis(serve: Serve, shop: Shop, redis_url: str) -> None:
    program = serve({"watch": {"learn": 1_000}})
    await shop.answer(BEFORE, FEWEST)
    await until(
        lambda: baseline(program, "show")[1].get("learned") == FEWEST, timeout=30, message="they are learned"
    )
    before = baseline(program, "set", "--survey", SURVEY, "--reason", "new")
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
    await serving(program)
    await until(
        lambda: baseline(program, "show")[1]["baseline"] is not None, timeout=60, message="it is read again"
    )
    after = baseline(program, "show")[1]
    same = ("baseline", "answers", "days", "set_at", "set_by", "reason", "threshold")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}


async def test_what_cannot_be_is_refused(serve: Serve) -> None:
    program = serve()
    named = ("--reason", "r")
    assert "gone is not watched" in refused(program, "set", "--survey", "gone", *named)
    segment = ("--survey", SURVEY, "--dimension", "plan", "--segment", "pro")
    assert "relationship, plan pro is not watched" in refused(program, "reset", *segment, *named)
    assert "expected one of the windows" in refused(program, "set", "--survey", SURVEY, "--window", "2h", *named)
    assert "--reason must not be empty" in refused(program, "reset", "--survey", SURVEY, "--reason", " ")


async def test_a_baseline_is_shown_on_its_surveys_scale(serve: Serve) -> None:
    program = serve({"surveys": [{"id": "handled", "metric": "ces"}]})
    async with client(program) as web:
        answers = [{"survey_id": "handled", "score": score} for score in [7, 6, 6, 5] * 30]
        (await web.post("/v1/responses", json=answers)).raise_for_status()

        async def counted() -> bool:
            reply = await web.get("/v1/scores")
            return reply.is_success and bool(reply.json()["n"] == len(answers))

        await until(counted, timeout=30, message="the answers are counted")
    found = baseline(program, "set", "--survey", "handled", "--reason", "release", "--window", "24h")
    assert (found["metric"], found["baseline"], found["answers"]) == ("ces", 6, 120)
    async with client(program) as web:
        assert await samples(web, "ces_baseline") == [({"survey": "handled"}, 6)]
    done = run("baseline", "show", "--config", str(program.config), environment={"COLUMNS": "200"})
    assert "6.0" in done.stdout.split()
    assert "5.8 to 6.1" in done.stdout
