"""A steered sample on real parts: what is decided is counted, weighed, and re-weighted from the log."""

import json
from typing import Any

import httpx
from redis.asyncio import Redis

from sinks.redis.client import ask, connect
from tests.conftest import Serve
from tests.livenps.run import run
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.wait import until

CUSTOMERS = 200
SURVEY = {"id": "steered", "trigger": "Paid", "sampling": {"margin": 5, "dimension": "plan", "at_least": 0.4}}


async def counts(redis: Redis, namespace: str) -> dict[str, int]:
    """Of all partitions, by what is counted of the segment."""
    found: dict[str, int] = {}
    async for key in redis.scan_iter(f"{namespace}:*:draws:steered:*"):
        for name, n in (await ask(redis.hgetall(key))).items():
            segment, what = json.loads(name)
            assert segment == "pro"
            found[what] = found.get(what, 0) + int(n)
    return found


async def test_from_touchpoints_to_weighted_scores(
    serve: Serve, kafka: Kafka, redis_url: str, namespace: str
) -> None:
    program = serve({"surveys": [SURVEY], "dimensions": {"plan": {}}})
    redis = connect(redis_url)

    async def requests() -> list[dict[str, Any]]:
        return [
            json.loads(one.value) for one in await records.read(kafka.bootstrap, f"{namespace}survey.requests")
        ]

    async def decided() -> bool:
        return len(await records.read(kafka.bootstrap, f"{namespace}survey.decisions")) == CUSTOMERS

    async def counted(what: str, n: int) -> bool:
        return (await counts(redis, namespace)).get(what) == n

    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=10) as web:
        events = [
            {"event": "Paid", "customer_id": f"c{n}", "properties": {"plan": "pro"}} for n in range(CUSTOMERS)
        ]
        (await web.post("/v1/touchpoints", json=events)).raise_for_status()
        await until(decided, message="all are decided on")
        asked = await requests()
        assert 0 < len(asked) < CUSTOMERS
        weights = {one["customer_id"]: one.get("weight", 1) for one in asked}
        assert all(1 <= weight <= 2.5 for weight in weights.values())
        assert max(weights.values()) == 2.5  # of the first, before anything was known
        first = max(weights, key=weights.__getitem__)
        explained = run("explain", "--config", str(program.config), "--customer", first)
        assert "no rule forbids it [triggered]; stands for 2.5 customers" in explained.stdout
        await until(lambda: counted("drawn", len(asked)), message="the invitations are counted")
        assert (await counts(redis, namespace))["eligible"] == CUSTOMERS
        answers = [
            {
                "survey_id": "steered",
                "score": 9,
                "customer_id": customer,
                "weight": weight,
                "attributes": {"plan": "pro"},
            }
            for customer, weight in weights.items()
        ]
        (await web.post("/v1/responses", json=answers)).raise_for_status()
        await until(lambda: counted("9", len(asked)), message="the answers are counted")
    await redis.aclose()
    done = run("weighted", "--config", str(program.config), "--json")
    assert done.returncode == 0, done.stderr
    [whole, pro] = json.loads(done.stdout)["series"]
    assert (whole["n"], pro["segment"], pro["n"]) == (len(asked), "pro", len(asked))
    assert whole["weighted"]["effective"] <= len(asked)
