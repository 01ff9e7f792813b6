"""``livenps weighted``: scores in which each answer stands for those who were not in the sample."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from livenps.commands.arguments import Commands, add_config
from livenps.commands.running import asking_kafka, print_json
from livenps.config import load
from livenps.errors import UsageError
from livenps.program import now
from livenps.settings import Config
from scoring.recount import Recount, Version
from scoring.scales import Scale
from scoring.segments import Series
from scoring.weighted import Weighted
from scoring.windows import ALL, Window
from streams import topics
from streams.answers import CountAnswers
from streams.answers_log import AnswersLog
from streams.dead_letters import escaped
from streams.log_reader import LogReader
from streams.topics import RESPONSES
from surveys.survey import Survey

ROWS = 20  # segments of a dimension

Answers = dict[Series, list[tuple[int, float]]]  # scores with their weights


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "weighted",
        help="scores re-weighted for the sample, from the log",
        description="Count the answers in Kafka, each with the weight that its invitation had (one over the rate "
        "of the sample), beside the same without weights. Needs a real Kafka; nothing is written.",
    )
    add_config(parser)
    parser.add_argument("--survey", help="a survey's id (default: the first)")
    parser.add_argument("--window", default=ALL, help="a window's name, or all (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = load(args.config)
    survey, window = _survey(config, args.survey), _window(config, args.window)
    answers = asking_kafka(config, _count(config, survey, window))
    if args.json:
        found = [_as_json(series, survey.scale, one) for series, one in answers.items()]
        print_json({"survey": survey.id, "metric": survey.metric, "window": args.window, "series": found})
    else:
        console = Console(highlight=False)
        for table in _tables(survey, args.window, answers):
            console.print(table)
    return 0


def _survey(config: Config, survey_id: str | None) -> Survey:
    for survey in config.surveys:
        if survey_id in (None, survey.id):
            return survey
    known = ", ".join(survey.id for survey in config.surveys) or "none"
    raise UsageError(f"--survey: expected one of {known}, found {survey_id!r}")


def _window(config: Config, name: str) -> Window | None:
    windows = {window.name: window for window in config.rolling_windows()}
    if name not in (ALL, *windows):
        raise UsageError(f"--window: expected one of {', '.join([*windows, ALL])}, found {name!r}")
    return windows.get(name)


async def _count(config: Config, survey: Survey, window: Window | None) -> Answers:
    """The newest version of every answer to a survey, by series; the survey as a whole comes first."""
    topic = config.topics()[RESPONSES]
    topics.refuse_fatal(await topics.check(config.kafka.bootstrap, [topic]))
    rule = CountAnswers(config.scales(), config.scored_dimensions())
    found: Answers = {Series(survey.id): []}
    async with LogReader(config.kafka.bootstrap) as reader:
        for partition in range(topic.partitions):
            recount = Recount()
            async for batch, plan in AnswersLog(reader, topic, rule, now).plans(
                partition, *await reader.bounds(topic.name, partition)
            ):
                weights: dict[int, float] = {item.offset: item.event.weight for item in batch.items}  # type: ignore[attr-defined]
                for one in plan.answers:
                    series = tuple(plan.feeds[one.feed])
                    if series[0].survey == survey.id:
                        version = Version(one.version, one.minute, one.score, series, weights[one.offset])
                        recount.add(one.response_id, version, timed=one.timed)
            for version in recount.inside(window, now()) if window else recount.everything():
                for one_series in version.series:
                    found.setdefault(one_series, []).append((version.score, version.weight))
    return found


def _as_json(series: Series, scale: Scale, answers: Sequence[tuple[int, float]]) -> dict[str, Any]:
    found: dict[str, Any] = {"dimension": series.dimension, "segment": series.value, "n": len(answers)}
    if answers:
        for name, one in _both(scale, answers).items():
            lower, upper = one.interval
            found[name] = {"score": one.score, "lower": lower, "upper": upper, "effective": one.effective}
    return found


def _both(scale: Scale, answers: Sequence[tuple[int, float]]) -> dict[str, Weighted]:
    return {
        "weighted": Weighted.of(scale, answers),
        "unweighted": Weighted.of(scale, [(score, 1.0) for score, _ in answers]),
    }


def _tables(survey: Survey, window: str, answers: Answers) -> list[Table]:
    """One for the survey, one for each dimension with its largest segments."""
    dimensions = dict.fromkeys(series.dimension for series in answers)
    tables = []
    for dimension in dimensions:
        rows = {series.value or "all": answers[series] for series in answers if series.dimension == dimension}
        largest = sorted(rows, key=lambda name: -len(rows[name]))
        table = _table(
            dimension or f"{survey.id}, {window}", survey.scale, {name: rows[name] for name in largest[:ROWS]}
        )
        if len(largest) > ROWS:
            table.caption = f"and {len(largest) - ROWS:,} more: --json"
        tables.append(table)
    return tables


def _table(title: str, scale: Scale, rows: Mapping[str, Sequence[tuple[int, float]]]) -> Table:
    table = Table(
        "segment", title=Text(escaped(title), style="bold"), title_justify="left", caption_justify="left"
    )
    name = scale.name.upper()
    for column in (
        f"{name} weighted",
        "95 % interval",
        f"{name} unweighted",
        "95 % interval",
        "answers",
        "effective",
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for segment, answers in rows.items():
        table.add_row(
            Text(escaped(segment)), *_cells(scale, answers), str(len(answers)), _effective(scale, answers)
        )
    return table


def _cells(scale: Scale, answers: Sequence[tuple[int, float]]) -> list[str]:
    if not answers:
        return ["no answers", "", "", ""]
    cells = []
    for one in _both(scale, answers).values():
        lower, upper = one.interval
        cells += [scale.text(one.score), f"{scale.text(lower)} to {scale.text(upper)}"]
    return cells


def _effective(scale: Scale, answers: Sequence[tuple[int, float]]) -> str:
    return f"{Weighted.of(scale, answers).effective:.0f}" if answers else ""
