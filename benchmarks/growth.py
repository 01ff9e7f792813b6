"""What counting costs as windows fill and series grow: `python -m benchmarks.growth`, a table and JSON.

One partition holds answers of some days, of some series; then batches are counted, of answers of the last minute
(`now`) or of any time in those days (`spread`, as when an old log is read).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count

from rich.console import Console
from rich.table import Table

from benchmarks.partitions import SURVEY, Cost, Partitions, partitions
from benchmarks.report import machine, positive, write
from scoring.segments import Dimension, Dimensions
from streams.events import Response
from streams.times import DAY, MINUTE, from_ms

DAYS = (1, 30, 90)
SERIES = (10, 100, 1_000, 10_000)
SIZES = (1_000, 10_000)
DIMENSIONS = Dimensions((Dimension("plan"),))

err = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Case:
    """Answers of ``days`` with ``series`` values of one dimension are there; a batch is ``size`` more."""

    days: int
    series: int
    size: int
    spread: bool


@dataclass
class Measured:
    """A case, and per answer: CPU in µs, and commands.

    ``script_ms`` is the scripts' time, on the clock, of the batch with its tick that took longest.
    """

    case: Case
    redis_us: float
    encode_us: float
    decide_us: float
    fold_us: float
    commands: float
    script_ms: float


class Answers:
    """New answers without end, the same for every run."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._chance = random.Random(20_260_101)  # noqa: S311 - the same for every run is what is wanted
        self._ids = count()

    def of(self, number: int, span: int, series: int) -> Iterator[Response]:
        """Answers of the last ``span`` ms."""
        drawn = self._chance.random
        for _ in range(number):
            yield Response(
                response_id=f"r{next(self._ids)}",
                survey_id=SURVEY,
                score=int(drawn() * 11),
                attributes={"plan": f"value {int(drawn() * series)}"},
                answered_at=from_ms(self._now - int(drawn() * span)),
            )


def main() -> int:
    args = arguments()
    measured = asyncio.run(measure(args.history, args.answers))
    write("growth", {"history": args.history, "cases": [asdict(one) for one in measured]})
    Console(width=130).print(table(measured))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--history", type=positive, default=100_000, help="answers there before (default: 100000)")
    parser.add_argument(
        "--answers", type=positive, default=400_000, help="to count in each case (default: 400000)"
    )
    return parser.parse_args()


async def measure(history: int, counted: int) -> list[Measured]:
    """Days at a hundred series, then series at thirty days."""
    grids = [(days, 100) for days in DAYS] + [(30, series) for series in SERIES if series != 100]
    measured = []
    for days, series in grids:
        err.print(f"{days} days, {series:,} series")
        async with partitions(1, DIMENSIONS) as filled:
            answers = Answers(filled.now)
            await filled.fill(answers.of(history, days * DAY, series))
            await filled.rest()
            for case in [Case(days, series, size, spread) for size in SIZES for spread in (False, True)]:
                measured.append(await cost(filled, answers, case, counted))
    return measured


async def cost(filled: Partitions, answers: Answers, case: Case, counted: int) -> Measured:
    span = case.days * DAY if case.spread else MINUTE
    total = Cost()
    for _ in range(max(1, counted // case.size)):
        total += await filled.count(list(answers.of(case.size, span, case.series)))
    total += await filled.rest()

    def each(seconds: float) -> float:
        return seconds / total.answers * 1e6

    return Measured(
        case,
        redis_us=each(total.redis),
        encode_us=each(total.encode),
        decide_us=each(total.decide),
        fold_us=each(total.fold),
        commands=total.commands / total.answers,
        script_ms=total.longest * 1e3,
    )


def table(measured: list[Measured]) -> Table:
    made = Table(title="The cost of an answer", caption=f"CPU in µs; {machine()}")
    costs = "Redis", "decide", "encode", "fold"
    columns = "days", "series", "batch", "answers", *costs, "commands", "longest tick, ms"
    for column in columns:
        made.add_column(column, justify="right")
    for one in measured:
        case = one.case
        made.add_row(
            str(case.days),
            f"{case.series:,}",
            f"{case.size:,}",
            "spread" if case.spread else "now",
            *(f"{value:.2f}" for value in (one.redis_us, one.decide_us, one.encode_us, one.fold_us, one.commands)),
            f"{one.script_ms:.0f}",
        )
    return made


if __name__ == "__main__":
    sys.exit(main())
