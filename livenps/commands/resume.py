"""``livenps resume``: set the position of partitions by hand, the way on for those that have stopped."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from livenps.commands.arguments import Commands, add_config, check_partitions
from livenps.commands.running import asking_kafka, confirmed, print_json
from livenps.config import load
from livenps.errors import UsageError
from livenps.program import now
from livenps.settings import Config
from livenps.standing import Standing, standing
from sinks.redis import client, keys
from sinks.redis.answers import AnswersStore
from sinks.redis.comments import CommentsStore
from sinks.redis.customers import CustomersStore
from sinks.redis.incidents import IncidentsStore
from sinks.redis.lane import RedisLane
from sinks.redis.live import live, patiently
from sinks.redis.watch import WatchStore
from streams import topics
from streams.errors import LivenpsError
from streams.log_reader import LogReader
from streams.store import Applied, Fenced, Token
from streams.topics import ALERTS, INCENTIVES, INCREMENTS, RESPONSES, TOUCHPOINTS

LANES = {
    "customers": ("c", TOUCHPOINTS),
    "answers": ("a", RESPONSES),
    "comments": ("m", RESPONSES),
    "watch": ("w", INCREMENTS),
    "incentives": ("g", INCENTIVES),
    "incidents": ("i", ALERTS),
}


class NotResumed(LivenpsError):
    """A position that was left as it is, because the partition is not at rest."""


@dataclass(frozen=True, slots=True)
class Move:
    """From where a partition of a lane stands to where it shall. Records are counted by their offsets."""

    lane: str
    partition: int
    standing: Standing
    to: int

    @property
    def name(self) -> str:
        return f"{self.lane}, partition {self.partition}"

    @property
    def gone(self) -> int:
        """Those that were not processed, and that the log does not hold any more."""
        return 0 if self.standing.other else max(0, self.standing.first - self.standing.offset)

    @property
    def skipped(self) -> int:
        """Those of the log that are never processed."""
        return max(0, self.to - self._next)

    @property
    def again(self) -> int:
        """Those of the log that were processed before."""
        return max(0, self._next - self.to)

    @property
    def _next(self) -> int:
        """The first offset of this log that was not processed yet."""
        one = self.standing
        return one.first if one.other or one.offset > one.end else max(one.first, one.offset)


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "resume",
        help="set the position of stopped partitions by hand",
        description="Set the position of partitions of a lane, after finding out why they have stopped; only "
        "while no worker is at work on them. A worker goes on from there after its next start. For answers think "
        "of `livenps rebuild` first, which leaves nothing out. Needs a real Kafka.",
    )
    parser.add_argument("--lane", required=True, choices=list(LANES))
    parser.add_argument(
        "--partition", required=True, type=int, action="append", metavar="N", help="may be given several times"
    )
    parser.add_argument(
        "--at",
        required=True,
        type=place,
        metavar="WHERE",
        help="first or end of the log as it is now, or an offset",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before")
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.set_defaults(run=run)


def place(text: str) -> str:
    if not re.fullmatch(r"first|end|\d{1,18}", text):
        raise argparse.ArgumentTypeError("expected first, end or an offset")
    return text


def run(args: argparse.Namespace) -> int:
    config = load(args.config)
    partitions = sorted(set(args.partition))
    check_partitions(config.topics()[LANES[args.lane][1]], partitions)
    moves = asking_kafka(config, _look(config, args.lane, partitions, args.at))
    told = "\n".join(map(_told, moves))
    if not args.yes and not confirmed(f"{told}\nGo on?", "Say --yes."):
        print("Nothing was changed.", file=sys.stderr)
        return 1
    asyncio.run(_set(config, args.lane, moves))
    if args.json:
        print_json({"lane": args.lane, "partitions": list(map(_as_json, moves))})
    else:
        print(f"{told}\nThe positions are set. A worker goes on from there after its next start.")
    return 0


async def _look(config: Config, lane: str, partitions: Sequence[int], at: str) -> list[Move]:
    """What is to be done. Raises UsageError where it cannot be."""
    letter, role = LANES[lane]
    topic = config.topics()[role]
    topics.refuse_fatal(await topics.check(config.kafka.bootstrap, [topic]))
    redis = client.connect(config.redis.url)
    moves = []
    try:
        async with LogReader(config.kafka.bootstrap) as reader:
            for partition in partitions:
                found = await live(redis, keys.base(config.redis.prefix, letter, partition))
                if found is None:
                    raise UsageError(
                        f"{lane}, partition {partition}: there is no position, a worker begins at the log's start"
                    )
                one = await standing(reader, topic.name, partition, found)
                ends = {"first": one.first, "end": one.end}
                moves.append(Move(lane, partition, one, ends[at] if at in ends else int(at)))
    finally:
        await redis.aclose()
    for move in moves:
        one = move.standing
        if not one.first <= move.to <= one.end:
            raise UsageError(f"{move.name}: offset {move.to} lies outside the log [{one.first}, {one.end}]")
    return moves


async def _set(config: Config, lane: str, moves: Sequence[Move]) -> None:
    redis = client.connect(config.redis.url)
    try:
        for move in moves:
            await _set_one(redis, _store(config, redis, lane), move)
    finally:
        await redis.aclose()


async def _set_one(redis: client.Client, store: RedisLane[Any], move: Move) -> None:
    partition = move.partition
    token = Token(uuid4().hex, -1)  # any worker's claim comes before this one
    claimed = await patiently(redis, f"{store.base(partition)}:lane", lambda: store.claim(partition, token))
    if isinstance(claimed, Fenced):
        raise NotResumed(f"{move.name}: a worker is at work on it, stop it first")
    if not isinstance(await store.seek(partition, token, move.standing.offset, move.to), Applied):
        raise NotResumed(f"{move.name}: its position has changed meanwhile, look again")


def _store(config: Config, redis: client.Client, lane: str) -> RedisLane[Any]:
    prefix = config.redis.prefix
    if lane == "answers":
        return AnswersStore(redis, prefix, config.rolling_windows(), now)
    others: dict[str, type[RedisLane[Any]]] = {
        "customers": CustomersStore,
        "comments": CommentsStore,
        "watch": WatchStore,
        "incidents": IncidentsStore,
    }
    return others[lane](redis, prefix)


def _told(move: Move) -> str:
    one = move.standing
    lines = [
        f"{move.name}: {one.fault or f'position {one.offset} lies in the log [{one.first}, {one.end}]'}",
        f"  It resumes at {move.to}: {move.skipped:,} records of the log are never processed.",
    ]
    if move.again:
        lines.append(f"  {move.again:,} records are read again: what is remembered of them has no effect twice.")
    if move.gone:
        lines.append(f"  {move.gone:,} records before the log's start were not processed, and are gone.")
    return "\n".join(lines)


def _as_json(move: Move) -> dict[str, object]:
    return {
        "partition": move.partition,
        "was": move.standing.offset,
        "first": move.standing.first,
        "end": move.standing.end,
        "position": move.to,
        "skipped": move.skipped,
        "again": move.again,
        "gone": move.gone,
    }
