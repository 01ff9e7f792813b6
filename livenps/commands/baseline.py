"""``livenps baseline``: what watched series are held against, and setting it on purpose."""

from __future__ import annotations

import argparse
import asyncio
import getpass
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from livenps.baselines import baseline, counted, publish
from livenps.commands.arguments import Commands, add_config
from livenps.commands.running import asking_kafka, counted_board, print_json
from livenps.config import load
from livenps.errors import UsageError
from livenps.program import now
from livenps.settings import Config
from scoring.intervals import interval
from scoring.segments import Series
from sinks.redis import client
from sinks.redis.watch import WatchReader
from streams.errors import LivenpsError
from streams.events import Baseline
from streams.times import rfc3339, to_ms
from streams.watch import NEW, WatchedSeries, reading

FEWEST = 100  # answers that a baseline may be made of
APPLIED_S = 30.0
LOOK_S = 0.2


class NotApplied(LivenpsError):
    """A baseline that nobody has taken up yet."""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "baseline",
        help="show and set what watched series are held against",
        description="The baselines of watched series: the scores that a drop or a rise is measured from. One "
        "stands still until it is set again on purpose, so that a slow decline is seen too.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_show(actions)
    _add_set(actions)
    _add_reset(actions)


def _add_show(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("show", help="baselines and evidence", description="All watched series.")
    _add_common(parser, _show)


def _add_set(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "set",
        help="hold a series against its answers of a window",
        description="Take the answers of a window as the baseline from now on. What was gathered as evidence is "
        f"dropped. Fewer than {FEWEST} answers are refused: alarms would follow their chance.",
    )
    _add_series(parser)
    parser.add_argument("--window", default="30d", help="of the configured windows (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help=f"also from fewer than {FEWEST} answers")
    _add_common(parser, _set)


def _add_reset(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "reset",
        help="forget a baseline and learn it anew",
        description="Forget a series' baseline, and learn one from the next answers. Meanwhile it is not watched.",
    )
    _add_series(parser)
    _add_common(parser, _reset)


def _add_series(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--survey", required=True, help="a survey's id")
    parser.add_argument("--dimension", default="", help="with --segment: a segment of it")
    parser.add_argument("--segment", default="")
    parser.add_argument(
        "--reason", required=True, help='why, for who comes later: "prices rose, this is the new normal"'
    )


def _add_common(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.set_defaults(run=run)


@asynccontextmanager
async def _watched(config: Config) -> AsyncIterator[WatchReader]:
    redis = client.connect(config.redis.url)
    try:
        yield WatchReader(redis, config.redis.prefix, range(config.kafka.partitions))
    finally:
        await redis.aclose()


# show


def _show(args: argparse.Namespace) -> int:
    config = load(args.config)
    known = asyncio.run(_known(config))
    if args.json:
        print_json([_as_json(config, series, known.get(series, NEW)) for series in config.watching().series])
    else:
        _print(config, known)
    return 0


async def _known(config: Config) -> dict[Series, WatchedSeries]:
    async with _watched(config) as reader:
        return await reader.series()


def _print(config: Config, known: dict[Series, WatchedSeries]) -> None:
    table = Table("series", title="Watched series", title_justify="left", title_style="bold")
    for name in ("baseline", "95 % interval", "answers", "a day", "drop", "rise"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("set")
    for series in config.watching().series:
        table.add_row(Text(_name(series)), *_cells(config, series, known.get(series, NEW)))
    table.caption = "drop, rise: evidence since the baseline was set, in per cent of what is an alarm"
    table.caption_justify = "left"
    Console(highlight=False).print(table)


def _cells(config: Config, series: Series, known: WatchedSeries) -> list[str | Text]:
    found = reading(config.watching(), known)
    if known.baseline is None or found is None:
        return [*[""] * 6, f"learning: {sum(known.learned):,} of {config.watch.learn:,} answers"]
    scale = config.scales()[series.survey]
    moments = scale.moments(known.baseline.answers)
    low, high = interval(moments, scale)
    drop, rise = (Text(f"{100 * one / found.threshold:.0f} %") for one in (found.drop, found.rise))
    for text, state in ((drop, known.drop), (rise, known.rise)):
        if state.alarmed:
            text.stylize("bold red" if text is drop else "bold green")
    return [
        scale.text(found.baseline),
        f"{scale.text(low)} to {scale.text(high)}",
        f"{moments.n:,.0f}",
        f"{moments.n / known.baseline.days:,.0f}",
        drop,
        rise,
        Text(f"{_when(known.baseline)[:10]} by {known.baseline.set_by}: {known.baseline.reason}"),
    ]


def _as_json(config: Config, series: Series, known: WatchedSeries) -> dict[str, Any]:
    found = reading(config.watching(), known)
    body: dict[str, Any] = {"survey": series.survey, "dimension": series.dimension, "segment": series.value}
    if known.baseline is None or found is None:
        return {**body, "baseline": None, "learned": sum(known.learned), "learn": config.watch.learn}
    return {
        **body,
        "metric": config.scales()[series.survey].name,
        "baseline": found.baseline,
        "answers": sum(known.baseline.answers),
        "days": known.baseline.days,
        "covered_days": known.baseline.covered_days,
        "set_at": _when(known.baseline),
        "set_by": known.baseline.set_by,
        "reason": known.baseline.reason,
        "watched_answers": known.answers,
        "drop_evidence": found.drop,
        "rise_evidence": found.rise,
        "threshold": found.threshold,
    }


def _when(baseline: Baseline) -> str:
    return rfc3339(to_ms(baseline.set_at))


def _name(series: Series) -> str:
    return f"{series.survey}, {series.dimension} {series.value}" if series.dimension else series.survey


# set and reset


def _set(args: argparse.Namespace) -> int:
    config = load(args.config)
    series = _series(args, config)
    window = next((one for one in config.rolling_windows() if one.name == args.window), None)
    if window is None:
        known = ", ".join(one.name for one in config.rolling_windows())
        raise UsageError(f"expected one of the windows ({known}), found {args.window!r}")
    answers, days, covered = counted(config, asyncio.run(counted_board(config)), series, window)
    n = sum(answers)
    if not n or (n < FEWEST and not args.force):
        how = "" if not n else "; --force takes them, and alarms will follow their chance"
        raise UsageError(
            f"{_name(series)} has {n} answers in {window.name}, a baseline needs {FEWEST} or more: "
            f"choose a longer window, or wait{how}"
        )
    return _change(args, config, series, answers, days, covered)


def _reset(args: argparse.Namespace) -> int:
    config = load(args.config)
    return _change(args, config, _series(args, config), [], 1.0, 1.0)


def _change(
    args: argparse.Namespace, config: Config, series: Series, answers: list[int], days: float, covered: float
) -> int:
    wanted = baseline(series, answers, days, covered, at=now(), by=_user(), reason=args.reason)
    known = asking_kafka(config, _apply(config, series, wanted))
    if args.json:
        print_json(_as_json(config, series, known))
    else:
        _print(config, {series: known})
    return 0


def _series(args: argparse.Namespace, config: Config) -> Series:
    """Raise UsageError where it is not watched."""
    series = Series(args.survey, args.dimension, args.segment)
    watched = config.watching().series
    if series not in watched:
        known = "; ".join(map(_name, watched)) or "none"
        raise UsageError(f"{_name(series)} is not watched; those in [watch] of the configuration are: {known}")
    if not args.reason.strip():
        raise UsageError("--reason must not be empty: who comes later will want to know")
    return series


async def _apply(config: Config, series: Series, wanted: Baseline) -> WatchedSeries:
    """Publish it, and wait until the watch lane has taken it up. Raises NotApplied."""
    await publish(config, [wanted])
    async with _watched(config) as reader:
        try:
            async with asyncio.timeout(APPLIED_S):
                return await _taken_up(reader, series, wanted)
        except TimeoutError as error:
            raise NotApplied(
                f"published, but no worker has taken it up within {APPLIED_S:g} s: is `livenps serve` running? It "
                "will, when it does; `livenps baseline show` tells"
            ) from error


async def _taken_up(reader: WatchReader, series: Series, wanted: Baseline) -> WatchedSeries:
    expected = wanted if wanted.answers else None
    while True:
        known = (await reader.series()).get(series, NEW)
        if known.baseline == expected:
            return known
        await asyncio.sleep(LOOK_S)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "unknown"
