"""``livenps schema``: the JSON Schema of the events."""

from __future__ import annotations

import argparse
import json
import sys

from livenps.commands.arguments import Commands
from streams.events import EVENTS, schema, tag


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    names = [tag(kind) for kind in EVENTS]
    parser = commands.add_parser(
        "schema",
        help="print the JSON Schema of an event type",
        description="Print the JSON Schema (2020-12) of one event type, or of all as one object by type.",
    )
    parser.add_argument("type", nargs="?", choices=names, metavar="TYPE", help=f"one of {', '.join(names)}")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    schemas = {tag(kind): schema(kind) for kind in EVENTS}
    json.dump(schemas[args.type] if args.type else schemas, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0
