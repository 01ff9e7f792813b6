"""What was decided on a customer, over HTTP and on the command line, from the same log."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.livenps.run import run
from tests.real.livenps import Livenps
from tests.real.wait import until
from tests.web.api import Api


async def decisions(api: Api, customer: str, count: int, **query: Any) -> dict[str, Any]:
    """Wait for so many decisions on a customer."""

    async def found() -> dict[str, Any] | None:
        reply = await api.client.get("/v1/decisions", params={"customer_id": customer, **query})
        assert reply.status_code == 200, reply.text
        body: dict[str, Any] = reply.json()
        return body if len(body["decisions"]) == count else None

    return await until(found, message=f"{count} decisions on {customer}")


async def test_the_rule_that_made_each_decision_is_told(api: Api, program: Livenps, survey: str) -> None:
    customer = f"{uuid4().hex} [bold]ö\x1b"
    for event in (f"event of {survey}", f"event of {survey}", "Something else"):
        reply = await api.post("/v1/touchpoints", {"event": event, "customer_id": customer})
        assert reply.status_code == 202
    body = await decisions(api, customer, 3)
    assert body["complete"]
    verdicts = [
        one for decision in body["decisions"] for one in decision["verdicts"] if one["survey_id"] == survey
    ]
    assert [(one["decision"], one["reason"], one["words"]) for one in verdicts] == [
        ("not_asked", "other_event", "another event triggers this survey"),
        ("not_asked", "quiet_period_survey", "this survey was sent lately (the survey's quiet_period)"),
        ("asked", "triggered", "the event triggers it, and no rule forbids it"),
    ]
    newest = await decisions(api, customer, 1, limit=1)
    assert newest["decisions"] == body["decisions"][:1]

    explained = run("explain", "--customer", customer, "--config", str(program.config))
    assert explained.returncode == 0, explained.stderr
    lines = explained.stdout.splitlines()
    assert f"  {survey}: asked by webhook: the event triggers it, and no rule forbids it [triggered]" in lines
    assert lines[-1] == "  no survey waits for this event"
    as_json = run("explain", "--customer", customer, "--config", str(program.config), "--json")
    assert json.loads(as_json.stdout)["decisions"] == body["decisions"]


async def test_who_asks_wrongly_is_told_so(api: Api) -> None:
    for query in ({}, {"customer_id": ""}, {"customer_id": "x" * 201}, {"customer_id": "c", "limit": 0}):
        reply = await api.client.get("/v1/decisions", params=query)
        assert reply.status_code == 400, reply.text
    assert (await decisions(api, uuid4().hex, 0))["decisions"] == []


def test_the_command_says_where_there_is_nothing(program: Livenps) -> None:
    done = run("explain", "--customer", "\x1b]nobody", "--config", str(program.config))
    assert done.returncode == 0
    assert done.stdout == "No decision on \\x1b]nobody in this time; --since looks further back.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--customer", "c", "--last", "0"], "--last: expected a number from 1 to 1,000"),
        (["--customer", "c", "--last", "ten"], "--last: expected a number from 1 to 1,000"),
        (["--customer", ""], "--customer: expected 1 to 200 characters"),
        (["--customer", "x" * 201], "--customer: expected 1 to 200 characters"),
        (["--customer", "\udcff"], "--customer: expected 1 to 200 characters of UTF-8"),
    ],
)
def test_who_calls_the_command_wrongly_is_told_so(arguments: list[str], message: str) -> None:
    done = run("explain", *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_without_a_kafka_it_says_so(tmp_path: Path) -> None:
    config = tmp_path / "livenps.toml"
    config.write_text('[kafka]\nbootstrap = "127.0.0.1:1"\n')
    done = run("explain", "--customer", "c", "--config", str(config))
    assert done.returncode == 1
    assert "127.0.0.1:1 does not answer" in done.stderr
