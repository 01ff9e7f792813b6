"""How many touchpoints a second the customer lane decides: contact read and written, decisions published.

    python -m benchmarks.customers --touchpoints 200000 --runs 3

The time begins with the first position that the lane writes and ends when every decision is on its topic.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator

from aiokafka import AIOKafkaProducer
from redis import Redis as Client
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Tree
from benchmarks.report import positive, write
from benchmarks.topics import Broker
from streams import topics
from streams.topics import DECISIONS, TOUCHPOINTS
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.redis import Redis

EVENTS = ("Order Delivered", "Ticket Solved", "Page Viewed")  # two of the default configuration's, and another
PARTITIONS = 4
LOOK_S = 0.02


def touchpoints(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Keys and records of about 250 bytes: two touchpoints a customer, each with a contact."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    now = time.time()
    for number in range(count):
        customer = f"customer-{chance.randrange(count // 2)}"
        event = {
            "type": "touchpoint",
            "event_id": f"e{number}",
            "event": chance.choice(EVENTS),
            "customer_id": customer,
            "occurred_at": now,
            "properties": {"total": chance.randrange(100)},
            "contact": {"email": f"{customer}@example.com", "attributes": {"plan": chance.choice("abc")}},
        }
        yield customer, json.dumps(event).encode()


async def fill(bootstrap: str, prefix: str, count: int, seed: int) -> None:
    wanted = topics.topics(prefix=prefix, partitions=PARTITIONS)
    await topics.create(bootstrap, wanted.values())
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, max_batch_size=1 << 18)
    async with producer:
        for key, value in touchpoints(count, seed):
            await producer.send(wanted[TOUCHPOINTS].name, value, key=key.encode())
        await producer.flush()


def measure(kafka: Kafka, run: int, count: int) -> dict[str, float]:
    """One run on a Redis of its own: touchpoints a second, and CPU seconds per million."""
    prefix = f"run{run}."
    asyncio.run(fill(kafka.bootstrap, prefix, count, seed=run))
    broker = Broker(kafka.bootstrap)
    with Redis() as redis, Client.from_url(redis.url) as client:
        changes = {
            "kafka": {"bootstrap": kafka.bootstrap, "prefix": prefix, "partitions": PARTITIONS},
            "redis": {"url": redis.url, "prefix": "bench"},
        }
        program = Livenps(changes, arguments=["--role", "decide"])
        program.launch()
        try:
            trees = {"livenps": Tree(program.pid), "redis": Tree(redis.pid), "kafka": Tree(kafka.pid)}

            def decided() -> int:
                found = [client.hget(f"bench:{{c{partition}}}:lane", "off") for partition in range(PARTITIONS)]
                return sum(int(offset or 0) for offset in found)  # type: ignore[arg-type]

            while not decided():
                time.sleep(LOOK_S)
            began = time.monotonic()
            before = {name: tree.sample() for name, tree in trees.items()}
            while decided() < count or broker.written(prefix + DECISIONS) < count:
                if not program.running:
                    raise RuntimeError(f"livenps has ended:\n{program.tail()}")
                time.sleep(LOOK_S)
            seconds = time.monotonic() - began
            used = {name: (tree.sample() - before[name]) / count * 1e6 for name, tree in trees.items()}
            return {"touchpoints_per_s": count / seconds, "peak_mb": trees["livenps"].peak_mb, **used}
        finally:
            program.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.customers", description=__doc__)
    parser.add_argument("--touchpoints", type=positive, default=200_000, metavar="N", help="default: 200000")
    parser.add_argument("--runs", type=positive, default=3, metavar="N", help="default: 3; the median is shown")
    args = parser.parse_args()
    runs = []
    with Kafka() as kafka:
        for run in range(args.runs):
            runs.append(measure(kafka, run, args.touchpoints))
            sys.stderr.write(f"run {run + 1} of {args.runs}: {runs[-1]['touchpoints_per_s']:,.0f} touchpoints/s\n")
    median = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    table = Table("touchpoints/s", "CPU s/million: livenps", "Redis", "Kafka", "peak RSS MB")
    cells = (median[name] for name in ("livenps", "redis", "kafka", "peak_mb"))
    table.add_row(f"{median['touchpoints_per_s']:,.0f}", *(f"{cell:.1f}" for cell in cells))
    Console().print(table)
    write("customers", {"touchpoints": args.touchpoints, "runs": runs})


if __name__ == "__main__":
    main()
