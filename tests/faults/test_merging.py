"""A visitor who became a customer is not asked again as that one, whatever is killed or lost around the merge."""

import json
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import Serve
from tests.faults.losses import Fault, forget, kill, kill_and_forget
from tests.faults.site import Site, serving, site
from tests.faults.test_customers import SURVEYS, every_ask_settled_once, go_back, settled
from tests.real.kafka import Kafka

pytestmark = [pytest.mark.faults, pytest.mark.slow]

PEOPLE = 800


@pytest.fixture
async def here(kafka: Kafka, redis_url: str, namespace: str) -> AsyncIterator[Site]:
    async with site(kafka.bootstrap, redis_url, namespace, lane="c", role="touchpoints") as here:
        yield here


def visits(now: float) -> list[tuple[str, bytes]]:
    """Each visitor does this and that, becomes a customer, and goes on as the visitor.

    Some customers are merged too. Some visitors only asked for help: what they wait for ends with the merge.
    """
    chance = random.Random(13)
    waiting: list[list[dict[str, Any]]] = []
    for number in range(PEOPLE):
        before = ["Ticket Solved"] if number % 5 == 0 else ["Order Delivered", "Ticket Solved"]
        visitor = [touch(f"v{number}", chance.choice(before), now) for _ in range(2)]
        visitor += [merge(f"v{number}", f"c{number}", now)] * chance.choice([1, 2])
        if number % 5:
            visitor += [touch(f"v{number}", name, now) for name in ("Order Delivered", "Ticket Solved")]
        waiting.append(visitor)
        if number % 3 == 0:
            waiting.append([merge(f"c{number}", f"d{number}", now)])
    return shuffled(waiting, chance)


def returns(now: float) -> list[tuple[str, bytes]]:
    """Everybody comes back, under every id."""
    chance = random.Random(17)
    ids = [f"{kind}{number}" for number in range(PEOPLE) for kind in ("vcd" if number % 3 == 0 else "vc")]
    names = ["Order Delivered", "Ticket Solved"]
    return shuffled([[touch(id_, chance.choice(names), now)] for id_ in ids], chance)


def shuffled(waiting: list[list[dict[str, Any]]], chance: random.Random) -> list[tuple[str, bytes]]:
    """All of it in any order, but for what one id does."""
    turns = [events for events in waiting for _ in events]
    chance.shuffle(turns)
    order = [events.pop(0) for events in turns]
    order = [{"event_id": f"e{number}-{one['occurred_at']}", **one} for number, one in enumerate(order)]
    return [(one["customer_id"], json.dumps(one).encode()) for one in order]


def touch(customer: str, event: str, now: float) -> dict[str, Any]:
    return {"type": "touchpoint", "event": event, "customer_id": customer, "occurred_at": round(now, 3)}


def merge(visitor: str, into: str, now: float) -> dict[str, Any]:
    common = {"customer_id": visitor, "into": into, "occurred_at": round(now, 3)}
    return {"type": "merge", "event_id": f"merge-{visitor}", **common}


@pytest.mark.parametrize("fault", [kill, forget, kill_and_forget, go_back])
async def test_nobody_is_asked_under_two_ids(here: Site, serve: Serve, fault: Fault) -> None:
    program = serve({"surveys": SURVEYS})
    first, second = visits(time.time()), returns(time.time())
    given = [json.loads(value) for _, value in first + second]
    async with here.feeding(first):
        for position in (1_000, 3_000):
            await here.reached(position)
            await fault(here, program)
    await quiet(here)
    async with here.feeding(second):
        await here.reached(len(first) + PEOPLE)
        await fault(here, program)
    await serving(program)
    await quiet(here)

    decisions = await here.read("survey.decisions")
    assert every_ask_settled_once(decisions) >= {"due", "merged"}
    everything_decided_once(decisions, {(one["customer_id"], one["event_id"]) for one in given if "event" in one})
    requests = [one for one in await here.read("survey.requests") if one["state"] == "due"]
    asked = defaultdict(set)
    for one in requests:
        asked[one["customer_id"][1:]].add(one["request_id"])
    assert len(asked) == PEOPLE
    assert {len(found) for found in asked.values()} == {1}


async def quiet(here: Site) -> None:
    """Wait until what was forwarded, and what followed from it, is done."""
    for _ in range(3):  # from the visitor to the customer, and from there to the next one
        await settled(here)
        await here.caught_up()


def everything_decided_once(decisions: list[Any], touchpoints: set[tuple[str, str]]) -> None:
    """Each record of a merged id has one of the next id beside it, until somebody has decided."""
    ids = defaultdict(set)
    reasons = defaultdict(set)
    for one in decisions:
        if "settles" not in one:
            ids[one["customer_id"], one["event_id"]].add(one["decision_id"])
            reasons[one["customer_id"], one["event_id"]] |= {verdict["reason"] for verdict in one["verdicts"]}
    assert {len(found) for found in ids.values()} == {1}
    assert touchpoints <= ids.keys()
    for (customer, event), found in reasons.items():
        if "merged" in found:
            assert found == {"merged"}
            after = chr(ord(customer[0]) + 1) if customer[0] == "c" else "c"
            assert (after + customer[1:], event) in ids
