"""``livenps score``: the scores of a running program, in the terminal."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from rich.text import Text

from livenps.commands.arguments import Commands, add_key, api_key
from livenps.errors import UsageError
from scoring.scales import SCALES, Scale
from streams.errors import LivenpsError

FEW, TOO_FEW = 30, 10
ROWS = 20


class NoScores(LivenpsError):
    """The program cannot be asked."""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "score",
        help="print the scores",
        description="Print the scores of a running program, per segment. Exit code 1 where it does not answer.",
    )
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the program (default: %(default)s)")
    parser.add_argument("--survey", help="a survey's id (default: the first)")
    parser.add_argument("--window", help="1h, 24h, 7d, 30d, 90d or all (default: 24h)")
    parser.add_argument("--dimension", help="only this dimension (default: all)")
    add_key(parser)
    parser.add_argument("--json", action="store_true", help="the API's answer as it is")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    scores = fetch(args)
    if args.json:
        json.dump(scores, sys.stdout)
        sys.stdout.write("\n")
    else:
        Console(highlight=False).print(*tables(scores))
    return 0


def fetch(args: argparse.Namespace) -> dict[str, Any]:
    """Ask the program. Raises NoScores, or UsageError where it refuses the question."""
    wanted = {"survey": args.survey, "window": args.window, "dimension": args.dimension}
    key = api_key(args)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        reply = httpx.get(
            f"{args.url.rstrip('/')}/v1/scores",
            params={name: value for name, value in wanted.items() if value is not None},
            headers=headers,
            timeout=10,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoScores(f"{args.url} does not answer ({error}); is `livenps serve` running there?") from error
    if reply.status_code in (400, 401):
        raise UsageError(_said(reply))
    if reply.status_code == 503:
        raise NoScores(f"{args.url} has no scores for now: {_said(reply)}")
    if not reply.is_success:
        raise NoScores(f"{args.url} answered with HTTP {reply.status_code}")
    scores: dict[str, Any] = reply.json()
    return scores


def _said(reply: httpx.Response) -> str:
    """What the program says is wrong; a proxy in front of it says so in its own way."""
    try:
        message: str = reply.json()["errors"][0]["message"]
    except (ValueError, LookupError, TypeError):
        return f"HTTP {reply.status_code}"
    return message


def tables(scores: dict[str, Any]) -> list[Table]:
    """One table for the survey, one per dimension; few answers are dimmed, and said to be few."""
    heading = f"{scores['survey']}, {scores['window']}, as of {scores['as_of']}"
    scale = SCALES[scores["metric"]]
    found = [_table(heading, scale, {"all": scores})]
    for dimension, segments in scores["segments"].items():
        if segments:
            largest = sorted(segments.items(), key=lambda item: -item[1]["n"])
            table = _table(dimension, scale, dict(largest[:ROWS]))
            if len(largest) > ROWS:
                table.caption = f"and {len(largest) - ROWS} more: --dimension {dimension!r} --json"
            found.append(table)
    return found


def _table(title: str, scale: Scale, rows: dict[str, Any]) -> Table:
    table = Table("segment", title=title, title_justify="left", title_style="bold", caption_justify="left")
    for name in (
        scale.name.upper(),
        "95 % interval",
        *(f"{group}{scale.plural}" for group in scale.groups),
        "answers",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for value, score in rows.items():
        style = "dim" if score["n"] < FEW else ""
        cells = [_score(score, scale), _interval(score, scale), *(str(n) for n in score["groups"].values())]
        table.add_row(Text(value), *cells, str(score["n"]), style=style)
    return table


def _score(score: dict[str, Any], scale: Scale) -> str:
    if score["score"] is None:
        return "no answers"
    return scale.text(score["score"]) + (" (too few)" if score["n"] < TOO_FEW else "")


def _interval(score: dict[str, Any], scale: Scale) -> str:
    return "" if score["score"] is None else f"{scale.text(score['lower'])} to {scale.text(score['upper'])}"
