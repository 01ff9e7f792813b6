"""Returned events reach Kafka at least once, in their order, and leave the outbox only then."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from mode import Service

from streams.events import Answered, encode
from streams.outbox import Outbox, Relay
from streams.store import OUTBOX_CHUNK, StoreUnavailable
from streams.topics import DEAD_LETTERS, TOUCHPOINTS
from tests.make import on
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.redis import Redis
from tests.real.wait import until
from tests.streams.worker import Bench, Worker


class Forgetful:
    """An outbox that is gone once, after its entries were published and before they are trimmed."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.failed = False

    async def outbox(self, partition: int) -> Sequence[tuple[str, list[tuple[str, str, bytes]]]]:
        return await self._outbox.outbox(partition)

    async def published(self, partition: int, entries: Sequence[str]) -> None:
        if not self.failed:
            self.failed = True
            raise StoreUnavailable("gone for now")
        await self._outbox.published(partition, entries)


class Slow:
    """An outbox whose first reader waits for its reply, which is on its way."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.read, self.may = asyncio.Event(), asyncio.Event()

    async def outbox(self, partition: int) -> Sequence[tuple[str, list[tuple[str, str, bytes]]]]:
        entries = await self._outbox.outbox(partition)
        self.read.set()
        await self.may.wait()
        return entries

    async def published(self, partition: int, entries: Sequence[str]) -> None:
        await self._outbox.published(partition, entries)


@pytest.fixture
async def worker(bench: Bench) -> Worker:
    """The parts of a worker, none started."""
    return bench.worker()


async def returned(bench: Bench, first: int, count: int, *, partition: int = 0) -> None:
    """Entries as batches leave them: one event each, all of one customer, so that they share a partition."""
    for number in range(first, first + count):
        event: Answered = on(Answered, f"e{number}", survey_id="nps")
        entry = json.dumps([[TOUCHPOINTS, "c1", json.loads(encode(event))]])
        await bench.redis.xadd(f"{bench.base(partition)}:out", {"e": entry})


async def published(bench: Bench) -> list[int]:
    found = await records.read(bench.bootstrap, bench.topics[TOUCHPOINTS].name)
    return [int(json.loads(record.value)["event_id"][1:]) for record in found]


async def waiting(bench: Bench, partition: int = 0) -> int:
    return int(await bench.redis.xlen(f"{bench.base(partition)}:out"))


async def empty(bench: Bench) -> bool:
    return await waiting(bench) == 0


async def stop(*services: Service) -> None:
    for service in services:
        await service.stop()
        assert not service.crashed


async def test_events_are_published_in_order_and_trimmed(bench: Bench, worker: Worker) -> None:
    await returned(bench, 0, 120)  # more than the relay reads at once
    await worker.publisher.start()
    await worker.relay.start()
    worker.relay.own(worker.store, 0)
    await until(lambda: empty(bench))
    assert await published(bench) == list(range(120))

    await returned(bench, 120, 1)
    worker.relay.wake()
    await until(lambda: empty(bench))
    await stop(worker.relay, worker.publisher)
    assert await published(bench) == list(range(121))


async def test_an_entry_keeps_the_topic_and_key_of_every_event(bench: Bench, worker: Worker) -> None:
    entry = [[TOUCHPOINTS, "c1", {}], [DEAD_LETTERS, "t:0", {"at": "ä"}], [TOUCHPOINTS, "c2", {}]]
    await bench.redis.xadd(
        f"{bench.base()}:out", {"e": json.dumps(entry, ensure_ascii=False, separators=(",", ":"))}
    )
    await worker.publisher.start()
    await worker.relay.start()
    worker.relay.own(worker.store, 0)
    await until(lambda: empty(bench))
    await stop(worker.relay, worker.publisher)
    touchpoints = await records.read(bench.bootstrap, bench.topics[TOUCHPOINTS].name)
    assert sorted((record.key, record.value) for record in touchpoints) == [(b"c1", b"{}"), (b"c2", b"{}")]
    (letter,) = await records.read(bench.bootstrap, bench.topics[DEAD_LETTERS].name)
    assert (letter.key, letter.value.decode()) == (b"t:0", '{"at":"ä"}')


async def test_a_failure_before_trimming_publishes_again_in_order(bench: Bench, worker: Worker) -> None:
    await returned(bench, 0, 60)
    outbox = Forgetful(worker.store)
    await worker.publisher.start()
    await worker.relay.start()
    worker.relay.own(outbox, 0)
    await until(lambda: empty(bench))
    await stop(worker.relay, worker.publisher)
    assert outbox.failed
    assert await published(bench) == [*range(OUTBOX_CHUNK), *range(60)]  # what was on its way


async def test_a_partition_that_was_released_is_left_alone(bench: Bench, worker: Worker) -> None:
    await worker.publisher.start()
    await worker.relay.start()
    worker.relay.own(worker.store, 0)
    worker.relay.own(worker.store, 1)
    await returned(bench, 0, 1)
    worker.relay.wake()
    await until(lambda: empty(bench))
    await worker.relay.release(worker.store, 0)
    await returned(bench, 1, 1)
    await returned(bench, 2, 1, partition=1)
    worker.relay.wake()
    await until(lambda: drained(bench, 1))
    await stop(worker.relay, worker.publisher)
    assert await waiting(bench) == 1
    assert await published(bench) == [0, 2]


async def drained(bench: Bench, partition: int) -> bool:
    return await waiting(bench, partition) == 0


async def test_a_redis_that_is_away_is_waited_for(
    bench: Bench, worker: Worker, redis_server: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    await returned(bench, 0, 3)
    await worker.publisher.start()
    redis_server.kill()
    await worker.relay.start()
    worker.relay.own(worker.store, 0)
    await until(lambda: "returned events wait" in capsys.readouterr().out, message="the relay has tried")
    redis_server.launch()
    await until(redis_server.answers)
    await until(lambda: empty(bench), timeout=20)
    await stop(worker.relay, worker.publisher)
    assert await published(bench) == [0, 1, 2]


async def test_a_kafka_that_is_away_is_waited_for(bench: Bench, worker: Worker, kafka: Kafka) -> None:
    await worker.publisher.start()
    await worker.relay.start()
    worker.relay.own(worker.store, 0)
    await returned(bench, 0, 1)
    worker.relay.wake()
    await until(lambda: empty(bench))
    kafka.kill()
    await returned(bench, 1, 3)
    worker.relay.wake()
    kafka.launch()
    await until(kafka.answers, timeout=kafka.patience)
    await until(lambda: empty(bench), timeout=30)
    await stop(worker.relay, worker.publisher)
    assert await published(bench) == [0, 1, 2, 3]


async def test_a_relay_that_stopped_leaves_the_rest_to_the_next(bench: Bench, worker: Worker) -> None:
    await returned(bench, 0, 3)
    await worker.publisher.start()
    await worker.relay.start()
    await stop(worker.relay)
    assert await waiting(bench) == 3
    second = Relay(worker.publisher)
    await second.start()
    second.own(worker.store, 0)
    await until(lambda: empty(bench))
    await stop(second, worker.publisher)
    assert await published(bench) == [0, 1, 2]


async def test_a_release_waits_for_what_is_read_too(bench: Bench, worker: Worker) -> None:
    """A state that is lost meanwhile is claimed again, and its log is read, before the relay goes on."""
    slow = Slow(worker.store)
    await returned(bench, 0, 1)
    await worker.publisher.start()
    await worker.relay.start()
    worker.relay.own(slow, 0)
    await until(slow.read.is_set, message="the relay has read")
    await bench.redis.flushall()
    releasing = asyncio.create_task(worker.relay.release(slow, 0))
    for _ in range(20):  # turns of the loop, of which a release with nothing to wait for needs one
        await asyncio.sleep(0)
    assert not releasing.done()
    slow.may.set()
    await releasing
    at_release = await published(bench)
    worker.relay.own(slow, 0)
    await returned(bench, 1, 1)
    worker.relay.wake()
    await until(lambda: empty(bench))
    await stop(worker.relay, worker.publisher)
    assert await published(bench) == [*at_release, 1]


async def test_a_release_returns_once_nothing_is_on_its_way(bench: Bench, worker: Worker) -> None:
    """What comes late from the former owner must not stand behind the next owner's newer events."""
    await worker.publisher.start()
    await worker.relay.start()
    await returned(bench, 0, 500)
    worker.relay.own(worker.store, 0)
    await until(lambda: published(bench), message="the relay is at work")
    await worker.relay.release(worker.store, 0)
    at_release = len(await published(bench))
    assert await waiting(bench) == 500 - at_release
    await returned(bench, 500, 1)
    second = Relay(worker.publisher)
    await second.start()
    second.own(worker.store, 0)
    await until(lambda: empty(bench))
    await stop(second, worker.relay, worker.publisher)
    assert await published(bench) == list(range(501))
