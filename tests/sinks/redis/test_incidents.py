"""The newest incidents and markers, kept and read."""

import pytest
from redis.asyncio import Redis

import sinks.redis.incidents
from sinks.redis.incidents import IncidentsStore, TimelineReader
from streams.events import Event, Marker
from streams.incidents import KeepIncidents
from streams.store import Applied
from streams.times import HOUR, MINUTE, from_ms
from tests.make import NOW, alert, batch
from tests.sinks.redis.lanes import A


class Keeping:
    """A lane as tests drive it."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self.store, self.rule = IncidentsStore(redis, prefix), KeepIncidents()
        self.reader = TimelineReader(redis, prefix, range(2))
        self._next = 0

    async def open(self) -> "Keeping":
        for partition in (0, 1):
            await self.store.claim(partition, A)
            assert await self.store.begin(partition, A, 0, 0) == Applied()
        return self

    async def keep(self, *events: Event) -> None:
        read = batch(*events, start=self._next)
        self._next = read.end
        assert (
            await self.store.commit(read, A, self.rule.decide(read, await self.store.read(read), NOW)) == Applied()
        )


@pytest.fixture
async def keeping(redis: Redis, namespace: str) -> Keeping:
    return await Keeping(redis, namespace).open()


def marker(id_: str, at: int) -> Marker:
    return Marker(marker_id=id_, title="release <4.2>", at=from_ms(at))


async def test_the_newest_come_first(keeping: Keeping) -> None:
    await keeping.keep(alert("a"), marker("m", NOW), alert("b", at=NOW + MINUTE), marker("n", NOW - MINUTE))
    found = await keeping.reader.timeline()
    assert [one.incident_id for one in found.incidents] == [f"b-{NOW + MINUTE}", f"a-{NOW}"]
    assert found.markers == [marker("m", NOW), marker("n", NOW - MINUTE)]


async def test_an_incident_is_resolved_in_its_place(keeping: Keeping) -> None:
    await keeping.keep(alert("a"))
    await keeping.keep(alert("a", until=NOW + HOUR))
    [incident] = (await keeping.reader.timeline()).incidents
    assert incident.resolved_at == "2026-03-01T13:00:00Z"


async def test_an_alert_without_a_time_that_is_one_is_passed_over(keeping: Keeping) -> None:
    undated = alert("b")
    undated.starts_at = 1e300
    await keeping.keep(alert("a"), undated, marker("m", NOW))
    found = await keeping.reader.timeline()
    assert ([one.incident_id for one in found.incidents], len(found.markers)) == ([f"a-{NOW}"], 1)


async def test_nothing_has_happened_yet(keeping: Keeping) -> None:
    assert await keeping.reader.timeline() == ([], [])


async def test_the_oldest_are_forgotten(keeping: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks.redis.incidents, "KEEP", 2)
    for n in range(4):
        await keeping.keep(alert(f"a{n}", at=NOW + n * MINUTE), marker(f"m{n}", NOW - n * MINUTE))
    found = await keeping.reader.timeline()
    assert [one.incident_id.partition("-")[0] for one in found.incidents] == ["a3", "a2"]
    assert [one.marker_id for one in found.markers] == ["m0", "m1"]
