"""The keys of an answers partition, read as what they mean, without the program's own reader."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from scoring.scales import SCORES
from scoring.segments import Series
from sinks.redis import keys
from streams.times import MINUTE
from tests.sinks.redis.model import Histograms, Model

ENTRY = struct.Struct(">QQIBH")  # version, feed, minute, score, day of arrival
CHANGE = struct.Struct(">QIBB")  # feed, minute, score, kind
ADDS = {1: (1, 1), 2: (-1, -1), 3: (-1, 0), 4: (1, 0), 5: (0, 1), 6: (0, -1)}  # kind: answers, first acceptances

DAY = 2  # the place of 24h in the sums, of the windows that are there by default

Fields = Mapping[bytes, bytes]


async def stored(redis: Redis, base: str) -> dict[str, Any]:
    """What a partition's keys hold, in the words of `expected`; what is pending is added to it."""
    names = [key async for key in redis.scan_iter(match=f"{base}*", count=10_000)]
    kinds = {b":out": "xrange", b":pending": "lrange"}
    async with redis.pipeline() as pipeline:
        for key in names:
            kind = kinds.get(key[key.rindex(b":") :], "hgetall")
            getattr(pipeline, kind)(key, *((0, -1) if kind == "lrange" else ()))
        contents = dict(zip(names, await pipeline.execute(), strict=True))

    def take(name: str) -> Any:
        return contents.pop(f"{base}:{name}".encode(), {})

    series = {_id(field): Series(*json.loads(text)) for field, text in take("series").items()}
    feeds = {
        _id(field): tuple(series[_id(ids[at : at + 8])] for at in range(0, len(ids), 8))
        for field, ids in take("feeds").items()
    }

    def histograms(fields: Fields, place: int = 0) -> Histograms:
        cut = slice(place * SCORES, (place + 1) * SCORES)
        rows = {series[_id(field)]: _counts(value)[cut] for field, value in fields.items()}
        return {one: row for one, row in rows.items() if any(row)}

    def entry(value: bytes) -> tuple[int, int, int, int, tuple[Series, ...]]:
        version, feed, minute, score, day = ENTRY.unpack(value)
        return version, day, minute, score, feeds[feed]

    lane = {name.decode(): value.decode() for name, value in take("lane").items()}
    span = {name.decode(): value.decode() for name, value in take("0:span").items()}
    layout, newest = json.loads(span.pop("windows", "[]")), int(span.pop("newest", 0))
    begins = {name: int(begin) for name, begin in span.items()}
    sums = take("0:sums")
    held = {
        "first": histograms(take("first")),
        "all": histograms(sums),
        "sums": {name: histograms(sums, place) for place, name in enumerate(layout, 1)},
        "buckets": {name: histograms(fields) for name, fields in _under(contents, f"{base}:0:b:")},
    }
    for place, name in enumerate(layout, 1):  # behind the windows' sums, the newest bucket of each
        latest = histograms(sums, len(layout) + place)
        if latest:
            assert held["buckets"].setdefault(f"{name}:{newest // int(name.rpartition('/')[2])}", latest) is latest
    for text in take("0:pending") or ():
        for feed, minute, score, kind in CHANGE.iter_unpack(text):
            newest = max(newest, minute)
            _add(held, begins, feeds[feed], minute, score, *ADDS[kind])
    return {
        "lane": {name: lane.get(name) for name in ("off", "ts", "seq", "until", "owner", "gen")},
        "counts": {tuple(json.loads(count)): int(n) for count, n in take("counts").items()},
        "outbox": [[tuple(one) for one in json.loads(fields[b"e"])] for _, fields in take("out") or ()],
        "newest": newest,
        "newest_of": {survey.decode(): int(minute) for survey, minute in take("newest").items()},
        "begins": begins,
        "layout": set(layout) == set(begins),
        "index": {
            (int(number, 16), field): entry(value)
            for number, fields in _under(contents, f"{base}:0:index:")
            for field, value in fields.items()
        },
        "others": contents,
        **{name: _filled(table) for name, table in held.items()},
    }


def _add(
    held: dict[str, Any],
    begins: Mapping[str, int],
    feed: tuple[Series, ...],
    minute: int,
    score: int,
    n: int,
    first: int,
) -> None:
    tables = [(held["first"], first), (held["all"], n)]
    for name, begin in begins.items():
        bucket = minute // int(name.rpartition("/")[2])
        if bucket >= begin:
            tables.append((held["sums"].setdefault(name, {}), n))
            tables.append((held["buckets"].setdefault(f"{name}:{bucket}", {}), n))
    for table, more in tables:
        for series in feed:
            table.setdefault(series, [0] * SCORES)[score] += more


def _filled(table: dict[Any, Any]) -> dict[Any, Any]:
    """Without the empty ones, which are none."""
    rows = {key: _filled(row) if isinstance(row, dict) else row for key, row in table.items()}
    return {key: row for key, row in rows.items() if (row if isinstance(row, dict) else any(row))}


def with_window(sums: bytes, place: int, histogram: Sequence[int]) -> bytes:
    """A series' sums with another histogram of one window; 0 is all answers."""
    start = place * SCORES * 4
    return sums[:start] + struct.pack(f">{SCORES}I", *histogram) + sums[start + SCORES * 4 :]


def _id(field: bytes) -> int:
    return int.from_bytes(field, "big")


def _counts(value: bytes) -> list[int]:
    return list(struct.unpack(f">{len(value) // 4}I", value))


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
        "newest_of": model.newest_of,
        "begins": {name: model.begins[window] for name, window in windows.items()},
        "layout": True,
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
