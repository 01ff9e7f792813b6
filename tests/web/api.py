"""The HTTP edge of a running program, as its users call it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
from prometheus_client.parser import text_string_to_metric_families

from sinks.redis.requests import REACTIONS
from tests.real.receiver import Receiver
from tests.real.wait import until


class Api:
    """One program behind `client`; a survey's trigger is named `event of <survey>`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def post(self, path: str, body: Any) -> httpx.Response:
        """Send JSON, or a text as it is."""
        content = body if isinstance(body, str | bytes) else json.dumps(body)
        return await self.client.post(path, content=content, headers={"content-type": "application/json"})

    async def answer(self, survey: str, *scores: int, **fields: Any) -> list[str]:
        """Send answers, which have to be accepted, and return their ids."""
        reply = await self.post("/v1/responses", [{"survey_id": survey, "score": s, **fields} for s in scores])
        assert reply.status_code == 202, reply.text
        ids: list[str] = reply.json()["ids"]
        return ids

    async def scores(self, survey: str, **query: str) -> dict[str, Any]:
        reply = await self.client.get("/v1/scores", params={"survey": survey, **query})
        assert reply.status_code == 200, reply.text
        scores: dict[str, Any] = reply.json()
        return scores

    async def counts(self, survey: str) -> tuple[int, ...]:
        """Answers of the last 24 hours by group, best first: promoters, passives and detractors."""
        return tuple((await self.scores(survey))["groups"].values())

    async def counted(self, survey: str, *expected: int) -> None:
        """Wait until a survey has so many answers of each group, best first."""

        async def reached() -> bool:
            return await self.counts(survey) == expected

        await until(reached, message=f"{survey} counts {expected}")

    async def metric(self, name: str, **labels: str) -> float | None:
        """The value of one series, None where there is none."""
        samples = await self.metrics()
        return samples.get((name, frozenset(labels.items())))

    async def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """All series of a scrape."""
        reply = await self.client.get("/metrics")
        assert reply.status_code == 200, reply.text
        families = text_string_to_metric_families(reply.text)
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    async def came(self, survey: str, channel: str = "webhook", **expected: int) -> None:
        """Wait for a scrape in which so much came of a survey's invitations, and nothing else: opened=1."""
        labels = frozenset({"survey": survey, "channel": channel}.items())
        wanted = {**dict.fromkeys(REACTIONS, 0), **expected}

        async def reached() -> bool:
            samples = await self.metrics()
            return wanted == {one: samples.get((f"survey_{one}_total", labels)) for one in REACTIONS}

        await until(reached, message=f"what came of {survey} is {wanted}")

    async def invited(self, receiver: Receiver, survey: str, **fields: Any) -> str:
        """Let something happen to a customer, and return the path of the link they are sent."""
        customer = fields.setdefault("customer_id", uuid4().hex)
        reply = await self.post("/v1/touchpoints", {"event": f"event of {survey}", **fields})
        assert reply.status_code == 202, reply.text
        (body,) = await until(lambda: invitations(receiver, customer), message="the survey's link arrives")
        return httpx.URL(body["link"]).path

    @asynccontextmanager
    async def live(self, **query: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The snapshots of the live page's stream."""
        async with self.client.stream("GET", "/v1/live", params=query) as reply:
            assert reply.headers["content-type"].startswith("text/event-stream")
            yield (
                json.loads(line.removeprefix("data:")) async for line in reply.aiter_lines() if line[:5] == "data:"
            )


def invitations(receiver: Receiver, customer: str) -> list[dict[str, Any]]:
    """What a customer has been sent."""
    return [body for body in receiver.bodies if body["customer_id"] == customer]
