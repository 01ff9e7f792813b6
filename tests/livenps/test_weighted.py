"""`livenps weighted`: scores from the log, with the weights of the sample."""

import json
from typing import Any

import pytest

from streams.events import Response
from streams.times import from_ms
from tests.conftest import Serve
from tests.livenps.run import run
from tests.make import NOW
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps


def answers(plan: str, score: int, count: int, **fields: Any) -> list[Response]:
    return [
        Response(
            response_id=f"{plan}{score}:{n}", survey_id="support", score=score, attributes={"plan": plan}, **fields
        )
        for n in range(count)
    ]


@pytest.fixture
async def program(serve: Serve, kafka: Kafka, namespace: str) -> Livenps:
    """Of ten customers of plan free one was asked, and all of plan pro; one answer of each has a newer version."""
    program = serve({"surveys": [{"id": "support"}, {"id": "empty"}]})
    log = [*answers("free", 10, 20, weight=10.0), *answers("pro", 0, 40), *answers("pro", 10, 10)]
    corrected = Response(
        response_id="free10:0", survey_id="support", score=0, attributes={"plan": "free"}, weight=10.0
    )
    old = answers("old", 0, 5, answered_at=from_ms(NOW - 10**10), weight=50.0)
    await records.write(kafka.bootstrap, f"{namespace}survey.responses", *log, corrected, *old, b"{", partition=0)
    return program


def weighted(program: Livenps, *arguments: str) -> str:
    done = run("weighted", "--config", str(program.config), *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


async def test_each_answer_counts_for_those_who_were_not_asked(program: Livenps) -> None:
    found = json.loads(weighted(program, "--window", "24h", "--json"))
    assert (found["survey"], found["metric"], found["window"]) == ("support", "nps", "24h")
    by_segment = {(one["dimension"], one["segment"]): one for one in found["series"]}
    whole = by_segment["", ""]
    assert whole["n"] == 70
    assert whole["weighted"]["score"] == pytest.approx(100 * (190 + 10 - 10 - 40) / 250)
    assert whole["unweighted"]["score"] == pytest.approx(100 * (19 + 10 - 1 - 40) / 70)
    assert whole["weighted"]["effective"] == pytest.approx(250**2 / (20 * 100 + 50))
    assert by_segment["plan", "free"]["weighted"] == pytest.approx(by_segment["plan", "free"]["unweighted"])
    assert ("plan", "old") not in by_segment
    assert {one["segment"] for one in json.loads(weighted(program, "--json"))["series"]} >= {"old"}


async def test_the_same_as_a_table(program: Livenps) -> None:
    table = weighted(program, "--window", "24h")
    [whole] = [line for line in table.splitlines() if line.startswith("│ all ")]
    cells = [cell.strip() for cell in whole.strip("│").split("│")]
    assert (cells[1], cells[3], cells[5:]) == ("60", "-17", ["70", "30"])
    assert "no answers" in weighted(program, "--survey", "empty")


@pytest.mark.parametrize("arguments", [["--survey", "gone"], ["--window", "2h"]])
def test_what_is_not_there_is_told(arguments: list[str]) -> None:
    done = run("weighted", *arguments)
    assert done.returncode == 2
    assert "expected one of" in done.stderr
