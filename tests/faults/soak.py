"""Faults at random under steady load, on a Kafka, a Redis and workers of its own.

Every four minutes, and at the end, the load rests until all is processed, and the workers' numbers are compared
with a recount of the topic. Exit code 1 where they differ, a worker crashed, or the lane no longer moves.
"""

import argparse
import asyncio
import json
import logging
import random
import sys
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import fill

from aiokafka.errors import KafkaError

from tests.faults.answers import answers
from tests.faults.mix import FAULTS, draw, happen
from tests.faults.site import differences
from tests.faults.world import World, world
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.parts import PARTS

RATE = 400  # records a second
CHUNK = 100
LOT = 2_000  # records that repeat and correct each other
CHECK_S = 240.0
STALLED_S = 120.0
PAUSE_S = (2.0, 10.0)  # between faults
MB = 1 << 20


@dataclass
class Report:
    """What a soak has seen."""

    seed: int
    minutes: float = 0.0
    records: int = 0
    checks: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    lag: dict[str, int] = field(default_factory=dict)
    worker_mb: dict[str, float] = field(default_factory=dict)  # the largest worker: start, most, end
    redis_mb: dict[str, float] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def verdict(self) -> str:
        if self.differences:
            return "FAILED"
        return "INTERRUPTED" if self.interrupted else "PASSED"


class Soak:
    """One world under load and faults."""

    def __init__(self, world: World, report: Report, without: Collection[str]) -> None:
        self._world = world
        self._seed, self._without = report.seed, without
        self._chance = random.Random(self._seed)  # of all but the faults, whose order is the seed's alone
        self._begun = time.monotonic()
        self._flows = asyncio.Event()
        self.report = report

    async def run(self, minutes: float) -> None:
        """Mix faults for so long; ends early where something is wrong."""
        for _ in range(2):
            self._world.worker()
        await self._world.serving()
        self._say("the workers serve, the load begins")
        try:
            async with self._feeding():
                await self._world.site.reached(RATE * 10)
                await self._measure("start")
                await self._mix(self._begun + 60 * minutes)
            await self._measure("end")
        finally:
            self.report.minutes = round((time.monotonic() - self._begun) / 60, 1)

    async def _mix(self, end: float) -> None:
        try:
            while time.monotonic() < end and not self.report.differences:
                await self._faults(min(end, time.monotonic() + CHECK_S))
                await self._check()
        except Exception as error:  # whatever was waited for and did not come
            self._wrong(f"{error!r}\n{self._tails()}")

    async def _faults(self, until: float) -> None:
        self._flows.set()
        while time.monotonic() < until and not self.report.differences:
            names = draw(self._world, self._without)
            await happen(self._world, names)
            for name in names:
                self.report.faults[name] = self.report.faults.get(name, 0) + 1
            await self._measure("end")
            self._say(f"{' and '.join(names)}; {await self._lag():,} records wait")
            self._crashes(names)
            await asyncio.sleep(self._world.chance.uniform(*PAUSE_S))

    def _crashes(self, names: object) -> None:
        for worker in self._world.workers:
            if not worker.running:
                self._wrong(f"a worker crashed at {names}:\n{worker.tail(40)}")

    async def _check(self) -> None:
        """Compare everything, once all is processed."""
        self._flows.clear()
        self._say("the load rests until all is processed")
        if self.report.differences or not await self._drained():
            return
        await self._world.serving()
        worker = self._chance.choice(self._world.workers)
        for difference in await differences(self._world.site, worker):
            self._wrong(difference)
        self.report.checks += 1
        found = len(self.report.differences)
        self._say(f"compared with a recount of {self.report.records:,} records: {found} differences")

    async def _drained(self) -> bool:
        """Wait until the lane has caught up; False where it stands still."""
        best, since = await self._lag(), time.monotonic()
        while best:
            await asyncio.sleep(0.5)
            if (lag := await self._lag()) < best:
                best, since = lag, time.monotonic()
            elif time.monotonic() - since > STALLED_S:
                self._wrong(f"{best} records wait, none was processed for {STALLED_S:g} s:\n{self._tails()}")
                return False
        return True

    def _tails(self) -> str:
        """What the workers said last."""
        return "\n".join(worker.tail(15) for worker in self._world.workers)

    async def _lag(self) -> int:
        site = self._world.site
        lag = sum((await records.ends(site.bootstrap, site.topic)).values()) - await site.position()
        self.report.lag = {"most": max(lag, self.report.lag.get("most", 0)), "end": lag}
        return lag

    @asynccontextmanager
    async def _feeding(self) -> AsyncIterator[None]:
        self._flows.set()
        feed = asyncio.create_task(self._feed())
        try:
            yield
        finally:
            feed.cancel()
            await asyncio.gather(feed, return_exceptions=True)

    async def _feed(self) -> None:
        """Write at a steady rate, but for rests; a Kafka that takes nothing is tried again."""
        lots = 0
        while True:
            lot = answers(LOT, self._seed * 1_000_000 + lots, time.time())
            if lots and self._chance.random() < 0.1:  # old ones come again
                lot = answers(LOT, self._seed * 1_000_000 + self._chance.randrange(lots), time.time())
            lots += 1
            try:
                await self._write(lot)
            except KafkaError as error:
                self._say(f"Kafka takes nothing: {error!r}")
                await asyncio.sleep(1)

    async def _write(self, lot: list[tuple[str, bytes]]) -> None:
        async with records.producer(self._world.site.bootstrap) as producer:
            for start in range(0, LOT, CHUNK):
                await self._flows.wait()
                await records.send(producer, self._world.site.topic, lot[start : start + CHUNK])
                self.report.records += CHUNK
                await asyncio.sleep(CHUNK / RATE)

    async def _measure(self, when: str) -> None:
        """Note memory: of the largest worker, and of Redis."""
        largest = max((resident(worker.pid) for worker in self._world.workers if worker.running), default=0.0)
        used = (await self._world.site.redis.info("memory"))["used_memory"] / MB
        for noted, now in ((self.report.worker_mb, largest), (self.report.redis_mb, used)):
            noted[when] = round(now, 1)
            noted["most"] = max(noted[when], noted.get("most", 0))

    def _wrong(self, what: str) -> None:
        self.report.differences.append(what)
        self._say(f"WRONG: {what}")

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._begun:7.1f} s  {text}", file=sys.stderr, flush=True)


def resident(pid: int) -> float:
    """The memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4_096 / MB


async def soak(report: Report, minutes: float, without: Collection[str]) -> None:
    with Kafka() as kafka:
        async with world(kafka, "soak.") as made:
            made.chance = random.Random(report.seed)
            await Soak(made, report, without).run(minutes)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make soak",
        description=__doc__,
        epilog=fill(f"faults: {', '.join(FAULTS)}", 100),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=20.0, help="(default: %(default)g)")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()) % 10_000, help="of the faults' order (default: by the clock)"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=FAULTS,
        metavar="FAULT",
        help="leave one out, see below; may be given again",
    )
    parser.add_argument("--json", action="store_true", help="the report as JSON on stdout")
    args = parser.parse_args()
    missing = [part.what for name in ("kafka", "redis") if not (part := PARTS[name]).present()]
    if missing:
        parser.error(f"missing: {'; '.join(missing)}")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it writes hundreds of lines while Kafka is away
    report = Report(args.seed)
    told = (
        f"faults for {args.minutes:g} min, drawn with seed {args.seed}: "
        "the same seed draws them again. Kafka, Redis and two workers start"
    )
    print(told, file=sys.stderr, flush=True)
    try:
        asyncio.run(soak(report, args.minutes, args.without))
    except KeyboardInterrupt:
        report.interrupted = True
    if args.json:
        print(json.dumps(asdict(report), indent=2))
    else:
        print(text(report))
    return {"PASSED": 0, "FAILED": 1, "INTERRUPTED": 130}[report.verdict]


def text(report: Report) -> str:
    """The report for people."""
    lines = [
        f"{report.verdict}: {report.records:,} records in {report.minutes:g} min with seed {report.seed}; "
        f"comparisons: {report.checks}, differences: {len(report.differences)}"
    ]
    lines += [f"  {line}" for difference in report.differences for line in difference.splitlines()]
    lines += [f"  {count:3}  {name}" for name, count in sorted(report.faults.items(), key=lambda one: -one[1])]
    noted: dict[str, Mapping[str, float]] = {
        "MB of the largest worker": report.worker_mb,
        "MB in Redis": report.redis_mb,
        "records that waited": report.lag,
    }
    for what, numbers in noted.items():
        shown = (f"{numbers[when]:,} at the {when}" for when in ("start", "most", "end") if when in numbers)
        lines.append(f"{what}: {', '.join(shown)}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
