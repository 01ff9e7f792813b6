"""The keys of an answers partition, read as what they mean, without the program's own reader."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from scoring.segments import Series
from sinks.redis import keys
from streams.times import MINUTE
from tests.sinks.redis.model import Histograms, Model

ENTRY = struct.Struct(">Q8sIBH")  # version, feed, minute, score, day of arrival

Fields = Mapping[bytes, bytes]


async def stored(redis: Redis, base: str) -> dict[str, Any]:
    """What a partition's keys hold, in the words of `said`."""
    names = [key async for key in redis.scan_iter(match=f"{base}*", count=10_000)]
    async with redis.pipeline() as pipeline:
        for key in names:
            pipeline.xrange(key) if key.endswith(b":out") else pipeline.hgetall(key)
        contents = dict(zip(names, await pipeline.execute(), strict=True))

    def take(name: str) -> Any:
        return contents.pop(f"{base}:{name}".encode(), {})

    series = {number: Series(*json.loads(text)) for text, number in take("series").items()}
    feeds = take("feeds")

    def histograms(fields: Fields) -> Histograms:
        return {series[number]: json.loads(text) for number, text in fields.items()}

    def entry(value: bytes) -> tuple[int, int, int, int, tuple[Series, ...]]:
        version, feed, minute, score, day = ENTRY.unpack(value)
        return version, day, minute, score, tuple(Series(*json.loads(name)) for name in json.loads(feeds[feed]))

    lane = {name.decode(): value.decode() for name, value in take("lane").items()}
    span = {name.decode(): int(value) for name, value in take("0:span").items()}
    return {
        "lane": {name: lane.get(name) for name in ("off", "ts", "seq", "until", "owner", "gen")},
        "counts": {tuple(json.loads(count)): int(n) for count, n in take("counts").items()},
        "outbox": [[tuple(one) for one in json.loads(fields[b"e"])] for _, fields in take("out") or ()],
        "first": histograms(take("first")),
        "newest": span.pop("newest", 0),
        "begins": span,
        "all": histograms(take("0:sum:all")),
        "sums": {name: histograms(fields) for name, fields in _under(contents, f"{base}:0:sum:")},
        "buckets": {name: histograms(fields) for name, fields in _under(contents, f"{base}:0:b:")},
        "index": {
            (int(number, 16), field): entry(value)
            for number, fields in _under(contents, f"{base}:0:index:")
            for field, value in fields.items()
        },
        "others": contents,
    }


def expected(model: Model, indexes: int) -> dict[str, Any]:
    """What they have to hold."""
    windows = {f"{window.name}/{window.width // MINUTE}": window for window in model.begins}
    return {
        "lane": {
            "off": _text(model.offset),
            "ts": _text(model.timestamp or None),
            "seq": _text(model.seq or None),
            "until": _text(model.until),
            "owner": model.owner and model.owner.owner,
            "gen": model.owner and _text(model.owner.generation),
        },
        "counts": dict(model.counts),
        "outbox": [[(topic, key, json.loads(event)) for topic, key, event in entry] for entry in model.outbox],
        "first": model.held_first(),
        "newest": model.newest,
        "begins": {name: model.begins[window] for name, window in windows.items()},
        "all": model.held_all(),
        "sums": {name: held for name, window in windows.items() if (held := model.held(window))},
        "buckets": {
            f"{name}:{number}": held
            for name, window in windows.items()
            for number, held in model.buckets(window).items()
        },
        "index": {
            _place(id_, indexes): (version, day, *counted)
            for id_, (version, day, counted) in model.entries().items()
        },
        "others": {},
    }


def _under(contents: dict[bytes, Fields], prefix: str) -> list[tuple[str, Fields]]:
    """Take all keys with a prefix out."""
    found = [key for key in contents if key.startswith(prefix.encode())]
    return [(key.decode().removeprefix(prefix), contents.pop(key)) for key in found]


def _place(id_: str, indexes: int) -> tuple[int, bytes]:
    digest = keys.digest(id_)
    return int.from_bytes(digest[:2], "big") % indexes, digest[2:]


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
