"""Nobody is asked twice inside a quiet period, and every touchpoint has its decision, whatever is killed."""

import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.conftest import Serve
from tests.faults.losses import Fault, forget, kill, kill_and_forget, rolled_back
from tests.faults.site import RESTART, Site, serving, site
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.slow]

CUSTOMERS = 2_000
SURVEYS = [
    {"id": "post-purchase", "trigger": "Order Delivered", "channel": "log"},
    {"id": "support", "trigger": "Ticket Solved", "channel": "log", "delay": "2s", "cancel": ["Ticket Reopened"]},
]


@pytest.fixture
async def here(kafka: Kafka, redis_url: str, namespace: str) -> AsyncIterator[Site]:
    async with site(kafka.bootstrap, redis_url, namespace, lane="c", role="touchpoints") as here:
        yield here


def occasions(now: float) -> list[tuple[str, bytes]]:
    """Orders and tickets of every customer in any order, some sent twice, and some who want no more mail."""
    chance = random.Random(7)
    events: list[dict[str, Any]] = []
    for number in range(CUSTOMERS):
        common = {"customer_id": f"c{number}", "occurred_at": round(now, 3)}
        for event in ("Order Delivered", "Ticket Solved", "Order Delivered", "Invoice Paid"):
            one = {"type": "touchpoint", "event": event, "event_id": f"e{len(events)}", **common}
            events += [one] * chance.choice([1, 1, 2])
        if chance.random() < 0.2:
            events.append(
                {"type": "touchpoint", "event": "Ticket Reopened", "event_id": f"e{len(events)}", **common}
            )
        if chance.random() < 0.1:
            events.append({"type": "unsubscribed", "event_id": f"e{len(events)}", **common})
    chance.shuffle(events)
    return [(one["customer_id"], json.dumps(one).encode()) for one in events]


async def go_back(here: Site, _: Livenps) -> None:
    """Put a state back that does not know yet what was settled, while the program works on."""
    async with rolled_back(here):
        scheduled = await asks(here)

        async def settled_since() -> bool:
            return not scheduled & await asks(here)

        await until(settled_since, timeout=RESTART, message="what was scheduled is settled")


async def asks(here: Site) -> set[bytes]:
    """The requests that are scheduled now."""
    keys = [f"{here.namespace}:{{c{n}}}:due" for n in range(here.partitions)]
    return {id_ for key in keys for id_ in await here.redis.zrange(key, 0, -1)}


async def decided(here: Site, program: Livenps, given: Sequence[tuple[str, bytes]], fault: Fault) -> None:
    """Feed all of it while something is lost twice, until everything is decided and settled."""
    async with here.feeding(given):
        for position in (2_000, 6_000):
            await here.reached(position)
            await fault(here, program)
    await serving(program)
    await here.reached(len(given))
    await settled(here)


@pytest.mark.parametrize("fault", [kill, forget, kill_and_forget, go_back])
async def test_nobody_is_asked_twice_whatever_is_lost(here: Site, serve: Serve, fault: Fault) -> None:
    given = occasions(time.time())
    await decided(here, serve({"surveys": SURVEYS}), given, fault)
    decisions = await here.read("survey.decisions")
    events = [json.loads(value) for _, value in given]
    touchpoints = {(one["customer_id"], one["event_id"]) for one in events if one["type"] == "touchpoint"}
    one_decision_each(decisions, touchpoints, [survey["id"] for survey in SURVEYS])
    assert every_ask_settled_once(decisions) >= {"due", "unsubscribed", "cancelled"}
    nobody_asked_twice(decisions, await here.read("survey.requests"))
    nobody_sent_twice(await here.read("survey.attempts"))


QUIET_S, MOST, MOST_IN_S = {"all": 4, "often": 6, "patient": 5}, 2, 60
LIMITED = {
    "asking": {"quiet_period": "4s", "at_most": MOST, "at_most_in": f"{MOST_IN_S}s", "after_decline": "5s"},
    "surveys": [
        {"id": "often", "trigger": "Order Delivered", "channel": "log", "quiet_period": "6s"},
        {
            "id": "patient",
            "trigger": "Ticket Solved",
            "channel": "log",
            "quiet_period": "5s",
            "delay": "1s",
            "defer": "12s",
            "cancel": ["Ticket Reopened"],
        },
    ],
}


def many_occasions(now: float) -> list[tuple[str, bytes]]:
    """Few customers to whom much happens, one thing after the other."""
    chance = random.Random(11)
    names = ["Order Delivered"] * 3 + ["Ticket Solved"] * 3 + ["Ticket Reopened", ""]
    events: list[dict[str, Any]] = []
    for number in range(9_000):
        one = {"customer_id": f"c{chance.randrange(400)}", "occurred_at": round(now, 3), "event_id": f"e{number}"}
        name = chance.choice(names)
        what = {"type": "touchpoint", "event": name} if name else {"type": "declined", "survey_id": "often"}
        events.append({**what, **one})
    return [(one["customer_id"], json.dumps(one).encode()) for one in events]


@pytest.mark.parametrize("fault", [kill_and_forget, go_back])
async def test_limits_hold_for_those_who_are_asked_again_and_again(here: Site, serve: Serve, fault: Fault) -> None:
    given = many_occasions(time.time())
    await decided(here, serve(LIMITED), given, fault)

    decisions, requests = await here.read("survey.decisions"), await here.read("survey.requests")
    events = [json.loads(value) for _, value in given]
    touchpoints = {(one["customer_id"], one["event_id"]) for one in events if one["type"] == "touchpoint"}
    one_decision_each(decisions, touchpoints, ["often", "patient"])
    assert every_ask_settled_once(decisions) >= {"due", "cancelled"}
    reasons = {verdict["reason"] for one in decisions for verdict in one["verdicts"]}
    assert {"quiet_period_all", "quiet_period_survey", "triggered"} <= reasons
    limits_hold(requests)


def limits_hold(requests: list[Any]) -> None:
    due = {one["request_id"]: one for one in requests if one["state"] == "due"}
    sent = defaultdict(list)
    for one in due.values():
        sent[one["customer_id"]].append((datetime.fromisoformat(one["due_at"]).timestamp(), one["survey_id"]))
    assert len(due) > 1.2 * len(sent) > 300
    for times in sent.values():
        times.sort()
        for (earlier, _), (later, _) in pairwise(times):
            assert later - earlier >= QUIET_S["all"]
        for survey in ("often", "patient"):
            own = [at for at, sent_survey in times if sent_survey == survey]
            assert all(later - earlier >= QUIET_S[survey] for earlier, later in pairwise(own))
        for (first, _), (beyond, _) in zip(times, times[MOST:], strict=False):
            assert beyond - first >= MOST_IN_S


CAPS = {"": 1_000, "post-purchase": 700}
CAPPED = {
    "asking": {"per_day": CAPS[""]},
    "surveys": [{**survey, "per_day": CAPS.get(str(survey["id"]), 0)} for survey in SURVEYS],
}


@pytest.mark.parametrize("fault", [forget, kill_and_forget, go_back])
async def test_no_day_has_more_than_its_cap(here: Site, serve: Serve, fault: Fault) -> None:
    given = occasions(time.time())
    program = serve(CAPPED)
    async with here.feeding(given):
        for position in (1_000, 2_500):  # before the caps are reached, and while they are
            await here.reached(position)
            await fault(here, program)
    await serving(program)
    await here.reached(len(given))
    await settled(here)

    decisions, requests = await here.read("survey.decisions"), await here.read("survey.requests")
    reasons = {verdict["reason"] for one in decisions for verdict in one["verdicts"]}
    assert {"cap_survey", "cap_all", "triggered", "due"} <= reasons
    sent = defaultdict(set)
    for one in requests:
        if one["state"] == "due":
            for scope in ("", one["survey_id"]):
                sent[one["due_at"][:10], scope].add(one["request_id"])
    for (_, scope), ids in sent.items():
        assert len(ids) <= CAPS.get(scope, CUSTOMERS)
    assert len(sent[max(sent)[0], ""]) > 0.9 * CAPS[""]


async def settled(here: Site) -> None:
    """Wait until no ask is scheduled any more and all that was returned is published."""

    async def none_due() -> bool:
        return not any([await here.redis.zcard(f"{here.namespace}:{{c{n}}}:due") for n in range(here.partitions)])

    await until(none_due, timeout=RESTART, message="all scheduled asks are settled")
    await here.empty("c")


def one_decision_each(decisions: list[Any], touchpoints: set[tuple[str, str]], surveys: list[Any]) -> None:
    """A decision may be published twice, and is the same then; no touchpoint has two."""
    ids = defaultdict(set)
    contents = defaultdict(set)
    for one in decisions:
        contents[one["decision_id"]].add(json.dumps(one, sort_keys=True))
        if "settles" not in one:
            ids[one["customer_id"], one["event_id"]].add(one["decision_id"])
            assert [verdict["survey_id"] for verdict in one["verdicts"]] == surveys
    assert set(ids) == touchpoints
    assert {len(found) for found in ids.values()} == {1}
    assert {len(found) for found in contents.values()} == {1}


def every_ask_settled_once(decisions: list[Any]) -> set[str]:
    """The reasons of those that settled."""
    scheduled: dict[str, int] = {}
    settling = defaultdict(set)
    for place, one in enumerate(decisions):
        for verdict in one["verdicts"]:
            if verdict["decision"] == "scheduled":
                scheduled.setdefault(verdict["request_id"], place)
            if "remind_at" in verdict:
                scheduled.setdefault(f"{verdict['request_id']}-reminder", place)
        if "settles" in one:
            assert place > scheduled[one["settles"]]
            settling[one["settles"]].add(one["decision_id"])
    assert scheduled
    assert set(settling) == set(scheduled)
    assert {len(found) for found in settling.values()} == {1}
    return {one["verdicts"][0]["reason"] for one in decisions if "settles" in one}


def nobody_asked_twice(decisions: list[Any], requests: list[Any]) -> None:
    asked = defaultdict(set)
    for one in decisions:
        for verdict in one["verdicts"]:
            if verdict["decision"] == "asked":
                asked[one["customer_id"]].add(verdict["request_id"])
    assert len(asked) > CUSTOMERS / 2
    assert {len(found) for found in asked.values()} == {1}
    due = defaultdict(set)
    for one in requests:
        if one["state"] == "due":
            due[one["customer_id"]].add(one["request_id"])
    assert due == asked


def nobody_sent_twice(attempts: list[Any]) -> None:
    begun = Counter(one["customer_id"] for one in attempts if one["outcome"] == "attempted")
    assert begun
    assert set(begun.values()) == {1}
