"""What an answer costs in memory: `python -m benchmarks.memory`, a table and benchmarks/results/memory.json.

First the answers of a single question over all partitions; then one partition with its part of many more. Most of
it is the index of what was counted; ``--entries`` is how many of it Redis keeps in a compact hash. Last an answer
that is kept whole, for pages: the newest ones with words.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

import msgspec
from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from benchmarks.partitions import PREFIX, SURVEY, Cost, Partitions, partitions
from benchmarks.report import machine, positive, write
from scoring.segments import Dimension, Dimensions
from sinks.redis.comments import KEEP, CommentsStore
from streams.comments import KeepComments
from streams.events import Response
from streams.store import Applied, Batch, Item, Token
from streams.times import SECOND
from tests.real.redis import Redis as Server

PARTITIONS = 4
LARGER = (5_000_000, 20_000_000, 50_000_000)
CHUNK = 2_000
RECENT = 200_000  # answers, of which the CPU is told
SETTLE_S = 0.5
SETTLED = 10_000  # bytes that come and go with a connection
WORDS = "w" * 200
SEGMENTS = {"plan": "pro", "region": "eu", "age": 30}
DIMENSIONS = Dimensions((Dimension("plan"), Dimension("region"), Dimension("age", bands=(18, 25, 35))))

err = Console(stderr=True, highlight=False)


@dataclass
class Usage:
    """Bytes, and CPU of the newest batches in µs an answer."""

    answers: int  # in the partitions measured
    partitions: int
    stands_for: int  # answers of all partitions
    entries_per_hash: float
    compact: float  # share of the index's hashes
    by_usage: float  # an entry, by MEMORY USAGE of the index's hashes, their keys included
    redis_us: float
    python_us: float
    peak_rss: int  # of this process
    by_difference: float = 0.0  # an entry, by used_memory with and without the index
    others: int = 0  # everything but the index


def main() -> int:
    args = arguments()
    usages = asyncio.run(measure(args.answers, args.larger, args.entries))
    whole = asyncio.run(kept_whole())
    found = {"hash_max_listpack_entries": args.entries, "usage": [asdict(one) for one in usages]}
    write("memory", {**found, "whole_answer": whole})
    console = Console(width=150)
    console.print(table(usages))
    console.print(f"an answer kept whole, with {len(WORDS)} letters of words: {whole:.0f} bytes")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--answers", type=positive, default=1_000_000, help="(default: %(default)s)")
    parser.add_argument("--larger", type=positive, nargs="*", default=LARGER, help="answers of all partitions")
    parser.add_argument("--entries", type=positive, default=512, help="hash-max-listpack-entries (default: 512)")
    return parser.parse_args()


async def measure(answers: int, larger: Sequence[int], entries: int) -> list[Usage]:
    usages = await fill(PARTITIONS, [answers], entries)
    if larger:
        usages += await fill(1, sorted(larger), entries)
    return usages


async def fill(count: int, totals: Sequence[int], entries: int) -> list[Usage]:
    """Fill partitions up to each total's part of answers, and measure there."""
    usages: list[Usage] = []
    held: list[int] = []
    chance = random.Random(20_260_101)  # noqa: S311 - the same for every run is what is wanted
    async with partitions(count) as filled:
        redis = filled.redis
        await redis.config_set("appendonly", "no")  # its buffers come and go
        await redis.config_set("hash-max-listpack-entries", entries)
        empty = await settled(redis)
        for total in totals:
            upto = total * count // PARTITIONS
            err.print(f"{upto:,} answers in partitions: {count}")
            last = await add(filled, chance, upto - (usages[-1].answers if usages else 0))
            held.append(await settled(redis) - empty)
            usages.append(await usage(redis, upto, count, last))
        await redis.delete(*[key async for batch in chunks(redis) for key in batch])
        others = await settled(redis) - empty
    for one, all_ in zip(usages, held, strict=True):
        one.others, one.by_difference = others, (all_ - others) / one.answers
    return usages


async def kept_whole() -> float:
    """Bytes of one of the newest answers with words, of as many as a partition keeps."""
    now = int(time.time() * SECOND)
    rule, token = KeepComments([SURVEY], DIMENSIONS), Token("benchmark", 1)
    chance = random.Random(20_260_101)  # noqa: S311
    with Server() as server:
        redis = Redis.from_url(server.url)
        store = CommentsStore(redis, PREFIX)
        await store.claim(0, token)
        await store.begin(0, token, 0, 0)
        empty = await settled(redis)
        items = [
            Item(msgspec.structs.replace(one, comment=WORDS, attributes=SEGMENTS), n, now)
            for n, one in enumerate(responses(chance, KEEP))
        ]
        batch = Batch(0, 0, KEEP, now, items, [])
        if await store.commit(batch, token, rule.decide(batch, None, now)) != Applied():
            raise RuntimeError("the batch was not applied")
        held = await settled(redis) - empty
        await redis.aclose()
    return held / KEEP


async def add(filled: Partitions, chance: random.Random, answers: int) -> Cost:
    """Count so many more; what the last batches cost."""
    await filled.fill(responses(chance, answers - RECENT))
    return await filled.fill(responses(chance, min(answers, RECENT)))


def responses(chance: random.Random, count: int) -> Iterator[Response]:
    for _ in range(count):
        id_ = str(UUID(int=chance.getrandbits(128), version=4))
        yield Response(response_id=id_, survey_id=SURVEY, score=chance.randrange(11))


async def usage(redis: Redis, answers: int, count: int, last: Cost) -> Usage:
    hashes = compact = size = 0
    async for batch in chunks(redis):
        async with redis.pipeline(transaction=False) as pipeline:
            for key in batch:
                pipeline.memory_usage(key, samples=0)
                pipeline.object("ENCODING", key)
            found = await pipeline.execute()
        hashes += len(batch)
        size += sum(found[::2])
        compact += found[1::2].count(b"listpack")
    return Usage(
        answers=answers,
        partitions=count,
        stands_for=answers * PARTITIONS // count,
        entries_per_hash=answers / hashes,
        compact=compact / hashes,
        by_usage=size / answers,
        redis_us=last.redis / last.answers * 1e6,
        python_us=(last.decide + last.encode) / last.answers * 1e6,
        peak_rss=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


async def chunks(redis: Redis) -> AsyncIterator[list[bytes]]:
    """The keys of the index."""
    batch: list[bytes] = []
    async for key in redis.scan_iter(match=f"{PREFIX}:*:index:*", count=CHUNK):
        batch.append(key)
        if len(batch) >= CHUNK:
            yield batch
            batch = []
    if batch:
        yield batch


async def settled(redis: Redis) -> int:
    """Bytes of memory used, once Redis has moved its keys into the table that they need."""
    while True:
        before = await used(redis)
        await asyncio.sleep(SETTLE_S)
        if abs(before - await used(redis)) < SETTLED:
            return before


async def used(redis: Redis) -> int:
    bytes_: int = (await redis.info("memory"))["used_memory"]
    return bytes_


def table(usages: Sequence[Usage]) -> Table:
    made = Table(title="Memory of the answers lane", caption=machine())
    columns = (
        "answers",
        "measured in",
        "entries\na hash",
        "compact",
        "bytes an entry\nMEMORY USAGE",
        "bytes an entry\nused_memory",
        "all else\nKB",
        "Redis\nµs/answer",
        "Python\nµs/answer",
        "peak RSS\nMB",
    )
    for column in columns:
        made.add_column(column, justify="right")
    for one in usages:
        made.add_row(
            f"{one.stands_for:,}",
            f"{one.answers:,} / {one.partitions}",
            f"{one.entries_per_hash:.0f}",
            f"{one.compact:.0%}",
            f"{one.by_usage:.1f}",
            f"{one.by_difference:.1f}",
            f"{one.others / 1e3:,.0f}",
            f"{one.redis_us:.2f}",
            f"{one.python_us:.2f}",
            f"{one.peak_rss / 1e6:.0f}",
        )
    return made


if __name__ == "__main__":
    sys.exit(main())
