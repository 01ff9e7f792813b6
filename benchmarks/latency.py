"""How long it takes from an answer's way to Kafka until it is in /metrics, at a steady rate."""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
import time
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any
from uuid import UUID

import httpx
from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Tree
from benchmarks.report import machine, positive, write
from scoring.segments import Value
from streams.events import Response, encode
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.redis import Redis

SURVEY = "relationship"
TOPIC = "survey.responses"
PLANS = ("free", "starter", "pro", "enterprise")
REGIONS = ("eu", "us", "latam", "apac")
STEP_S = 0.01  # between two handfuls of answers
SCRAPE_S = 0.02  # from the begin of a scrape to the next one's
WARM_UP_S = 5.0
PATIENCE_S = 30.0

_COUNT = re.compile(rb'^nps_responses_total\{[^}]*survey="relationship"[^}]*\} (\S+)$', re.MULTILINE)


@dataclass
class Run:
    """When answers were sent, and how many of them each scrape has shown, by the same clock."""

    sent: list[float] = field(default_factory=list)
    shown: list[tuple[float, int]] = field(default_factory=list)
    scrapes: list[float] = field(default_factory=list)  # how long each took

    def delays(self, since: float) -> list[float]:
        """Of the answers sent since then: the n-th is visible once n are."""
        found = []
        shown = iter(self.shown)
        at, count = next(shown)
        for number, sent in enumerate(self.sent, 1):
            while count < number:
                at, count = next(shown)
            if sent >= since:
                found.append(at - sent)
        return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--rate", type=positive, default=1_000, help="answers a second (default: %(default)s)")
    parser.add_argument("--seconds", type=positive, default=30, help="how long (default: %(default)s)")
    args = parser.parse_args()
    with Kafka() as kafka, Redis() as redis:
        parts = {"kafka": {"bootstrap": kafka.bootstrap}, "redis": {"url": redis.url}}
        with Livenps(parts) as program:
            found = asyncio.run(measure(kafka, program, args.rate, args.seconds))
    write("latency", found)
    Console().print(table(found))
    return 0


async def measure(kafka: Kafka, program: Livenps, rate: int, seconds: int) -> dict[str, Any]:
    run = Run()
    tree = Tree(program.pid)
    began, cpu = time.perf_counter(), tree.sample()
    sending = asyncio.create_task(send(kafka, run, rate, WARM_UP_S + seconds))
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=PATIENCE_S) as client:
        while not sending.done() or run.shown[-1][1] < len(run.sent):
            if time.perf_counter() - began > WARM_UP_S + seconds + PATIENCE_S:
                raise TimeoutError(f"{run.shown[-1][1]} of {len(run.sent)} answers are visible")
            await scrape(client, run)
    sending.result()
    cpu, took = tree.sample() - cpu, time.perf_counter() - began
    delays = run.delays(run.sent[0] + WARM_UP_S)
    cuts = quantiles(delays, n=1_000, method="inclusive")
    return {
        "rate": rate,
        "answers": len(delays),
        "p50_ms": 1_000 * cuts[499],
        "p90_ms": 1_000 * cuts[899],
        "p99_ms": 1_000 * cuts[989],
        "max_ms": 1_000 * max(delays),
        "scrapes_per_s": len(run.scrapes) / took,
        "scrape_ms": 1_000 * median(run.scrapes),
        "program_cores": cpu / took,
    }


async def send(kafka: Kafka, run: Run, rate: int, seconds: float) -> None:
    """Produce answers, a handful at a time, each at its moment whatever the last one has cost."""
    dice = random.Random(1)  # noqa: S311 - the same answers each time
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 0, "partitioner": "murmur2_random"})
    began = time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        for _ in range(int(elapsed * rate) - len(run.sent)):
            response = answer(dice)
            run.sent.append(time.perf_counter())
            producer.produce(TOPIC, encode(response), response.response_id)
        producer.poll(0)
        await asyncio.sleep(STEP_S)
    await asyncio.to_thread(producer.flush)


def answer(dice: random.Random) -> Response:
    attributes: dict[str, Value] = {
        "plan": dice.choice(PLANS),
        "region": dice.choice(REGIONS),
        "age": dice.randrange(16, 81),
    }
    return Response(
        response_id=str(UUID(int=dice.getrandbits(128))),
        survey_id=SURVEY,
        score=dice.randrange(11),
        attributes=attributes,
    )


async def scrape(client: httpx.AsyncClient, run: Run) -> None:
    began = time.perf_counter()
    reply = await client.get("/metrics")
    here = time.perf_counter()
    reply.raise_for_status()
    run.shown.append((here, int(sum(map(float, _COUNT.findall(reply.content))))))
    run.scrapes.append(here - began)
    await asyncio.sleep(max(0.0, began + SCRAPE_S - here))


def table(found: dict[str, Any]) -> Table:
    made = Table(title="From sent to visible in /metrics", caption=machine())
    for name in ("answers/s", "answers", "p50 ms", "p90 ms", "p99 ms", "max ms", "scrapes/s", "scrape ms"):
        made.add_column(name, justify="right")
    made.add_column("program, cores", justify="right")
    numbers = list(found.values())
    made.add_row(*(f"{number:,.0f}" for number in numbers[:-1]), f"{numbers[-1]:.2f}")
    return made


if __name__ == "__main__":
    sys.exit(main())
