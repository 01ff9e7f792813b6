"""The incidents lane's state, the newest incidents and markers, and its reader."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from sinks.redis import keys
from sinks.redis.client import Client, ask, to_json
from sinks.redis.fresh import Fresh
from sinks.redis.lane import RedisLane
from streams.events import Alert, Marker
from streams.incidents import Incident, IncidentsPlan, incident_id, undated_because
from streams.store import Batch, Outcome, Token
from streams.times import SECOND, to_ms

KEEP = 500  # of each, per partition


class IncidentsStore(RedisLane[IncidentsPlan]):
    """See ``lua/incidents.lua`` for the keys."""

    lane = "i"
    script = "incidents"

    async def read(self, batch: Batch) -> dict[str, Incident]:
        alerts = [item.event for item in batch.items if isinstance(item.event, Alert)]
        ids = [incident_id(alert) for alert in alerts if not undated_because(alert)]
        if not ids:
            return {}
        texts = await ask(self._redis.hmget(f"{self.base(batch.partition)}:incidents", ids))
        return {id_: _incident.decode(text) for id_, text in zip(ids, texts, strict=True) if text}

    async def tick(self, partition: int, token: Token, now: int) -> Outcome:
        return await self.hold(partition, token)

    def encode(self, partition: int, plan: IncidentsPlan) -> tuple[object]:
        incidents = [(id_, _ms(one.opened_at), to_json(one)) for id_, one in plan.incidents.items()]
        markers = [(id_, to_ms(one.at), to_json(one)) for id_, one in plan.markers.items()]
        return ({"keep": KEEP, "incidents": incidents, "markers": markers},)


class Timeline(NamedTuple):
    """Incidents and markers over all partitions, newest first."""

    incidents: list[Incident]
    markers: list[Marker]


class TimelineReader:
    """One reader for all pages, which share a timeline for a moment."""

    def __init__(self, redis: Client, prefix: str, partitions: Iterable[int]) -> None:
        self._redis = redis
        self._bases = [keys.base(prefix, IncidentsStore.lane, partition) for partition in partitions]
        self._fresh = Fresh(self._read)

    async def timeline(self) -> Timeline:
        return await self._fresh.get()

    async def _read(self) -> Timeline:
        incidents: list[Incident] = []
        markers: list[Marker] = []
        for base in self._bases:
            incidents += map(_incident.decode, await ask(self._redis.hvals(f"{base}:incidents")))
            markers += map(_marker.decode, await ask(self._redis.hvals(f"{base}:markers")))
        return Timeline(
            sorted(incidents, key=lambda one: _ms(one.opened_at), reverse=True),
            sorted(markers, key=lambda one: to_ms(one.at), reverse=True),
        )


def _ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * SECOND)


_incident = msgspec.json.Decoder(Incident)
_marker = msgspec.json.Decoder(Marker)
