"""Each code is given once, and nobody gets a second one, whatever is lost while claims come."""

import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.faults.losses import Fault, forget, kill_and_forget, rolled_back
from tests.faults.site import Site, serving, site
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps

pytestmark = [pytest.mark.faults, pytest.mark.slow]

CLAIMS = 6_000
CUSTOMERS = 3_000
CODES = 2_500  # fewer than customers


@pytest.fixture
async def here(kafka: Kafka, redis_url: str, namespace: str) -> AsyncIterator[Site]:
    async with site(kafka.bootstrap, redis_url, namespace, lane="g", role="incentives") as here:
        yield here


def claims() -> list[tuple[str, bytes]]:
    """Finished answers, some told twice: the page was loaded again."""
    chance = random.Random(11)
    given = []
    for number in range(CLAIMS):
        customer = f"c{chance.randrange(CUSTOMERS)}"
        claim = {"response_id": f"r{number}", "survey_id": "thanked", "customer_id": customer}
        given += [(customer, json.dumps({"type": "incentive_claim"} | claim).encode())] * chance.choice([1, 1, 2])
    chance.shuffle(given)
    return given


async def go_back(here: Site, _: Livenps) -> None:
    """Put a state back that does not know yet of what was given."""
    async with rolled_back(here):
        await here.reached(await here.position() + 500)


@pytest.mark.parametrize("fault", [forget, kill_and_forget, go_back])
async def test_each_code_is_given_once(here: Site, serve: Serve, tmp_path: Path, fault: Fault) -> None:
    (tmp_path / "codes.txt").write_text("\n".join(f"SAVE-{number}" for number in range(CODES)))
    survey = {"id": "thanked", "trigger": "Paid", "incentive": {"codes": str(tmp_path / "codes.txt")}}
    program = serve({"surveys": [survey]})
    given = claims()
    async with here.feeding(given):
        for position in (2_000, 5_000):
            await here.reached(position)
            await fault(here, program)
    await serving(program)
    await here.empty("g")
    found = grants(await here.read("incentives"))
    by_response, by_code, by_customer = (defaultdict(set) for _ in range(3))
    for one in found:
        by_response[one["response_id"]].add(one["code"])
        by_code[one["code"]].add(one["response_id"])
        by_customer[one["customer_id"]].add(one["response_id"])
    assert [id_ for id_, codes in by_response.items() if len(codes) > 1] == [], "an answer has two codes"
    assert [code for code, ids in by_code.items() if len(ids) > 1] == [], "a code is given twice"
    assert [one for one, ids in by_customer.items() if len(ids) > 1] == [], "a customer is given two"
    assert len(by_code) > CODES * 0.9


def grants(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in events if one["type"] == "incentive_grant"]
