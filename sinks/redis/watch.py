"""The watch lane's state, baselines and evidence of watched series, and its reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from scoring.segments import Series
from sinks.redis import keys
from sinks.redis.client import Client, ask, to_json
from sinks.redis.fresh import Fresh
from sinks.redis.lane import NO_POSITION, RedisLane
from streams.store import Batch, Outcome, StoreCorrupt, Token
from streams.watch import WatchedSeries, WatchPlan, series_of


class WatchStore(RedisLane[WatchPlan]):
    """See ``lua/watch.lua`` for the keys."""

    lane = "w"
    script = "watch"

    async def read(self, batch: Batch) -> dict[str, WatchedSeries]:
        return await self.known(batch.partition, [series_of(item.event).key for item in batch.items])  # type: ignore[arg-type]

    async def known(self, partition: int, series: Sequence[str]) -> dict[str, WatchedSeries]:
        """By their keys, those that something is known of."""
        wanted = [*dict.fromkeys(series)]
        if not wanted:
            return {}
        texts = await ask(self._redis.hmget(f"{self.base(partition)}:series", wanted))
        return {key: _decoded(text) for key, text in zip(wanted, texts, strict=True) if text}

    async def tick(self, partition: int, token: Token, now: int) -> Outcome:
        return await self.hold(partition, token)

    async def settle(self, partition: int, token: Token, plan: WatchPlan) -> Outcome:
        return await self._apply(partition, token, NO_POSITION, plan)

    def encode(self, partition: int, plan: WatchPlan) -> tuple[object]:
        return ([(key, to_json(known)) for key, known in plan.series.items()],)


class WatchReader:
    """One reader for scrapes and pages, which share for a moment what is known of all series."""

    def __init__(self, redis: Client, prefix: str, partitions: Iterable[int]) -> None:
        self._redis = redis
        self._bases = [keys.base(prefix, WatchStore.lane, partition) for partition in partitions]
        self._fresh = Fresh(self._read)

    async def series(self) -> dict[Series, WatchedSeries]:
        return await self._fresh.get()

    async def _read(self) -> dict[Series, WatchedSeries]:
        found = {}
        for base in self._bases:
            for key, text in (await ask(self._redis.hgetall(f"{base}:series"))).items():
                found[Series(*_key.decode(key))] = _decoded(text)
        return found


def _decoded(text: bytes) -> WatchedSeries:
    try:
        return _known.decode(text)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"what is known of a watched series cannot be read: {error}") from error


_key = msgspec.json.Decoder(list[str])
_known = msgspec.json.Decoder(WatchedSeries)
