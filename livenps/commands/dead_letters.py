"""``livenps dead-letters``: what could not be processed, why, and putting it back."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from livenps.commands.arguments import Commands, add_config, age
from livenps.commands.running import asking_kafka, confirmed, print_json
from livenps.config import load
from livenps.errors import UsageError
from livenps.program import now
from livenps.settings import Config
from streams import topics
from streams.dead_letters import ADVICE, OTHERWISE, Choice, Entry, Letters, Report, cut, escaped, readable
from streams.errors import LivenpsError
from streams.events import DeadLetter
from streams.letters import letter_id
from streams.log_reader import LogReader
from streams.replayer import Log, Replayer, fetch, read
from streams.times import SECOND, rfc3339
from streams.topics import DEAD_LETTERS, ROLES, Topic

MANY = 10  # more than so many are not replayed without asking
ROWS = 50


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "dead-letters",
        help="list, show and replay what could not be processed",
        description="Records that could not be processed, with the reason. Needs a real Kafka.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_list(actions)
    _add_show(actions)
    _add_replay(actions)


def _add_list(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "list",
        help="newest first, and how many of which reason",
        description="The newest dead letters, each once, and on the standard error how many there are. "
        "Into a pipe: id, time, reason, state and detail between tabs.",
    )
    _add_selection(parser)
    parser.add_argument("--limit", type=count, default=ROWS, metavar="N", help="default: %(default)s")
    _add_common(parser, _list)


def _add_show(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "show",
        help="everything about one, and what to do about it",
        description="One dead letter with its record, and what to do. A record may hold personal data.",
    )
    parser.add_argument("id", metavar="ID", help="topic:partition:offset, as `list` tells")
    _add_common(parser, _show)


def _add_replay(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "replay",
        help="put records back on their topics, once",
        description="Put records back on their topics as new ones, after what kept them from being processed was "
        "repaired. Exit code 1 where some of the selection cannot be.",
    )
    parser.add_argument("ids", metavar="ID", nargs="*", help="topic:partition:offset; or select by the options")
    _add_selection(parser)
    parser.add_argument("--dry-run", action="store_true", help="only tell which")
    parser.add_argument("--yes", action="store_true", help=f"do not ask before more than {MANY}")
    parser.add_argument("--again", action="store_true", help="also what was replayed before")
    _add_common(parser, _replay)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--topic", metavar="ROLE", choices=ROLES, help="such as survey.responses, without prefix")
    parser.add_argument("--reason", metavar="R", help="such as unknown_survey")
    parser.add_argument("--since", type=age, metavar="AGE", help="not older than, such as 7d or 90m")


def _add_common(parser: argparse.ArgumentParser, run: Any) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.set_defaults(run=run)


def count(text: str) -> int:
    """At least one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return number


# list


def _list(args: argparse.Namespace) -> int:
    config = load(args.config)
    log = asking_kafka(config, _read(config, quiet=args.json))
    found = _selected(args, log.letters)
    shown = found[: args.limit]
    if args.json:
        print_json(
            {
                "letters": [_row(log.letters, entry) for entry in shown],
                "total": len(found),
                "summary": _summary(log.letters, found),
                "unreadable": log.unreadable,
            }
        )
        return 0
    _print_entries(log.letters, shown)
    _print_summary(log, found, len(shown))
    return 0


def _selected(args: argparse.Namespace, letters: Letters) -> list[Entry]:
    since = 0 if args.since is None else now() - args.since
    return letters.select(args.topic, args.reason, since)


def _row(letters: Letters, entry: Entry) -> dict[str, object]:
    replay = letters.replay(entry)
    return {
        "id": entry.id,
        "topic": letters.role(entry),
        "at": rfc3339(entry.at),
        "reason": entry.reason,
        "detail": entry.detail,
        "state": letters.state(entry),
        "replayed_at": rfc3339(replay.at) if replay else None,
        "replayed_as": _new_id(entry, replay.offset) if replay else None,
        "cannot_be_replayed": entry.unfit or None,
    }


def _new_id(entry: Entry, offset: int | None) -> str | None:
    return None if offset is None else letter_id(entry.topic, entry.partition, offset)


def _summary(letters: Letters, entries: Iterable[Entry]) -> list[dict[str, object]]:
    counted = letters.summary(entries).most_common()
    return [
        {"topic": role, "reason": reason, "state": state, "letters": number}
        for (role, reason, state), number in counted
    ]


def _print_entries(letters: Letters, entries: Sequence[Entry]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        for entry in entries:
            print(*_cells(letters, entry), sep="\t")
    elif entries:
        table = Table(expand=True)
        for name in ("id", "when (UTC)", "reason", "state"):
            table.add_column(name, overflow="fold")
        table.add_column("detail", no_wrap=True, ratio=1, min_width=10)  # what the others leave
        for entry in entries:
            table.add_row(*map(Text, _cells(letters, entry)), style="" if _open(letters, entry) else "dim")
        console.print(table)


def _cells(letters: Letters, entry: Entry) -> tuple[str, ...]:
    when = rfc3339(entry.at - entry.at % SECOND)
    return tuple(map(escaped, (entry.id, when, entry.reason, letters.state(entry), entry.detail)))


def _open(letters: Letters, entry: Entry) -> bool:
    return letters.state(entry) in ("open", "interrupted")


def _print_summary(log: Log, found: Sequence[Entry], shown: int) -> None:
    parts = [
        f"{number:,} {role} {reason}" + ("" if state == "open" else f" ({state})")
        for (role, reason, state), number in log.letters.summary(found).most_common()
    ]
    newest = f", the newest {shown:,} are shown" if shown < len(found) else ""
    _tell(f"{_letters(len(found))}{newest}{': ' if parts else ''}{', '.join(parts)}.")
    if log.unreadable:
        _tell(f"{log.unreadable:,} records of the topic are no dead letters that this livenps can read.")


def _letters(number: int) -> str:
    return f"{number:,} dead letter{'' if number == 1 else 's'}"


def _tell(text: str) -> None:
    print(escaped(text), file=sys.stderr)


# show


def _show(args: argparse.Namespace) -> int:
    config = load(args.config)
    letters, entry, letter = asking_kafka(config, _find(config, args.id, quiet=args.json))
    what = {
        **_row(letters, entry),
        "detail": letter.detail,
        "key": _bytes(letter.key) if letter.key else None,
        "headers": {name: _bytes(value) for name, value in letter.headers.items()},
        "payload": _bytes(letter.payload),
        "payload_bytes": len(letter.payload),
        "payload_cut": cut(letter),
        "record_bytes": letter.size,
        "advice": ADVICE.get(entry.reason, OTHERWISE),
    }
    if args.json:
        print_json(what)
    else:
        _print_fields(_flat(what))
    return 0


async def _find(config: Config, id_: str, *, quiet: bool) -> tuple[Letters, Entry, DeadLetter]:
    log = await _read(config, quiet=quiet)
    entry = _one(log.letters, id_)
    async with LogReader(config.kafka.bootstrap) as reader:
        async for _, [letter] in fetch(reader, config.topics()[DEAD_LETTERS], [entry]):
            return log.letters, entry, letter
    raise _unknown(id_)  # its time was over just now


def _one(letters: Letters, id_: str) -> Entry:
    entry = letters.find(id_)
    if entry is None:
        raise _unknown(id_)
    return entry


def _unknown(id_: str) -> UsageError:
    return UsageError(f"there is no dead letter {id_!r}; `livenps dead-letters list` tells which there are")


def _bytes(data: bytes) -> dict[str, str]:
    kind, text = readable(data)
    return {kind: text}


def _flat(what: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in what.items():
        label = name.replace("_", " ")
        if name == "headers":
            yield from ((f"header {key}", _line(one)) for key, one in value.items())
        elif value is not None:
            yield label, _line(value)


def _line(value: object) -> str:
    match value:
        case {"text": str(text)}:
            return text
        case {"hex": str(digits)}:
            return f"(hex) {digits}"
        case bool():
            return "yes" if value else "no"
    return str(value)


def _print_fields(fields: Iterable[tuple[str, str]]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for name, value in fields:
        console.print(Text.assemble((f"{escaped(name)}: ", "bold"), escaped(value)))


# replay


def _replay(args: argparse.Namespace) -> int:
    config = load(args.config)
    if bool(args.ids) == any(one is not None for one in (args.topic, args.reason, args.since)):
        raise UsageError("which? Name ids, or select by --topic, --reason or --since")
    log = asking_kafka(config, _read(config, quiet=args.json))
    entries = [_one(log.letters, id_) for id_ in args.ids] or _selected(args, log.letters)
    choice = log.letters.choose(entries, again=args.again)
    report = Report(failed={entry.id: entry.unfit for entry in choice.unfit})
    if choice.chosen and not args.dry_run:
        if len(choice.chosen) > MANY and not args.yes and not _confirmed(log.letters, choice):
            _tell("Nothing was replayed.")
            return 1
        try:
            asking_kafka(config, _put_back(config, log, choice.chosen, report, quiet=args.json))
        except LivenpsError:
            _tell(f"{_letters(len(report.replayed))} replayed before this; `list` tells what was interrupted.")
            raise
    if args.json:
        print_json(_replay_as_json(choice, report, dry_run=args.dry_run))
    else:
        _print_replay(log.letters, choice, report, dry_run=args.dry_run)
    return 1 if report.failed else 0


def _confirmed(letters: Letters, choice: Choice) -> bool:
    counted = letters.summary(choice.chosen).most_common()
    what = ", ".join(f"{number:,} {role} {reason}" for (role, reason, _), number in counted)
    return confirmed(f"Replay {what}?", "These are many: say --yes, or look first with --dry-run.")


def _replay_as_json(choice: Choice, report: Report, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "selected": [entry.id for entry in choice.chosen],
        "replayed": [{"id": id_, "as": new} for id_, new in report.replayed.items()],
        "replayed_before": [entry.id for entry in choice.before],
        "failed": [{"id": id_, "why": why} for id_, why in report.failed.items()],
    }


def _print_replay(letters: Letters, choice: Choice, report: Report, *, dry_run: bool) -> None:
    if dry_run:
        _print_entries(letters, choice.chosen)
        _tell(f"Dry run, nothing written: {_letters(len(choice.chosen))} would be replayed.")
    else:
        _tell(f"{_letters(len(report.replayed))} replayed.")
    if choice.before:
        _tell(f"{_letters(len(choice.before))} left out, replayed or begun before; --again includes them.")
    for id_, why in list(report.failed.items())[:ROWS]:
        _tell(f"{id_} cannot be replayed: {why}")
    if len(report.failed) > ROWS:
        _tell(f"and {len(report.failed) - ROWS:,} more cannot be replayed.")


async def _put_back(config: Config, log: Log, chosen: Sequence[Entry], report: Report, *, quiet: bool) -> None:
    targets = {entry.topic for entry in chosen}
    await _check(config, *(topic for topic in config.topics().values() if topic.name in targets))
    bootstrap, topic = config.kafka.bootstrap, config.topics()[DEAD_LETTERS]
    async with LogReader(bootstrap) as reader, Replayer(bootstrap, topic, log, now) as replayer:
        with _progress("replaying", len(chosen), quiet=quiet) as advance:
            async for partition, letters in fetch(reader, topic, chosen):
                await replayer.replay(partition, letters, report)
                advance(len(letters))
    for entry in chosen:
        if entry.id not in report.replayed:
            report.failed.setdefault(entry.id, "its letter is no longer kept")


# the topic


async def _read(config: Config, *, quiet: bool) -> Log:
    topic = config.topics()[DEAD_LETTERS]
    await _check(config, topic)  # a consumer would wait for a missing topic
    async with LogReader(config.kafka.bootstrap) as reader:
        bounds = [await reader.bounds(topic.name, partition) for partition in range(topic.partitions)]
        total = sum(end - first for first, end in bounds)
        with _progress("reading", total, quiet=quiet) as advance:
            return await read(reader, topic, bounds, Letters(config.topics().values()), advance)


async def _check(config: Config, *wanted: Topic) -> None:
    topics.refuse_fatal(await topics.check(config.kafka.bootstrap, wanted))


@contextmanager
def _progress(name: str, total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    hidden = quiet or not sys.stderr.isatty()
    with Progress(console=Console(stderr=True), transient=True, disable=hidden) as progress:
        task = progress.add_task(name, total=total)
        yield lambda number: progress.update(task, advance=number)
