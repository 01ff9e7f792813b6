"""How long it takes from an answer's way to Kafka until it is in /metrics, at a steady rate.

Marked answers among all others are followed: a series of their own in each partition counts them in their order.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from statistics import median, quantiles
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Tree
from benchmarks.report import machine, positive, write
from benchmarks.stream import MARKED, Sent, send
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.redis import Redis

TOPIC = "survey.responses"
PARTITIONS = 4
SCRAPE_S = 0.05  # from the begin of a scrape to the next one's
WARM_UP_S = 5.0
PATIENCE_S = 30.0

_SEGMENT = rf'dimension="plan",group="promoter",segment="([0-9]+)",survey="{MARKED}"'
_COUNT = re.compile(rf"^nps_segment_responses_total{{{_SEGMENT}}} (\S+)$".encode(), re.MULTILINE)


@dataclass(frozen=True)
class Scrape:
    """What one scrape has shown, and what all had used by then."""

    began: float
    ended: float
    counts: dict[int, float]  # partition -> markers
    cpu: dict[str, float]


@dataclass
class Scraper:
    """Reads the metrics again and again, and the CPU of all who work."""

    client: httpx.AsyncClient
    trees: dict[str, Tree]
    scrapes: list[Scrape] = field(default_factory=list)

    async def scrape(self) -> None:
        began = time.monotonic()
        reply = await self.client.get("/metrics")
        ended = time.monotonic()
        reply.raise_for_status()
        counts = {int(partition): float(count) for partition, count in _COUNT.findall(reply.content)}
        cpu = {name: tree.sample() for name, tree in self.trees.items()} | {"scrapes": time.process_time()}
        self.scrapes.append(Scrape(began, ended, counts, cpu))
        await asyncio.sleep(max(0.0, began + SCRAPE_S - time.monotonic()))

    def shows(self, sent: Sent) -> bool:
        return all(self.counts.get(partition, 0) >= len(markers) for partition, markers in sent.markers.items())

    @property
    def counts(self) -> dict[int, float]:
        return self.scrapes[-1].counts

    def delays(self, sent: Sent, since: float) -> list[float]:
        """Of the markers sent since then: the n-th of a partition is visible once n are."""
        found = []
        for partition, markers in sent.markers.items():
            scrapes = iter(self.scrapes)
            scrape = next(scrapes)
            for number, at in enumerate(markers, 1):
                while scrape.counts.get(partition, 0) < number:
                    scrape = next(scrapes)
                if at >= since:
                    found.append(scrape.ended - at)
        return found


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rate", type=positive, default=1_000, help="answers a second (default: %(default)s)")
    parser.add_argument("--seconds", type=positive, default=30, help="how long (default: %(default)s)")
    parser.add_argument("--role", help="the program's roles, such as score,export (default: all)")
    args = parser.parse_args()
    with Kafka() as kafka, Redis() as redis:
        parts = {"kafka": {"bootstrap": kafka.bootstrap, "partitions": PARTITIONS}, "redis": {"url": redis.url}}
        with Livenps(parts, arguments=["--role", args.role] if args.role else []) as program:
            trees = {"program": Tree(program.pid), "Redis": Tree(redis.pid), "broker": Tree(kafka.pid)}
            found = asyncio.run(measure(kafka.bootstrap, program.url, trees, args.rate, args.seconds))
    write(f"latency-{args.rate}", {"rate": args.rate, "roles": args.role or "all", **found})
    Console(width=130).print(table(found))
    return 0


async def measure(bootstrap: str, url: str, trees: dict[str, Tree], rate: int, seconds: int) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE_S) as client:
        scraper = Scraper(client, trees)
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            options = bootstrap, TOPIC, PARTITIONS, rate, WARM_UP_S + seconds
            sending = asyncio.get_running_loop().run_in_executor(pool, send, *options)
            while not sending.done():
                await scraper.scrape()
            sent = await sending
        deadline = time.monotonic() + PATIENCE_S
        while not scraper.shows(sent):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"of {sum(map(len, sent.markers.values()))} markers are visible: {scraper.counts}"
                )
            await scraper.scrape()
    return result(sent, scraper)


def result(sent: Sent, scraper: Scraper) -> dict[str, Any]:
    """Of all that was sent behind the warm-up."""
    since = sent.began + WARM_UP_S
    delays = scraper.delays(sent, since)
    cuts = quantiles(delays, n=1_000, method="inclusive")
    scrapes = [scrape for scrape in scraper.scrapes if scrape.began >= since]
    first, last = scrapes[0], scrapes[-1]
    took = last.ended - first.ended
    cores = {name: (last.cpu[name] - first.cpu[name]) / took for name in first.cpu}
    return {
        "answers_per_s": sent.answers_per_s,
        "markers": len(delays),
        "p50_ms": 1_000 * cuts[499],
        "p90_ms": 1_000 * cuts[899],
        "p99_ms": 1_000 * cuts[989],
        "max_ms": 1_000 * max(delays),
        "scrapes_per_s": (len(scrapes) - 1) / took,
        "scrape_ms": 1_000 * median(scrape.ended - scrape.began for scrape in scrapes),
        "cores": {**cores, "generator": sent.cores},
    }


def table(found: dict[str, Any]) -> Table:
    made = Table(title="From sent to visible in /metrics", caption=machine())
    for name in ("answers/s", "markers", "p50 ms", "p90 ms", "p99 ms", "max ms", "scrapes/s", "scrape ms"):
        made.add_column(name, justify="right")
    made.add_column(f"cores:\n{' + '.join(found['cores'])}", justify="right")
    *numbers, cores = found.values()
    made.add_row(*(f"{number:,.0f}" for number in numbers), " + ".join(f"{one:.2f}" for one in cores.values()))
    return made


if __name__ == "__main__":
    sys.exit(main())
