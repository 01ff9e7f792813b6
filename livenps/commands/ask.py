"""``livenps ask``: ask the customers of a file a survey, on somebody's word."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from livenps.asking import CUSTOMER, Contacts, weighed
from livenps.commands.arguments import Commands, add_config
from livenps.commands.running import asking_kafka, print_json
from livenps.config import load
from livenps.errors import UsageError
from livenps.program import now
from livenps.settings import Config
from sources.csv_table import CsvTable
from sources.errors import BadSource
from sources.rows import decodable
from streams import topics
from streams.dead_letters import escaped
from streams.publisher import Publisher
from streams.times import from_ms
from streams.topics import TOUCHPOINTS
from surveys.profile import FIELDS
from surveys.reasons import WORDS

CHUNK = 500
SHOWN = 10

Weighed = Counter[tuple[str, str]]


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "ask",
        help="ask the customers of a file",
        description="Ask the customers of a CSV file a survey; every limit holds. "
        f"The column {CUSTOMER} says who; {', '.join(FIELDS)} and other columns, which become attributes, "
        "are taken as news of the contact. The same file under the same name asks nobody twice. "
        "Exit code 1 where some rows could not be read.",
    )
    add_config(parser)
    parser.add_argument("--survey", required=True, metavar="ID", help="the survey to ask")
    parser.add_argument("--contacts", required=True, type=Path, metavar="FILE", help="a CSV file with a header")
    parser.add_argument("--name", metavar="NAME", help="tells this occasion from others (default: today's date)")
    parser.add_argument("--dry-run", action="store_true", help="tell what the rules would say now, write nothing")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = load(args.config)
    contacts = _contacts(args, config)
    try:
        if args.dry_run:
            found = asking_kafka(config, weighed(config, config.rules(), contacts, CHUNK))
        else:
            found = asking_kafka(config, _publish(config, contacts, quiet=args.json))
    except BadSource as error:
        raise UsageError(f"{args.contacts}: {error}") from error
    if args.json:
        print_json(_as_json(contacts, found, dry_run=args.dry_run))
    else:
        _print(contacts, found, dry_run=args.dry_run)
    return 1 if contacts.refusals else 0


def _contacts(args: argparse.Namespace, config: Config) -> Contacts:
    survey = config.survey(args.survey)
    if survey is None:
        known = ", ".join(survey.id for survey in config.surveys) or "none"
        raise UsageError(f"--survey: expected one of {known}, found {args.survey!r}")
    if survey.channels == ["link"]:
        raise UsageError(
            f"--survey: expected one with a channel, {survey.id} stands behind a plain link for everybody"
        )
    at = now()
    name = from_ms(at).date().isoformat() if args.name is None else args.name
    if not (1 <= len(name) <= 100 and decodable(name)):
        raise UsageError("--name: expected 1 to 100 characters of UTF-8")
    try:
        table = CsvTable(args.contacts)
    except BadSource as error:
        raise UsageError(f"{args.contacts}: {error}") from error
    except OSError as error:
        raise UsageError(f"{args.contacts}: {error.strerror or error}") from error
    if CUSTOMER not in table.columns:
        raise UsageError(f"{args.contacts}: expected a column {CUSTOMER}, found {', '.join(table.columns)}")
    if twice := next((one for one in table.columns if one and table.columns.count(one) > 1), None):
        raise UsageError(f"{args.contacts}: expected each column once, found {twice} twice")
    return Contacts(table, args.survey, name, at)


async def _publish(config: Config, contacts: Contacts, *, quiet: bool) -> Weighed:
    topic = config.topics()[TOUCHPOINTS]
    topics.refuse_fatal(await topics.check(config.kafka.bootstrap, [topic]))
    size = contacts.table.path.stat().st_size
    hidden = quiet or not sys.stderr.isatty()
    publisher = Publisher(config.kafka.bootstrap, config.topics())
    async with publisher:
        with Progress(console=Console(stderr=True), transient=True, disable=hidden) as progress:
            task = progress.add_task("asking", total=size)
            for chunk in contacts.chunks(CHUNK):
                await publisher.publish([message for one in chunk for message in one.messages()])
                progress.update(task, completed=contacts.table.position)
    return Counter()


def _as_json(contacts: Contacts, found: Weighed, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "survey": contacts.survey_id,
        "name": contacts.name,
        "customers": contacts.asked,
        "repeated": contacts.repeated,
        "refused": [refusal._asdict() for refusal in contacts.refusals],
        "verdicts": [
            {"decision": decision, "reason": reason, "customers": n}
            for (decision, reason), n in found.most_common()
        ],
    }


def _print(contacts: Contacts, found: Weighed, *, dry_run: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if dry_run:
        console.print(f"Dry run, nothing written: {contacts.asked:,} customers.")
        for (decision, reason), n in found.most_common():
            console.print(Text(f"  {n:,} {decision.replace('_', ' ')}: {WORDS[reason]} [{reason}]"))
    else:
        name = escaped(contacts.name)
        console.print(Text(f"{contacts.asked:,} customers are to be asked {contacts.survey_id}, as {name!r}."))
        console.print("Each is decided on like any event; `livenps explain --customer ID` tells how.")
    if contacts.repeated:
        console.print(f"{contacts.repeated:,} rows name a customer again, and were left out.")
    for line, reason in contacts.refusals[:SHOWN]:
        console.print(Text(escaped(f"  line {line}: {reason}")))
    if len(contacts.refusals) > SHOWN:
        console.print(f"  and {len(contacts.refusals) - SHOWN:,} more lines that could not be read.")
