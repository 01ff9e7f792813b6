"""Simulate what the statistics promise: tables, JSON, and the pictures of docs/statistics.md."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.report import write
from benchmarks.simulate.detection import BUSY, Delay, FalseAlarms, ablation, delays, false_alarms, trace
from benchmarks.simulate.intervals import Coverage, coverage
from benchmarks.simulate.looks import example, misses, sizes
from benchmarks.simulate.mixes import USUAL, WATCHED, Mix, Random
from benchmarks.simulate.plot import Axis, Curve, curves
from benchmarks.simulate.rules import judged

IMAGES = Path(__file__).parents[2] / "docs" / "images"

BASELINES = (None, 200, 500, 1_000, 5_000)
SWING = 0.1  # weekends 10 points below other days

err = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Effort:
    """How much is simulated."""

    coverage: tuple[int, ...] = (10, 20, 30, 50, 100, 200, 500, 1_000)
    runs: int = 8_000
    rules: int = 200
    looks: int = 5_000
    answers: int = 10_000
    after: tuple[int, ...] = (10, 30)
    baselines: int = 100
    busy: bool = True


QUICK = Effort(
    coverage=(10, 30, 100), runs=300, rules=10, looks=100, answers=3_000, after=(10,), baselines=10, busy=False
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulate", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; writes nothing")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    found = simulate(QUICK if options.quick else Effort(), options.seed)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for name, rows in found.items():
            show(name, worst(rows) if name == "false_alarms" else rows)
    if not options.quick:
        write("statistics", found)
        draw([Coverage(**row) for row in found["coverage"]], options.seed)
    return 0


def simulate(effort: Effort, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Name of a table -> its rows. Each table has its own random numbers, so that it does not depend on others."""
    parts: dict[str, Callable[[Random], Iterable[Any]]] = {
        "coverage": lambda _: coverage(effort.coverage),
        "rules": lambda rng: judged(effort.rules, rng),
        "false_alarms": lambda rng: steady(effort, rng),
        "ablation": lambda rng: ablation(effort.runs // 4, rng) if effort.busy else (),
        "delays": lambda rng: falls(effort, rng),
        "looks": lambda rng: misses(effort.answers, effort.looks, rng),
        "sizes": lambda rng: sizes(effort.after, effort.baselines, rng),
    }
    return {
        name: [asdict(row) for row in _told(name, part(np.random.default_rng((seed, number))))]
        for number, (name, part) in enumerate(parts.items())
    }


def steady(effort: Effort, rng: Random) -> Iterator[FalseAlarms]:
    """Every mix and baseline, with and without a weekly swing, at 50 answers a day; some of them at 500."""
    for mix in WATCHED:
        for baseline in BASELINES:
            for swing in (0.0, SWING):
                yield from false_alarms(mix, baseline, effort.runs, rng, swing=swing)
    if not effort.busy:
        return
    for mix in WATCHED[1::2]:
        for baseline in BASELINES[1:]:
            for swing in (0.0, SWING):
                yield from false_alarms(mix, baseline, effort.runs // 2, rng, a_day=BUSY, swing=swing)


def falls(effort: Effort, rng: Random) -> Iterator[Delay]:
    """40 to 20 with every baseline, and smaller or other falls with a known one."""
    for baseline in BASELINES:
        yield from delays(USUAL, 0.2, baseline, effort.runs // 4, rng)
    others: list[tuple[Mix, float]] = [(mix, 0.2) for mix in WATCHED[1:4]]
    for mix, fall in [*others, (USUAL, 0.1), (USUAL, 0.3), (USUAL, 0.4)]:
        yield from delays(mix, fall, None, effort.runs, rng, watched=(1,))


def _told(name: str, rows: Iterable[Any]) -> Iterator[Any]:
    """Pass rows on, and tell how far it is on stderr."""
    began = time.process_time()
    number = 0
    for number, row in enumerate(rows, 1):
        if err.is_terminal:
            err.print(f"{name}: {number} rows, {time.process_time() - began:.0f} s of CPU", end="\r")
        yield row
    err.print(f"{name}: {number} rows, {time.process_time() - began:.0f} s of CPU")


def worst(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """False alarms and their error at the worst of all mixes, with a column for each number of watched series."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        kept = {key: row[key] for key in ("baseline", "a_day", "weekend")}
        line = found.setdefault(tuple(kept.values()), kept)
        column = f"{row['series']} series"
        line[column] = max(line.get(column, (0.0, 0.0)), (row["alarms"], row["error"]))
    return [*found.values()]


def show(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    table = Table(title=name.replace("_", " "), title_justify="left")
    for column in rows[0]:
        table.add_column(column.replace("_", " "), justify="left" if isinstance(rows[0][column], str) else "right")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console().print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return " ± ".join(f"{number:.2f}" for number in value)
    if isinstance(value, float):
        return f"{value:.0f}" if value >= 100 else f"{value:.3f}"
    return str(value)


def draw(covered: Sequence[Coverage], seed: int) -> None:
    """The pictures of docs/statistics.md."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / "coverage.svg").write_text(_coverage(covered))
    (IMAGES / "detector.svg").write_text(_detector(seed))
    (IMAGES / "looks.svg").write_text(_looks(seed))


def _coverage(covered: Sequence[Coverage]) -> str:
    return curves(
        "How often a 95 % interval holds the true score, at the worst of ten mixes",
        Axis("answers", (10, 30, 100, 300, 1_000), log=True),
        Axis("%", (50, 60, 70, 80, 90, 95, 100)),
        [
            Curve("plain Wald", "other", [(row.n, 100 * row.plain_worst) for row in covered]),
            Curve("adjusted Wald", "ours", [(row.n, 100 * row.adjusted_worst) for row in covered]),
        ],
    )


def _detector(seed: int) -> str:
    shares, fall = trace(seed)
    return curves(
        "Evidence of one series that falls from 40 to 20 at answer 1,000",
        Axis("answers", (0, 500, 1_000, 1_500, 2_000)),
        Axis("share of the level", (0.0001, 0.001, 0.01, 0.1, 1, 10), log=True),
        [
            Curve("alarm", "ink", [(0, 1), (len(shares), 1)], dashed=True),
            Curve("evidence", "ours", [*enumerate(shares, 1)]),
            Curve("", "other", [(fall, 0.0001), (fall, 10)], dashed=True),
        ],
    )


def _looks(seed: int) -> str:
    runs = example(USUAL, 2_000, np.random.default_rng(seed))
    return curves(
        "One score of 40, looked at after every answer",
        Axis("answers", (30, 100, 300, 1_000, 2_000), log=True),
        Axis("points", (-20, 0, 20, 40, 60, 80, 100)),
        [
            Curve("true score", "ink", [(30, 40), (2_000, 40)], dashed=True),
            *(Curve(name, color, points) for name, color, points in runs),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
