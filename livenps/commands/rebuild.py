"""``livenps rebuild``: count the log anew beside the live state and switch to the result."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from livenps.collector import expect_batches
from livenps.commands.arguments import Commands, add_config, check_partitions
from livenps.commands.compared import ROWS, as_rows, as_table
from livenps.commands.running import asking_kafka, confirmed, print_json
from livenps.config import load
from livenps.rebuilding import Advance, Rebuilder, Rebuilt
from livenps.settings import Config
from livenps.standing import Standing, standing
from scoring.recount import Difference
from scoring.scales import Scale
from sinks.redis import client, keys
from sinks.redis.live import live
from streams import topics
from streams.log_reader import LogReader
from streams.topics import RESPONSES

LOST = """\
--from-log counts what the log holds now, up to its end, and has workers go on from there:
- answers that the log holds no more leave all scores;
- for records that no worker has processed yet, nothing else is made up for: first answers and corrections are not
  added to the counters, nobody is told that a customer has answered, nothing is set aside as a dead letter."""


@dataclass(slots=True)
class Report:
    """What became of the partitions asked for."""

    rebuilt: list[Rebuilt] = field(default_factory=list)
    new: list[int] = field(default_factory=list)  # without a position: nothing was counted yet
    stopped: dict[int, str] = field(default_factory=dict)  # why no worker goes on there

    @property
    def differences(self) -> list[tuple[int, Difference]]:
        return [(one.partition, difference) for one in self.rebuilt for difference in one.differences]


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "rebuild",
        help="count the log anew and switch to the result",
        description="Count the answers in Kafka anew, beside the live state and up to where each partition stands "
        "in Redis, and switch to the result, one partition after the other. Workers may run meanwhile; Redis "
        "needs memory for one more partition. Nothing is published. Needs a real Kafka. Exit code 1 where a "
        "partition could not be rebuilt, or where a dry run finds differences.",
    )
    parser.add_argument("--partition", type=int, action="append", metavar="N", help="default: all")
    parser.add_argument("--dry-run", action="store_true", help="only compare the result with the live state")
    parser.add_argument(
        "--from-log",
        action="store_true",
        help="where a partition has stopped because its position lies outside the log, or in another topic's, "
        "take the log as it is now",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before --from-log gives a position up")
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = load(args.config)
    topic = config.topics()[RESPONSES]
    partitions = sorted(set(args.partition or range(topic.partitions)))
    check_partitions(topic, partitions)
    report = Report()
    standings = asking_kafka(config, _look(config, partitions, report))
    stopped = {partition: one.fault for partition, one in standings.items() if one.fault}
    if stopped and args.from_log and not args.dry_run:
        if not args.yes and not confirmed(f"{_faults(stopped)}\n{LOST}\nGo on?", "Say --yes."):
            print("Nothing was rebuilt.", file=sys.stderr)
            return 1
    elif not args.from_log:
        report.stopped = stopped
        standings = {partition: one for partition, one in standings.items() if not one.fault}
    try:
        if standings:
            asking_kafka(config, _rebuild(config, standings, report, adopt=not args.dry_run, quiet=args.json))
    finally:  # what is done is done, also where a later one fails
        if args.json:
            print_json(_as_json(report, dry_run=args.dry_run))
        else:
            _print(report, config.scales(), dry_run=args.dry_run)
    return 1 if report.stopped or (args.dry_run and report.differences) else 0


async def _look(config: Config, partitions: Sequence[int], report: Report) -> dict[int, Standing]:
    """Where the partitions stand that were begun."""
    topic = config.topics()[RESPONSES]
    topics.refuse_fatal(await topics.check(config.kafka.bootstrap, [topic]))
    standings = {}
    redis = client.connect(config.redis.url)
    try:
        async with LogReader(config.kafka.bootstrap) as reader:
            for partition in partitions:
                found = await live(redis, keys.base(config.redis.prefix, "a", partition))
                if found is None:
                    report.new.append(partition)
                else:
                    standings[partition] = await standing(reader, topic.name, partition, found)
    finally:
        await redis.aclose()
    return standings


async def _rebuild(
    config: Config, standings: dict[int, Standing], report: Report, *, adopt: bool, quiet: bool
) -> None:
    expect_batches()
    redis = client.connect(config.redis.url)
    try:
        async with LogReader(config.kafka.bootstrap) as reader:
            rebuilder = Rebuilder(config, redis, reader)
            with _progress(quiet=quiet) as progress:
                for partition, one in standings.items():
                    advance = progress(partition, one)
                    report.rebuilt.append(await rebuilder.rebuild(partition, one, adopt=adopt, advance=advance))
    finally:
        await redis.aclose()


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, Standing], Advance]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]:,.0f} answers/s"),
        TimeRemainingColumn(),
    )
    hidden = quiet or not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as progress:

        def begin(partition: int, one: Standing) -> Advance:
            task = progress.add_task(f"partition {partition}", total=one.end - one.first, rate=0)
            answers = 0

            def advance(position: int, end: int, more: int) -> None:
                nonlocal answers
                answers += more
                rate = answers / max(progress.tasks[task].elapsed or 0, 0.001)
                progress.update(task, completed=position - one.first, total=end - one.first, rate=rate)

            return advance

        yield begin


def _faults(stopped: dict[int, str]) -> str:
    return "\n".join(f"partition {partition}: {why}" for partition, why in stopped.items())


def _print(report: Report, scales: Mapping[str, Scale], *, dry_run: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for one in report.rebuilt:
        console.print(_told(one, dry_run=dry_run))
    for partition in report.new:
        console.print(f"partition {partition}: nothing is counted yet; a worker reads it from the log's start.")
    for partition, why in report.stopped.items():
        console.print(f"partition {partition}: not rebuilt, {why}; see --from-log.", markup=False)
    if found := report.differences:
        Console().print(as_table(found, scales, "rebuilt", "live" if dry_run else "before"))
        if len(found) > ROWS:
            console.print(f"The first {ROWS} of {len(found):,} differences are shown.")
    if dry_run:
        console.print("Dry run: nothing was switched.")


def _told(one: Rebuilt, *, dry_run: bool) -> str:
    misplaced = f", {one.misplaced:,} records of other partitions left out" if one.misplaced else ""
    return (
        f"partition {one.partition}: {'compared' if dry_run else 'rebuilt'} up to offset {one.position:,}, "
        f"{one.answers:,} answers in {one.seconds:.1f} s ({_rate(one):,.0f}/s){misplaced}; "
        f"{len(one.differences):,} of {one.series:,} scores {'differ' if dry_run else 'differed'}."
    )


def _rate(one: Rebuilt) -> float:
    return one.answers / max(one.seconds, 0.001)


def _as_json(report: Report, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "partitions": [
            {
                "partition": one.partition,
                "position": one.position,
                "records": one.records,
                "answers": one.answers,
                "misplaced": one.misplaced,
                "seconds": round(one.seconds, 3),
                "answers_per_second": round(_rate(one)),
                "scores": one.series,
                "differences": len(one.differences),
            }
            for one in report.rebuilt
        ],
        "not_processed": report.new,
        "stopped": [{"partition": partition, "why": why} for partition, why in report.stopped.items()],
        "differences": as_rows(report.differences, "rebuilt", "live" if dry_run else "before"),
    }
