"""What a scrape costs, and how long it keeps the lanes, which share its event loop, from working."""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.report import machine, positive, write
from scoring.board import Board
from scoring.scales import NPS
from scoring.segments import Dimension, Dimensions
from scoring.windows import DEFAULT_WINDOWS
from sinks.prometheus import Pipeline, exposition
from sinks.redis.answers import AnswersStore
from sinks.redis.board import BoardReader
from sinks.redis.client import Client, connect
from streams.answers import CountAnswers
from streams.events import Response
from streams.store import Applied, Batch, Item, Token
from streams.times import DAY, HOUR, MINUTE, SECOND, from_ms
from surveys.survey import Survey
from tests.real.redis import Redis

SURVEY = "post-purchase"
PARTITIONS = 4
AGES = (5 * MINUTE, 3 * HOUR, 20 * DAY)  # of the answers of each series in each partition
BATCH = 10_000
PREFIX = "scrape"


@dataclass(frozen=True)
class Cost:
    """Medians over the runs; ``stall_ms`` is the longest that another coroutine had to wait in any of them."""

    wall_ms: float
    cpu_ms: float  # of this process
    redis_ms: float  # CPU of Redis
    stall_ms: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scrape", description=__doc__)
    parser.add_argument(
        "--series", type=positive, nargs="+", default=[1_000, 10_000], help="(default: %(default)s)"
    )
    parser.add_argument(
        "--runs", type=positive, default=10, help="of each; the median counts (default: %(default)s)"
    )
    args = parser.parse_args()
    found = []
    for series in args.series:
        with Redis() as redis:
            found.append(uvloop.run(measure(redis.url, series, args.runs)))
    write("scrape", {"partitions": PARTITIONS, "scrapes": found})
    Console().print(table(found))
    return 0


async def measure(url: str, series: int, runs: int) -> dict[str, Any]:
    """Fill a state with so many series and read it, as a scrape does."""
    dimensions = Dimensions((Dimension("segment", limit=series),))
    client = connect(url)
    try:
        await fill(client, dimensions, series)

        async def board() -> Board:  # by a new reader, which shares no board with the one before
            return await BoardReader(client, PREFIX, DEFAULT_WINDOWS, PARTITIONS, now).board()

        def render(shown: Board) -> bytes:
            return exposition(shown, {SURVEY: Survey(id=SURVEY)}, dimensions, Pipeline())

        async def scrape() -> None:
            await asyncio.to_thread(render, await board())

        shown = await board()
        text = render(shown)
        gc.freeze()  # as the program does
        gc.set_threshold(100_000, 20, 50)
        return {
            "series": series,
            "samples": sum(not line.startswith(b"#") for line in text.splitlines()),
            "bytes": len(text),
            "board": asdict(await timed(client, board, runs)),
            "render": asdict(await timed(client, lambda: asyncio.to_thread(render, shown), runs)),
            "scrape": asdict(await timed(client, scrape, runs)),
        }
    finally:
        await client.aclose()


async def fill(client: Client, dimensions: Dimensions, series: int) -> None:
    """Answers of each age in every series of every partition."""
    dice = random.Random(1)  # noqa: S311 - the same answers each time
    rule = CountAnswers({SURVEY: NPS}, dimensions)
    store = AnswersStore(client, PREFIX, DEFAULT_WINDOWS, now)
    token = Token("benchmark", 1)
    for partition in range(PARTITIONS):
        items = [
            Item(
                Response(
                    response_id=f"{partition}:{age}:{number}",
                    survey_id=SURVEY,
                    score=dice.randrange(11),
                    answered_at=from_ms(now() - age),
                    attributes={"segment": f"segment {number}"},
                ),
                place * series + number,
                now(),
            )
            for place, age in enumerate(AGES)
            for number in range(series)
        ]
        await store.claim(partition, token)
        await store.begin(partition, token, 0, 0)
        for start in range(0, len(items), BATCH):
            part = items[start : start + BATCH]
            batch = Batch(partition, start, start + len(part), now(), part, [])
            outcome = await store.commit(batch, token, rule.decide(batch, None, now()))
            if outcome != Applied():
                raise RuntimeError(f"the state was not filled: {outcome}")


async def timed(client: Client, work: Callable[[], Awaitable[Any]], runs: int) -> Cost:
    """Do the work so often, beside a coroutine that wants to go on every millisecond."""
    costs = []
    for _ in range(runs):
        ticker = Ticker()
        ticking = asyncio.create_task(ticker.run())
        await asyncio.sleep(0.01)
        ticker.longest = 0.0
        redis, cpu, began = await redis_cpu(client), time.process_time(), time.perf_counter()
        await work()
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        await asyncio.sleep(0.01)  # the ticker sees the end of the work, too
        ticking.cancel()
        costs.append((wall, cpu, await redis_cpu(client) - redis, ticker.longest))
    wall, cpu, redis, _ = (1_000 * median(column) for column in zip(*costs, strict=True))
    return Cost(wall, cpu, redis, 1_000 * max(cost[-1] for cost in costs))


class Ticker:
    """Measures how long the event loop stood still."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            here = time.perf_counter()
            self.longest = max(self.longest, here - last - 0.001)
            last = here


async def redis_cpu(client: Client) -> float:
    info = await client.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def table(found: Sequence[dict[str, Any]]) -> Table:
    made = Table(title="One scrape", caption=machine())
    for name in ("series", "samples", "part"):
        made.add_column(name, justify="right")
    for name in ("wall ms", "CPU ms", "Redis CPU ms", "loop stood still\nat most, ms"):
        made.add_column(name, justify="right")
    for one in found:
        for part in ("board", "render", "scrape"):
            costs = (f"{cost:,.1f}" for cost in one[part].values())
            made.add_row(f"{one['series']:,}", f"{one['samples']:,}", part, *costs, end_section=part == "scrape")
    return made


def now() -> int:
    return int(time.time() * SECOND)


if __name__ == "__main__":
    sys.exit(main())
