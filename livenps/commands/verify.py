"""``livenps verify``: recount the log and compare every series and window with Redis."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress, TaskID

from livenps.commands.arguments import Commands, add_config
from livenps.commands.compared import ROWS, as_rows, as_table
from livenps.commands.running import asking_kafka, print_json
from livenps.config import load
from livenps.program import now
from livenps.settings import Config
from scoring.recount import Difference, Recount, Version, differences
from sinks.redis import client
from sinks.redis.board import BoardReader
from streams.answers import CountAnswers
from streams.answers_log import AnswersLog
from streams.log_reader import LogReader
from streams.topics import RESPONSES


@dataclass(slots=True)
class Report:
    """What was compared, and what differs, by partition."""

    answers: int = 0
    records: int = 0
    unread: list[int] = field(default_factory=list)  # partitions without a position
    found: list[tuple[int, Difference]] = field(default_factory=list)


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "verify",
        help="recount the log and compare it with Redis",
        description="Recount the answers in Kafka up to where each partition stands in Redis, and compare every "
        "series in every window. Exit code 1 where anything differs. Needs a real Kafka; nothing is written.",
    )
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = load(args.config)
    report = asking_kafka(config, _verify(config, quiet=args.json))
    if args.json:
        print_json(_as_json(report))
    else:
        _print(report, config)
    return 1 if report.found else 0


async def _verify(config: Config, *, quiet: bool) -> Report:
    topic = config.topics()[RESPONSES]
    redis = client.connect(config.redis.url)
    board = BoardReader(redis, config.redis.prefix, config.rolling_windows(), topic.partitions, now)
    report = Report()
    try:
        async with LogReader(config.kafka.bootstrap) as reader:
            for partition in range(topic.partitions):
                stored = await board.partition(partition)
                if stored.offset is None:
                    report.unread.append(partition)
                    continue
                recount = await _recount(config, reader, partition, stored.offset, report, quiet=quiet)
                counted = recount.windows(config.rolling_windows(), stored.as_of, stored.begins)
                report.found += [(partition, one) for one in differences(counted, stored.windows)]
    finally:
        await redis.aclose()
    return report


async def _recount(
    config: Config, reader: LogReader, partition: int, end: int, report: Report, *, quiet: bool
) -> Recount:
    """Count ``[log start, end)`` of a partition by the same rule as the lane, and nothing of its state."""
    rule = CountAnswers(config.scales(), config.scored_dimensions())
    topic = config.topics()[RESPONSES]
    recount = Recount()
    first, _ = await reader.bounds(topic.name, partition)
    with _progress(f"partition {partition}", end - first, quiet=quiet) as (progress, task):
        async for batch, plan in AnswersLog(reader, topic, rule, now).plans(partition, first, end):
            for answer in plan.answers:
                version = Version(answer.version, answer.minute, answer.score, tuple(plan.feeds[answer.feed]))
                recount.add(answer.response_id, version, timed=answer.timed)
            report.records += len(batch.records)
            progress.update(task, completed=batch.end - first)
    report.answers += len(recount)
    return recount


@contextmanager
def _progress(name: str, total: int, *, quiet: bool) -> Iterator[tuple[Progress, TaskID]]:
    with Progress(
        console=Console(stderr=True), transient=True, disable=quiet or not sys.stderr.isatty()
    ) as progress:
        yield progress, progress.add_task(name, total=total)


def _print(report: Report, config: Config) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if report.unread:
        console.print(f"Not processed yet: partitions {', '.join(map(str, report.unread))}.")
    if not report.found:
        console.print(f"{report.answers:,} answers ({report.records:,} records): Redis and the log agree.")
        return
    Console().print(as_table(report.found, config.scales(), "counted", "stored"))
    more = f" The first {ROWS} are shown." if len(report.found) > ROWS else ""
    console.print(f"{len(report.found):,} differences over {report.answers:,} answers.{more}")


def _as_json(report: Report) -> dict[str, object]:
    return {
        "answers": report.answers,
        "records": report.records,
        "not_processed": report.unread,
        "differences": as_rows(report.found, "counted", "stored"),
    }
