"""``livenps replay``: what a changed configuration would have asked, against today's; nothing is written."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from livenps.commands.arguments import Commands, age
from livenps.commands.running import asking_kafka, print_json
from livenps.config import load
from livenps.errors import UsageError
from livenps.program import now
from livenps.remembering import READ, remembered
from livenps.replaying import Rehearsal, Tally
from livenps.settings import Config
from scoring.segments import Series
from streams import topics
from streams.customers import DecideSurveys
from streams.dead_letters import escaped
from streams.decoder import Decoder
from streams.log_reader import LogReader
from streams.times import DAY
from streams.topics import TOUCHPOINTS
from surveys.reasons import NO_TRIGGER, OTHER_EVENT

K = TypeVar("K", bound=tuple[str, str, str])

SHOWN = 20  # segments of a survey


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "replay",
        help="what a changed configuration would have asked",
        description="Run the rules of a changed configuration, and today's, over the touchpoints of the log, and "
        "compare how many would have been asked. Needs a real Kafka; nothing is written.",
    )
    parser.add_argument("--config", required=True, type=Path, metavar="NEW", help="the changed configuration")
    parser.add_argument("--against", type=Path, metavar="FILE", help="today's (default: the built-in one)")
    parser.add_argument("--since", type=age, default=30 * DAY, metavar="AGE", help="how far back (default: 30d)")
    parser.add_argument("--json", action="store_true", help="the comparison as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    new, today = load(args.config), load(args.against)
    if new.kafka.partitions != today.kafka.partitions:  # among them caps and samples are divided
        expected = f"expected {today.kafka.partitions}, as --against has, found {new.kafka.partitions}"
        raise UsageError(f"{args.config}: kafka.partitions: {expected}")
    found = asking_kafka(today, _replay(today, new, now() - args.since, quiet=args.json))
    compared = _compared(*found)
    if args.json:
        print_json(compared)
    else:
        _print(compared)
    return 0


async def _replay(today: Config, new: Config, since: int, *, quiet: bool) -> tuple[Tally, Tally]:
    """Both over the log of today's configuration: from its start on, and from what is known of the time before."""
    names = today.topics()
    topic = names[TOUCHPOINTS]
    topics.refuse_fatal(await topics.check(today.kafka.bootstrap, [names[role] for role in READ]))
    decoder = Decoder(DecideSurveys, topic)
    tallies = Tally(), Tally()
    hidden = quiet or not sys.stderr.isatty()
    async with LogReader(today.kafka.bootstrap) as reader:
        with Progress(console=Console(stderr=True), transient=True, disable=hidden) as progress:
            for partition in range(topic.partitions):
                first, end = await reader.bounds(topic.name, partition)
                states = await remembered(reader, names, partition, decoder)
                task = progress.add_task(f"partition {partition}", total=end - first)
                both = [
                    Rehearsal(config, since, tally, partition, states)
                    for config, tally in zip((today, new), tallies, strict=True)
                ]
                async for records in reader.read(topic.name, partition, first, end):
                    batch = decoder.batch(partition, topic.partitions, records[0].offset, records, now())
                    for rehearsal in both:
                        rehearsal.take(batch.items)
                    progress.update(task, completed=batch.end - first)
                for rehearsal in both:
                    rehearsal.until(now())
    return tallies


def _compared(today: Tally, new: Tally) -> dict[str, Any]:
    """By survey; reasons without those that say that a survey waits for another event."""
    reasons = sorted(one for one in {*today.verdicts, *new.verdicts} if one[2] not in (OTHER_EVENT, NO_TRIGGER))
    series = sorted({*today.asked, *new.asked})
    return {
        "surveys": {
            survey: {
                "asked": _both(today.asked, new.asked, Series(survey)),
                "reasons": [
                    {"decision": one[1], "reason": one[2], **_both(today.verdicts, new.verdicts, one)}
                    for one in reasons
                    if one[0] == survey
                ],
                "segments": [
                    {"dimension": one.dimension, "segment": one.value, **_both(today.asked, new.asked, one)}
                    for one in series
                    if one.survey == survey and one.dimension
                ],
            }
            for survey in sorted({one[0] for one in reasons})
        }
    }


def _both(today: Counter[K], new: Counter[K], key: K) -> dict[str, int]:
    return {"today": today[key], "new": new[key]}


def _print(compared: dict[str, Any]) -> None:
    console = Console(highlight=False)
    if not compared["surveys"]:
        console.print("Nothing happened in this time that a survey decides on.")
    for survey, found in compared["surveys"].items():
        table = Table(title=Text(escaped(survey), style="bold"), title_justify="left")
        table.add_column("", overflow="fold")
        for name in ("today", "new", "difference"):
            table.add_column(name, justify="right", no_wrap=True)
        _row(table, "asked", found["asked"], style="bold")
        for one in found["reasons"]:
            _row(table, f"{one['decision'].replace('_', ' ')}: {one['reason']}", one)
        largest = sorted(found["segments"], key=lambda one: -max(one["today"], one["new"]))[:SHOWN]
        for one in sorted(largest, key=lambda one: one["dimension"]):
            _row(table, f"asked, {one['dimension']} = {one['segment']}", one)
        if len(found["segments"]) > SHOWN:
            table.caption = f"and {len(found['segments']) - SHOWN:,} more segments: --json"
        console.print(table)


def _row(table: Table, name: str, counts: dict[str, int], style: str = "") -> None:
    today, new = counts["today"], counts["new"]
    table.add_row(Text(escaped(name)), f"{today:,}", f"{new:,}", f"{new - today:+,}", style=style)
