"""``livenps explain``: what was decided on a customer lately, and which rule said so."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.text import Text

from livenps.commands.arguments import Commands, add_config, age
from livenps.commands.running import asking_kafka, print_json
from livenps.config import load
from livenps.program import now
from livenps.settings import Config
from sources.rows import decodable
from streams import topics
from streams.dead_letters import escaped
from streams.decision_log import DecisionLog, Found
from streams.times import DAY
from streams.topics import DECISIONS
from surveys.reasons import NO_TRIGGER, OTHER_EVENT

MOST = 1_000


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "explain",
        help="what was decided on a customer, and why",
        description="The newest decisions on a customer, with the rule that made each. The customer's partition "
        "of the log is read from --since on. Needs a real Kafka; nothing is written.",
    )
    add_config(parser)
    parser.add_argument("--customer", required=True, type=_customer, metavar="ID", help="the customer_id")
    parser.add_argument("--last", type=_number, default=10, metavar="N", help="decisions to show (default: 10)")
    parser.add_argument(
        "--since", type=age, default=7 * DAY, metavar="AGE", help="how far back, such as 30d (default: 7d)"
    )
    parser.add_argument("--json", action="store_true", help="the decisions as JSON, with every verdict")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = load(args.config)
    found = asking_kafka(config, _look(config, args.customer, args.last, args.since))
    if args.json:
        print_json(found.told())
    else:
        _print(found.told())
    return 0


async def _look(config: Config, customer: str, last: int, since: int) -> Found:
    topic = config.topics()[DECISIONS]
    topics.refuse_fatal(await topics.check(config.kafka.bootstrap, [topic]))
    return await DecisionLog(config.kafka.bootstrap, topic).last(customer, last, now() - since)


def _print(found: dict[str, Any]) -> None:
    """The oldest first, as a log reads; surveys that wait for other events are left out."""
    console = Console(highlight=False, soft_wrap=True)
    for decision in reversed(found["decisions"]):
        what = f"settles {decision['settles']}" if decision["settles"] else f"event {decision['event_id']}"
        heading = f"{decision['decided_at']}  {decision['event']}  ({what})"
        console.print(Text(escaped(heading), style="bold"))
        rows = [one for one in decision["verdicts"] if one["reason"] not in (OTHER_EVENT, NO_TRIGGER)]
        for line in map(_line, rows):
            console.print(Text(f"  {escaped(line)}"))
        if not rows:
            console.print(Text("  no survey waits for this event", style="dim"))
    if not found["decisions"]:
        console.print(
            Text(escaped(f"No decision on {found['customer_id']} in this time; --since looks further back."))
        )


def _line(verdict: dict[str, Any]) -> str:
    until = f" until {verdict['due_at']}" if verdict["due_at"] else ""
    decision = verdict["decision"].replace("_", " ")
    by = f" by {', else '.join(verdict['channels'])}" if verdict["channels"] else ""
    reminder = f"; a reminder is due {verdict['remind_at']}" if verdict["remind_at"] else ""
    weight = f"; stands for {verdict['weight']:.3g} customers" if verdict["weight"] > 1 else ""
    said = f"{verdict['survey_id']}: {decision}{by}{until}: {verdict['words']} [{verdict['reason']}]"
    return f"{said}{reminder}{weight}"


def _customer(text: str) -> str:
    if not (1 <= len(text) <= 200 and decodable(text)):
        raise argparse.ArgumentTypeError("expected 1 to 200 characters of UTF-8")
    return text


def _number(text: str) -> int:
    if not (text.isdecimal() and len(text) < 10 and 1 <= int(text) <= MOST):
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {MOST:,}")
    return int(text)
