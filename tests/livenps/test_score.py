"""`livenps score`: the scores of a running program, as a table and as JSON."""

import json
import re

import httpx
import pytest

from tests.conftest import Serve
from tests.livenps.run import run
from tests.real.livenps import Livenps
from tests.real.ports import free_port
from tests.real.wait import until

KEY = "a key of sixteen letters"
TERMINAL = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d)")


@pytest.fixture
async def program(serve: Serve) -> Livenps:
    """A program with a key and 43 answers; plan pro has enough of them, free has few, team has too few."""
    program = serve(environment={"LIVENPS_API_KEYS": KEY})
    answers = [(10, "pro")] * 20 + [(0, "pro")] * 10 + [(10, "free")] * 11 + [(8, "team")] * 2
    body = [{"survey_id": "support", "score": score, "attributes": {"plan": plan}} for score, plan in answers]
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, headers=headers) as client:
        assert (await client.post("/v1/responses", json=body)).status_code == 202

        async def counted() -> bool:
            n: int = (await client.get("/v1/scores?survey=support")).json()["n"]
            return n == len(body)

        await until(counted, message="the answers count")
    return program


def row(table: str, name: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if re.match(rf"│ {name} ", line)]
    return [cell.strip() for cell in line.strip("│").split("│")]


async def test_scores_in_the_terminal(program: Livenps) -> None:
    def score(*arguments: str, **environment: str) -> str:
        done = run("score", "--url", program.url, *arguments, environment={"LIVENPS_API_KEY": KEY, **environment})
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    table = score("--survey", "support", "--dimension", "plan")
    assert table.startswith("support, 24h, as of 20")
    assert "\x1b" not in table
    assert row(table, "all") == ["all", "49", "21 to 70", "31", "2", "10", "43"]
    assert row(table, "pro")[1] == "33"
    assert row(table, "free")[1] == "100"
    assert row(table, "team")[1] == "0 (too few)"
    assert "region" not in table

    beside = run("score", "--url", program.url, environment={"LIVENPS_API_KEYS": f"{KEY},{KEY * 2}"})
    assert (beside.returncode, beside.stderr) == (0, "")

    coloured = score("--survey", "support", **TERMINAL)
    assert re.search(r"\x1b\[2m[^\x1b]*free", coloured)  # few answers are dim
    assert not re.search(r"\x1b\[2m[^\x1b]*pro", coloured)
    assert not COLOUR.search(score("--survey", "support", **TERMINAL, NO_COLOR="1"))

    empty = score("--survey", "relationship", "--window", "7d")
    assert row(empty, "all")[1:3] == ["no answers", ""]

    scores = json.loads(score("--survey", "support", "--window", "all", "--json"))
    assert (scores["survey"], scores["window"], scores["n"]) == ("support", "all", 43)
    assert scores["segments"]["plan"]["pro"]["groups"]["promoter"] == 20

    refused = run("score", "--url", program.url)
    assert (refused.returncode, refused.stderr) == (2, "livenps: an API key is needed\n")
    unknown = run("score", "--url", program.url, "--key", KEY, "--window", "2h")
    assert unknown.returncode == 2
    assert unknown.stderr == "livenps: window: expected one of 1h, 24h, 7d, 30d, 90d, all\n"


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "nonsense", "http://"])
def test_a_program_that_does_not_answer(url: str) -> None:
    url = url.format(port=free_port())
    done = run("score", "--url", url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"livenps: {url} does not answer (")
    assert "Traceback" not in done.stderr


def test_something_else_that_answers(serve: Serve) -> None:
    program = serve(arguments=["--role", "collect"])
    done = run("score", "--url", program.url)
    assert done.returncode == 1
    assert done.stderr == f"livenps: {program.url} answered with HTTP 404\n"
