"""`livenps replay`: what a changed configuration would have asked."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from hypothesis import given
from hypothesis import strategies as st

from livenps.config import parse
from livenps.remembering import earlier
from livenps.replaying import Rehearsal, Tally
from livenps.settings import Config
from scoring.segments import Series
from streams.events import Answered, Ask, Contact, CustomerEvent, Identify, Unsubscribed
from streams.store import Item
from streams.times import DAY, HOUR, from_ms
from surveys.contacts import NOBODY, ContactState, apply, recall, record
from tests.conftest import Serve
from tests.livenps.run import run
from tests.make import NOW, on, touchpoint
from tests.real import records
from tests.real.livenps import NOTHING, configuration
from tests.real.wait import until

BEGIN = NOW - 40 * DAY


def config(text: str) -> Config:
    return parse(tomllib.loads(f"[dimensions.plan]\n[[surveys]]\nid = 'nps'\n{text}"), "mine.toml", {})


def rehearsed(
    text: str,
    *events: tuple[int, CustomerEvent],
    since: int = BEGIN,
    until: int = NOW,
    states: Mapping[str, ContactState] = NOTHING,
) -> Tally:
    """What a configuration says of events, each with the log's time, and of customers known before."""
    tally = Tally()
    rehearsal = Rehearsal(config(text), since, tally, states=states)
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
    assert rehearsed(rhythm, known).asked == {Series("nps"): 4}  # days on which nothing happens are days too
    assert rehearsed("", known, (NOW - DAY, made)).asked == {}


def test_a_round_goes_on_from_who_was_asked_before_the_log_begins() -> None:
    rhythm = "every = '90d'\nstarts = 2020-01-01"
    signs = [order(f"s{day}", BEGIN + day * DAY, event="Signed In") for day in range(1, 40)]
    lately, long_ago = (ContactState(asked={"nps": BEGIN - days * DAY}) for days in (5, 80))
    assert rehearsed(rhythm, *signs, states={"c1": lately}).asked == {}
    assert rehearsed(rhythm, *signs, states={"c1": long_ago}).asked == {Series("nps"): 1}


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


async def test_who_was_asked_and_what_was_known_before_the_log_begins(serve: Serve, tmp_path: Path) -> None:
    """Touchpoints are kept for weeks, quiet periods and rounds last for months."""
    surveys = [{"id": "nps", "trigger": "Paid", "channel": "mail", "quiet_period": "80d"}]
    program = serve({"surveys": surveys, "mail": {"url": "smtp://127.0.0.1:9"}})
    kafka = tomllib.loads(program.config.read_text())["kafka"]
    topic = kafka["prefix"] + "touchpoints"

    async def decided(customer: str) -> list[str]:
        reply = (await web.get("/v1/decisions", params={"customer_id": customer})).raise_for_status().json()
        return [one["reason"] for decision in reply["decisions"] for one in decision["verdicts"]]

    async def paid(customer: str, times: int, **fields: Any) -> list[str]:
        body = {"event": "Paid", "customer_id": customer, **fields}
        (await web.post("/v1/touchpoints", json=body)).raise_for_status()

        async def found() -> list[str]:
            reasons = await decided(customer)
            return reasons if len(reasons) == times else []

        told: list[str] = await until(found, message=f"{customer} is decided on")
        return told

    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=10) as web:
        for customer in ("asked", "left", "known"):
            event = {"type": "identify", "customer_id": customer, "contact": {"email": f"{customer}@example.com"}}
            (await web.post("/v1/events", json=event)).raise_for_status()
        left = {"type": "unsubscribed", "customer_id": "left"}
        (await web.post("/v1/events", json=left)).raise_for_status()
        assert await paid("asked", 1) == ["triggered"]
        assert await paid("left", 1) == ["unsubscribed"]
        await paid("nobody", 1)
        await forget(kafka["bootstrap"], topic)
        assert await paid("asked", 2) == ["quiet_period_survey", "triggered"]
        assert await paid("left", 2) == ["unsubscribed"] * 2
        assert await paid("known", 1) == ["triggered"]
        assert await paid("nobody", 2) == ["no_address"] * 2
        lapsed = {"type": "unsubscribed", "customer_id": "known"}
        (await web.post("/v1/events", json=lapsed)).raise_for_status()
    done = run("replay", "--config", str(program.config), "--against", str(program.config), "--json")
    assert done.returncode == 0, done.stderr
    reasons = json.loads(done.stdout)["surveys"]["nps"]["reasons"]
    assert {one["reason"]: one["today"] for one in reasons} == {
        "triggered": 1,
        "unsubscribed": 1,
        "no_address": 1,
        "quiet_period_survey": 1,
    }


async def forget(bootstrap: str, topic: str) -> None:
    """Retention deletes a log as it is now."""
    ends = {
        TopicPartition(topic, n): RecordsToDelete(end) for n, end in (await records.ends(bootstrap, topic)).items()
    }
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_records(ends)
    finally:
        await admin.close()


@given(st.integers(0, 9), st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["free", "pro"])), min_size=1))
def test_a_contact_before_the_log_is_what_was_told_last_and_not_again_since(
    began: int, said: list[tuple[int, str]]
) -> None:
    state = NOBODY
    for at, plan in said:
        event = Identify(
            event_id=f"{at}", customer_id="c1", occurred_at=from_ms(at), contact=Contact(attributes={"plan": plan})
        )
        state = apply(event, state)
    before = recall(earlier(record("c1", state), began, flagged=True), NOBODY)
    newest = max(at for at, _ in said)
    assert before.contact.attributes == (state.contact.attributes if newest < began else {})
    assert before == (state if newest < began else NOBODY)


def test_a_contact_before_the_log_has_what_came_of_it_until_then() -> None:
    state = ContactState(
        answered={"a": 5, "b": 15}, declined={"a": 4}, asked={"a": 3, "c": 12}, unsubscribed=True, bounced="x@y.z",
        merged={"v": 2, "w": 12},
    )  # fmt: skip
    then = recall(earlier(record("c1", state), 10, flagged=True), NOBODY)
    assert then == ContactState(
        answered={"a": 5}, declined={"a": 4}, asked={"a": 3}, unsubscribed=True, bounced="x@y.z", merged={"v": 2}
    )
    unsure = recall(earlier(record("c1", state), 10, flagged=False), NOBODY)
    assert (unsure.unsubscribed, unsure.bounced) == (False, "")
    gone = ContactState(merged_into="c2", merged_at=12)
    assert recall(earlier(record("c1", gone), 10, flagged=True), NOBODY) == NOBODY
    assert recall(earlier(record("c1", gone), 13, flagged=True), NOBODY) == gone


@pytest.mark.parametrize("arguments", [[], ["--config", "gone.toml"], ["--config", "x.toml", "--since", "30"]])
def test_what_cannot_be_used_is_told(tmp_path: Path, arguments: list[str]) -> None:
    done = run("replay", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_both_divide_their_caps_among_the_partitions_of_one_log(tmp_path: Path) -> None:
    new = tmp_path / "new.toml"
    new.write_text("[kafka]\npartitions = 8\n")
    done = run("replay", "--config", str(new))
    assert done.returncode == 2
    assert "new.toml: kafka.partitions: expected 4, as --against has, found 8" in done.stderr
