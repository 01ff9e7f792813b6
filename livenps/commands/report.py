"""``livenps report``: what moved in a while, for people to read."""

from __future__ import annotations

import argparse
import asyncio
import sys

from livenps.commands.arguments import Commands, add_config
from livenps.commands.running import counted_board, print_json
from livenps.config import Config, load
from livenps.errors import UsageError
from scoring.digest import TIMES, digest, reference
from scoring.windows import Window
from sinks.digest import Report


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "report",
        help="what moved in the last days, for people to read",
        description="A digest of all surveys: how each scored in a window, whether that is more than chance, good "
        "news, what is worth a look, best and lowest segments. Markdown unless another form is asked for.",
    )
    parser.add_argument(
        "--since",
        default="7d",
        metavar="WINDOW",
        help="one of the configured windows; it is compared with the rest of a longer one (default: %(default)s)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--md", dest="form", action="store_const", const="md", help="Markdown (the default)")
    form.add_argument("--html", dest="form", action="store_const", const="html", help="a page that loads nothing")
    form.add_argument("--json", dest="form", action="store_const", const="json", help="all numbers, unrounded")
    add_config(parser)
    parser.set_defaults(run=run, form="md")


def run(args: argparse.Namespace) -> int:
    config = load(args.config)
    recent, longer = _windows(config, args.since)
    report = asyncio.run(_report(config, recent, longer))
    if args.form == "json":
        print_json(report.facts())
    else:
        sys.stdout.write(report.html() if args.form == "html" else report.markdown())
        sys.stdout.write("\n")
    return 0


def _windows(config: Config, since: str) -> tuple[Window, Window]:
    """The window, and what it is compared with. Raises UsageError where there is none."""
    windows = config.rolling_windows()
    pairs = {one.name: reference(windows, one) for one in windows}
    longer = pairs.get(since)
    if longer is None:
        known = ", ".join(name for name, one in pairs.items() if one) or "none"
        raise UsageError(
            f"expected one of the windows that have one of {TIMES} times their length beside them ({known}), "
            f"found {since!r}"
        )
    return next(one for one in windows if one.name == since), longer


async def _report(config: Config, recent: Window, longer: Window) -> Report:
    board = await counted_board(config)
    found = digest(board, config.scales(), config.scored_dimensions(), recent, longer)
    surveys = {survey.id: survey for survey in config.surveys}
    return Report(
        brand=config.http.brand,
        at=board.as_of,
        recent=recent.name,
        longer=longer.name,
        surveys=[(surveys[one.survey], one) for one in found],
    )
