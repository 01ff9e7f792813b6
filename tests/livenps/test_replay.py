"""`livenps replay`: what a changed configuration would have asked."""

import json
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from livenps.config import parse
from livenps.replaying import Rehearsal, Tally
from livenps.settings import Config
from scoring.segments import Series
from streams.events import Answered, Ask, Contact, CustomerEvent, Unsubscribed
from streams.store import Item
from streams.times import DAY, HOUR, from_ms
from tests.conftest import Serve
from tests.livenps.run import run
from tests.make import NOW, on, touchpoint
from tests.real import records
from tests.real.livenps import configuration
from tests.real.wait import until

BEGIN = NOW - 40 * DAY


def config(text: str) -> Config:
    return parse(tomllib.loads(f"[dimensions.plan]\n[[surveys]]\nid = 'nps'\n{text}"), "mine.toml", {})


def rehearsed(text: str, *events: tuple[int, CustomerEvent], since: int = BEGIN, until: int = NOW) -> Tally:
    """What a configuration says of events, each with the log's time."""
    tally = Tally()
    rehearsal = Rehearsal(config(text), since, tally)
    rehearsal.take([Item(event, offset, at) for offset, (at, event) in enumerate(events)])
    rehearsal.until(until)
    return tally


def order(event_id: str, at: int, **fields: Any) -> tuple[int, CustomerEvent]:
    return at, touchpoint(event_id, at=at, **fields)


def verdicts(tally: Tally) -> dict[str, int]:
    return {reason: n for (_, _, reason), n in tally.verdicts.items()}


def test_each_touchpoint_is_decided_at_its_own_time() -> None:
    orders = [order(f"e{day}", BEGIN + day * DAY) for day in range(0, 40, 10)]
    assert verdicts(rehearsed("trigger = 'Order Delivered'", *orders)) == {
        "triggered": 2,
        "quiet_period_survey": 2,
    }
    assert verdicts(rehearsed("trigger = 'Order Delivered'\nquiet_period = '9d'", *orders)) == {"triggered": 4}


def test_what_is_scheduled_is_settled_in_between() -> None:
    later = "trigger = 'Order Delivered'\ndelay = '2d'\ncancel = ['Order Returned']"
    tally = rehearsed(
        later,
        order("e1", BEGIN),
        order("e2", BEGIN + DAY, customer="c2"),
        order("e3", BEGIN + DAY + HOUR, customer="c2", event="Order Returned"),
        order("e4", BEGIN + DAY, customer="c3"),
        (BEGIN + 2 * DAY, Unsubscribed(event_id="e5", customer_id="c3", occurred_at=from_ms(BEGIN + 2 * DAY))),
        order("e6", NOW - DAY, customer="c4"),
    )
    assert verdicts(tally) == {"delay": 4, "due": 1, "cancelled": 1, "unsubscribed": 1, "other_event": 1}
    assert tally.asked == {Series("nps"): 1}


def test_a_daily_cap_is_this_partitions_share() -> None:
    """Of the four partitions' log it is one; the rest of the division goes around by the day."""
    orders = [order(f"e{n}", BEGIN + n * HOUR, customer=f"c{n}") for n in range(48)]
    found = rehearsed("trigger = 'Order Delivered'\nper_day = 10", *orders)
    days = {(BEGIN + n * HOUR) // DAY for n in range(48)}
    assert len(days) == 3
    assert 6 <= found.asked[Series("nps")] <= 9
    assert verdicts(found) == {
        "triggered": found.asked[Series("nps")],
        "cap_survey": 48 - found.asked[Series("nps")],
    }


def test_a_sample_is_steered_by_the_answers_of_the_log() -> None:
    """Of many customers only so many are asked as a wide margin needs, and fewer where answers come."""
    steered = "trigger = 'Order Delivered'\nsampling = {margin = 40, dimension = 'plan', period = '10d'}"
    pro = Contact(attributes={"plan": "pro"})
    orders = [order(f"e{n}", BEGIN + n * HOUR, customer=f"c{n}", contact=pro) for n in range(900)]
    asked = rehearsed(steered, *orders).asked[Series("nps", "plan", "pro")]
    told = [
        (
            BEGIN + n * HOUR + 1,
            Answered(
                event_id=f"a{n}",
                customer_id=f"c{n}",
                survey_id="nps",
                occurred_at=from_ms(BEGIN + n * HOUR + 1),
                segments={"plan": "pro"},
                score=9,
            ),
        )
        for n in range(900)
    ]
    everything = sorted([*orders, *told], key=lambda one: one[0])
    fewer = rehearsed(steered, *everything).asked[Series("nps", "plan", "pro")]
    assert 0 < fewer < asked / 2
    assert asked < 900


def test_what_waits_for_the_next_day_is_sent_then() -> None:
    orders = [order(f"e{n}", BEGIN, customer=f"c{n}") for n in range(4)]
    tally = rehearsed("trigger = 'Order Delivered'\nper_day = 4\ndefer = '20d'", *orders)
    assert verdicts(tally) == {"triggered": 1, "cap_survey": 3, "due": 3}


def test_reminders_are_told_apart_from_who_was_asked() -> None:
    answered: Answered = on(Answered, "e3", at=BEGIN + DAY, survey_id="nps")
    tally = rehearsed(
        "trigger = 'Order Delivered'\nreminder = '5d'",
        order("e1", BEGIN),
        order("e2", BEGIN, customer="c2"),
        (BEGIN + DAY, answered),
        order("e4", NOW - DAY, customer="c3"),
    )
    assert {(decision, reason): n for (_, decision, reason), n in tally.verdicts.items()} == {
        ("asked", "triggered"): 3,
        ("not_reminded", "answered"): 1,
        ("reminded", "reminder"): 1,
    }
    assert tally.asked == {Series("nps"): 3}


def test_what_happened_before_is_known_and_not_counted() -> None:
    orders = order("e1", NOW - 20 * DAY), order("e2", NOW - 5 * DAY)
    tally = rehearsed("trigger = 'Order Delivered'", *orders, since=NOW - 10 * DAY)
    assert verdicts(tally) == {"quiet_period_survey": 1}


def test_a_repeat_counts_once_and_segments_are_those_of_the_contact() -> None:
    one = order("e1", BEGIN, contact=Contact(attributes={"plan": "pro"}))
    tally = rehearsed("trigger = 'Order Delivered'", one, one)
    assert tally.asked == {Series("nps"): 1, Series("nps", "plan", "pro"): 1}


def test_a_rhythm_is_replayed_by_the_configurations_own() -> None:
    made = on(Ask, f"every:nps:{NOW // DAY}", survey_id="nps", at=NOW - DAY)
    known = order("e1", BEGIN, event="Signed Up", contact=Contact(name="Ann"))
    rhythm = "every = '10d'\nstarts = 2020-01-01\nquiet_period = '10d'"
    signs = [order(f"s{day}", BEGIN + day * DAY, event="Signed In") for day in range(1, 40)]
    assert rehearsed(rhythm, known, *signs).asked == {Series("nps"): 4}
    assert rehearsed("", known, (NOW - DAY, made)).asked == {}


async def test_today_and_the_new_one_are_compared_and_nothing_is_written(serve: Serve, tmp_path: Path) -> None:
    surveys = [{"id": "nps", "trigger": "Paid"}]
    program = serve({"surveys": surveys})
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=10) as web:
        for number in range(4):
            body = {"event": "Paid", "customer_id": f"c{number % 2}", "properties": {"total": number}}
            (await web.post("/v1/touchpoints", json=body)).raise_for_status()

        async def decided() -> bool:
            return len(await read("survey.decisions")) == 4

        values = tomllib.loads(program.config.read_text())
        bootstrap, prefix = values["kafka"]["bootstrap"], values["kafka"]["prefix"]

        async def read(role: str) -> list[Any]:
            return await records.read(bootstrap, prefix + role)

        await until(decided, message="all are decided on")
    new = tmp_path / "new.toml"
    conditions = [{"property": "total", "op": "gt", "value": 2}]
    new.write_text(configuration({**values, "surveys": [{"id": "nps", "trigger": "Paid", "where": conditions}]}))
    before = [len(await read(role)) for role in ("touchpoints", "survey.decisions", "survey.requests")]
    done = run("replay", "--config", str(new), "--against", str(program.config), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["surveys"]["nps"] == {
        "asked": {"today": 2, "new": 1},
        "reasons": [
            {"decision": "asked", "reason": "triggered", "today": 2, "new": 1},
            {"decision": "not_asked", "reason": "filtered", "today": 0, "new": 3},
            {"decision": "not_asked", "reason": "quiet_period_survey", "today": 2, "new": 0},
        ],
        "segments": [],
    }
    shown = run("replay", "--config", str(new), "--against", str(program.config))
    assert [cell.strip() for cell in shown.stdout.splitlines()[4].split("│")[1:5]] == ["asked", "2", "1", "-1"]
    assert [len(await read(role)) for role in ("touchpoints", "survey.decisions", "survey.requests")] == before


@pytest.mark.parametrize("arguments", [[], ["--config", "gone.toml"], ["--config", "x.toml", "--since", "30"]])
def test_what_cannot_be_used_is_told(tmp_path: Path, arguments: list[str]) -> None:
    done = run("replay", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
