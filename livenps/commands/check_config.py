"""``livenps check-config``: tell what is wrong with a configuration before it is used."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from livenps.commands.arguments import Commands
from livenps.config import DEFAULT, load
from livenps.words import long_messages, warnings
from surveys.survey import Survey
from web.links import Links

LONG_ID = "0" * 30  # as long as the ids of requests


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "check-config",
        help="check a configuration",
        description="Check a configuration and the LIVENPS_ variables; exit code 2 where something is wrong.",
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the same, as other commands write it")
    parser.add_argument("--json", action="store_true", help="what was understood, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    path: Path | None = args.file or args.config
    config = load(path)
    surveys = {survey.id: {"trigger": survey.trigger, "channels": survey.channels} for survey in config.surveys}
    windows = [window.name for window in config.rolling_windows()]
    dimensions = config.scored_dimensions().names
    link = Links("", config.http.public_url or "https://feedback.example.com", 0).link(LONG_ID)
    warned = warnings(config.surveys) + long_messages(config.surveys, config.http.brand, link)
    if args.json:
        understood = {"surveys": surveys, "windows": windows, "dimensions": dimensions, "warnings": warned}
        json.dump(understood, sys.stdout)
        sys.stdout.write("\n")
        return 0
    print(f"{path or DEFAULT} is fine.")
    for warning in warned:
        print(f"  warning: {warning}")
    for one in config.surveys:
        print(f"  survey {one.id}: {_when(one)}, by {' or '.join(one.channels)}")
    print(f"  windows: {', '.join([*windows, 'all'])}")
    print(f"  dimensions: {', '.join(dimensions) or 'none'}")
    return 0


def _when(survey: Survey) -> str:
    """What has it asked."""
    return f"every {survey.every} from {survey.starts} on" if survey.every else survey.trigger or "no trigger"
