"""``livenps import``: answers that somebody else collected, from a CSV or JSON Lines file."""

from __future__ import annotations

import argparse
import asyncio
import codecs
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from livenps.commands.arguments import add_key, api_key
from livenps.errors import UsageError
from sources.collector import Collector
from sources.csv_table import CsvTable
from sources.dates import Dates
from sources.errors import BadSource, SendFailed
from sources.ids import RowIds
from sources.importing import SHOWN, Tally, latest_time, send_all
from sources.json_table import JsonTable
from sources.kafka import KafkaTopic
from sources.mapping import FIELDS, Mapper, choose
from sources.rows import Table
from sources.target import Nowhere, Target
from streams.events import Id
from streams.times import FUTURE, SECOND
from streams.topics import RESPONSES

ENDINGS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_ADDRESS = re.compile(r"(\[[0-9a-f:.]+\]|[\w.-]+)(:\d{1,5})?(?=[/,]|$)", re.IGNORECASE)
AGAIN = "After that run the same command again: rows that were accepted already count once."


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``import`` to the command line."""
    parser = commands.add_parser(
        "import",
        help="import answers from a CSV or JSON Lines file",
        description="Import answers from a CSV or JSON Lines file. Importing a file twice counts its rows once.",
    )
    parser.add_argument("file", metavar="FILE", help="the file, or - for the standard input")
    parser.add_argument(
        "--to", metavar="URL", help="http://HOST:PORT of a collector, or kafka://HOST:PORT[,HOST:PORT]"
    )
    parser.add_argument("--survey", metavar="ID", required=True, help="the survey that the answers belong to")
    parser.add_argument(
        "--column",
        metavar="FIELD=NAME",
        action="append",
        default=[],
        help=f"the column of a field ({', '.join(FIELDS)}) or of an attribute; in JSON Lines NAME may be dotted",
    )
    parser.add_argument(
        "--date-format", metavar="FORMAT", help="such as %%d/%%m/%%y (default: RFC 3339 or Unix seconds)"
    )
    parser.add_argument(
        "--timezone", metavar="ZONE", default="UTC", help="of times without one (default: %(default)s)"
    )
    parser.add_argument("--shift-to-now", action="store_true", help="move all times so that the newest is now")
    parser.add_argument("--format", choices=["csv", "jsonl"], help="default: by the file's ending")
    parser.add_argument(
        "--delimiter", metavar="CHAR", help="of CSV fields (default: comma, semicolon or tab, as found)"
    )
    parser.add_argument("--encoding", metavar="NAME", default="utf-8-sig", help="default: UTF-8")
    add_key(parser)
    parser.add_argument("--topic", metavar="NAME", default=RESPONSES, help="over Kafka (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="read and check everything, send nothing")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument(
        "--quiet", action="store_true", help="no progress bar, and a summary only of what went wrong"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0 when all rows were accepted, 1 when some were not."""
    try:
        summary = asyncio.run(_import(args))
    except BadSource as error:
        raise UsageError(f"{args.file}: {error}") from error
    except OSError as error:
        raise UsageError(f"{args.file}: {error.strerror or error}") from error
    summary.show(as_json=args.json, quiet=args.quiet)
    return 0 if summary.complete else 1


@dataclass
class Summary(Tally):
    """What the import did, for people and for programs."""

    ignored_columns: Sequence[str] = ()
    shifted_seconds: float = 0
    seconds: float = 0
    rows_per_second: int = 0
    dry_run: bool = False
    error: str | None = field(default=None)

    @property
    def complete(self) -> bool:
        return not self.refused and self.error is None

    def show(self, *, as_json: bool, quiet: bool) -> None:
        if self.error:
            print(f"{self.error}\n{AGAIN}", file=sys.stderr)
        if as_json:
            refusals = [refusal._asdict() for refusal in self.refusals]
            print(json.dumps(asdict(self) | {"refusals": refusals}))
        elif not (quiet and self.complete):
            print("\n".join(self._lines()))

    def _lines(self) -> Iterator[str]:
        checked = "Dry run, nothing sent: " if self.dry_run else ""
        speed = f"{self.seconds:,.1f} s, {self.rows_per_second:,} rows/s"
        yield f"{checked}{self.accepted:,} rows accepted, {self.refused:,} refused ({speed})"
        yield from (f"  line {refusal.line}: {refusal.reason}" for refusal in self.refusals)
        if self.refused > len(self.refusals):
            yield f"  and {self.refused - len(self.refusals):,} more"
        if self.ignored_columns:
            shown = ", ".join(map(repr, self.ignored_columns[:SHOWN]))
            more = len(self.ignored_columns) - SHOWN
            yield f"Columns not used: {shown}{f' and {more:,} more' if more > 0 else ''}"


async def _import(args: argparse.Namespace) -> Summary:
    started = time.monotonic()
    now = time.time_ns() // 1_000_000
    target, open_table = _target(args), _opener(args)
    survey, chosen, dates = _survey(args), _chosen(args.column), _dates(args)
    summary = Summary(dry_run=args.dry_run)
    with _file(args.file) as path, _bar(path, hidden=args.quiet) as show:
        table = open_table(path)
        columns = choose(chosen, table.columns)
        mapper = Mapper(survey, columns, dates)
        shift = _shift(table, mapper, now) if args.shift_to_now else 0
        mapper = replace(mapper, shift=shift, latest=now + FUTURE)
        summary.ignored_columns, summary.shifted_seconds = columns.ignored, shift / SECOND
        try:
            with RowIds(survey) as ids:
                async with target:
                    await send_all(table, mapper, ids, target, summary, lambda: show(table.position))
        except SendFailed as error:
            summary.error = str(error)
    summary.seconds = round(time.monotonic() - started, 3)
    summary.rows_per_second = round((summary.accepted + summary.refused) / max(summary.seconds, 0.001))
    return summary


def _shift(table: Table, mapper: Mapper, now: int) -> int:
    if "answered_at" not in mapper.columns.fields:
        raise UsageError("--shift-to-now needs times: say --column answered_at=NAME")
    latest = latest_time(table, mapper)
    return 0 if latest is None else now - latest


@contextmanager
def _bar(path: Path, *, hidden: bool) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal's standard error. It pulses until it is told how far the file has been sent."""
    look = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*look, console=console, transient=True, disable=hidden or not sys.stderr.isatty()) as progress:
        task = progress.add_task("Reading", total=None)
        size = path.stat().st_size
        yield lambda position: progress.update(task, description="Importing", total=size, completed=position)


@contextmanager
def _file(name: str) -> Iterator[Path]:
    """A file that can be read more than once: what is none, such as a pipe, is copied first."""
    path = Path(name)
    if name != "-" and path.is_file():
        yield path
        return
    with TemporaryDirectory(prefix="livenps-import-") as directory:
        copy = Path(directory) / "copy"
        with (
            nullcontext(sys.stdin.buffer) if name == "-" else path.open("rb") as source,
            copy.open("wb") as target,
        ):
            shutil.copyfileobj(source, target)
        yield copy


def _opener(args: argparse.Namespace) -> Callable[[Path], Table]:
    kind = args.format or ENDINGS.get(Path(args.file).suffix.lower())
    if kind is None:
        raise UsageError(f"{args.file}: CSV or JSON Lines? Say --format csv or --format jsonl")
    try:
        codecs.lookup(args.encoding)
    except LookupError as error:
        raise UsageError(f"unknown encoding {args.encoding!r}: expected a name such as utf-8 or cp1252") from error
    if kind == "jsonl":
        return partial(JsonTable, encoding=args.encoding)
    return partial(CsvTable, encoding=args.encoding, delimiter=_delimiter(args))


def _delimiter(args: argparse.Namespace) -> str:
    delimiter: str = {"tab": "\t", "\\t": "\t"}.get(args.delimiter, args.delimiter or "")
    if len(delimiter) > 1 or delimiter.isalnum() or delimiter in ('"', "\r", "\n"):
        raise UsageError(f"wrong delimiter {delimiter!r}: expected one character such as ; or the word tab")
    return delimiter


def _chosen(options: Sequence[str]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for option in options:
        name, _, column = (part.strip() for part in option.partition("="))
        if not name or not column:
            raise UsageError(f"wrong --column {option!r}: expected FIELD=NAME, such as score=NPS")
        if name in chosen:
            raise UsageError(f"wrong --column {option!r}: {name} is already {chosen[name]!r}")
        chosen[name] = column
    return chosen


def _survey(args: argparse.Namespace) -> str:
    try:
        return msgspec.convert(args.survey, Id)
    except msgspec.ValidationError as error:
        raise UsageError(f"wrong --survey: {error}") from error


def _dates(args: argparse.Namespace) -> Dates:
    try:
        return Dates.of(args.timezone, args.date_format)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _target(args: argparse.Namespace) -> Target:
    if args.dry_run:
        return Nowhere()
    if args.to is None:
        raise UsageError("where to? Say --to http://HOST:PORT or --to kafka://HOST:PORT, or only check: --dry-run")
    scheme, _, address = args.to.partition("://")
    if scheme == "kafka" and all(_ADDRESS.fullmatch(host) for host in address.split(",")):
        return KafkaTopic(address, args.topic)
    if scheme in ("http", "https") and _ADDRESS.match(address):
        return Collector(args.to, api_key(args))
    raise UsageError("wrong --to: expected http://HOST:PORT or kafka://HOST:PORT[,HOST:PORT], without a password")
