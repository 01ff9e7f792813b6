"""``livenps report``: what moved in a while, for people to read, or to be sent."""

from __future__ import annotations

import argparse
import asyncio
import sys
import uuid

import httpx

from livenps import logs
from livenps.commands.arguments import Commands, add_config
from livenps.commands.running import counted_board, print_json
from livenps.config import load
from livenps.errors import UsageError
from livenps.reports import recipients, report
from livenps.settings import Config
from scoring.digest import TIMES
from sinks.digest import Report
from sinks.webhook import WebhookSender
from streams.errors import LivenpsError


class NotSent(LivenpsError):
    """A report that did not reach everybody."""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "report",
        help="what moved in the last days, for people to read",
        description="A digest of all surveys: how each scored in a window, whether that is more than chance, good "
        "news, what is worth a look, best and lowest segments. Markdown unless another form is asked for.",
    )
    parser.add_argument(
        "--since",
        metavar="WINDOW",
        help="one of the configured windows; it is compared with the rest of a longer one "
        "(default: since in [report] of the configuration, 7d)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--md", dest="form", action="store_const", const="md", help="Markdown (the default)")
    form.add_argument("--html", dest="form", action="store_const", const="html", help="a page that loads nothing")
    form.add_argument("--json", dest="form", action="store_const", const="json", help="all numbers, unrounded")
    form.add_argument(
        "--send",
        dest="form",
        action="store_const",
        const="send",
        help="now, to those in [report] of the configuration; what is sent by itself is sent nevertheless",
    )
    add_config(parser)
    parser.set_defaults(run=run, form="md")


def run(args: argparse.Namespace) -> int:
    logs.configure("warning")
    config = load(args.config)
    since = args.since or config.report.since
    if since not in config.compared():
        known = ", ".join(config.compared()) or "none"
        raise UsageError(
            f"expected one of the windows that have one of {TIMES} times their length beside them ({known}), "
            f"found {since!r}"
        )
    if args.form == "send" and not (config.report.mail or config.report.webhook_url):
        raise UsageError("nobody to send it to: name mail or webhook_url in [report] of the configuration")
    asyncio.run(_run(config, since, args.form))
    return 0


async def _run(config: Config, since: str, form: str) -> None:
    found = report(config, await counted_board(config), since)
    if form == "send":
        await _send(config, found)
    elif form == "json":
        print_json(found.facts())
    else:
        sys.stdout.write(found.html() if form == "html" else found.markdown())
        sys.stdout.write("\n")


async def _send(config: Config, found: Report) -> None:
    """To everybody, whoever refuses it. Raises NotSent where somebody does."""
    failed = 0
    async with httpx.AsyncClient() as http:
        for one in recipients(config, WebhookSender(http, config.http.webhook_secret)):
            try:
                await one.send(found, f"report-{uuid.uuid4().hex}")
            except LivenpsError as error:
                failed += 1
                print(f"{one.place}: {error}", file=sys.stderr)
            else:
                print(f"{one.place}: sent")
    if failed:
        raise NotSent(f"{failed} could not be sent")
