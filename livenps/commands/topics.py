"""``livenps topics``: create the topics, or tell what differs from the cluster's."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from livenps.commands.arguments import Commands, add_config
from livenps.commands.running import asking_kafka, print_json
from livenps.config import load
from livenps.settings import Config
from streams import topics


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "topics",
        help="create or check the Kafka topics",
        description="Create missing topics, or check what differs from the configuration (exit code 1). "
        "Both need a real Kafka: the embedded one has no admin API.",
    )
    parser.add_argument("action", choices=["create", "check"])
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = load(args.config)
    act = _create if args.action == "create" else _check
    return asking_kafka(config, act(config, as_json=args.json))


async def _create(config: Config, *, as_json: bool) -> int:
    created = await topics.create(config.kafka.bootstrap, config.topics().values())
    if as_json:
        print_json({"created": created})
        return 0
    table = Table("topic", "key", "partitions", "kept", "")
    for topic in config.topics().values():
        kept = "the newest of each key" if topic.retention is None else f"{topic.retention // 86_400_000} d"
        state = "created" if topic.name in created else "was there"
        table.add_row(topic.name, topic.key, str(topic.partitions), kept, state)
    Console().print(table)
    return 0


async def _check(config: Config, *, as_json: bool) -> int:
    differences = await topics.check(config.kafka.bootstrap, config.topics().values())
    if as_json:
        print_json({"differences": [asdict(one) for one in differences]})
    elif differences:
        table = Table("topic", "what", "expected", "found")
        for one in differences:
            table.add_row(one.topic, one.what, one.wanted, one.found)
        Console().print(table)
    else:
        print("All topics are as configured.")
    return 1 if differences else 0
