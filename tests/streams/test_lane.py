"""The lane over real Kafka and Redis: every record is applied once or set aside, whatever happens."""

import asyncio
import base64
import itertools
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.errors import PolicyViolationError

from scoring.segments import Dimensions, Series
from streams.events import Response, encode
from streams.outbox import Outbox
from streams.partitions import partition_of
from streams.store import Claimed, Fenced, Outcome, Token
from streams.topics import DEAD_LETTERS, RESPONSES
from tests.make import answer
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.redis import Redis
from tests.real.wait import until
from tests.streams.worker import SURVEY, Bench, Worker

SCORES = range(11)
PARTITIONS = 2
ID = "r0"  # belongs to partition 0


def scored(*scores: int, first: int = 0, partition: int = 0) -> list[Response]:
    """Answers of different people; the ids belong to the partition and count from the `first` that does."""
    ids = (f"r{number}" for number in itertools.count() if partition_of(f"r{number}", PARTITIONS) == partition)
    chosen = itertools.islice(ids, first, first + len(scores))
    return [answer(score, id_, survey=SURVEY) for score, id_ in zip(scores, chosen, strict=True)]


def histogram(*answers: Sequence[Response]) -> list[int]:
    """What is right when every one of these counts once."""
    given = [one.score for batch in answers for one in batch]
    return [given.count(score) for score in SCORES]


async def dead_letters(bench: Bench) -> list[dict[str, Any]]:
    return [
        json.loads(record.value) for record in await records.read(bench.bootstrap, bench.topics[DEAD_LETTERS].name)
    ]


async def keys_of(bench: Bench, partition: int) -> dict[bytes, bytes]:
    """Everything that the state knows of a partition, to be put back later."""
    found = [key async for key in bench.redis.scan_iter(match=f"{bench.base(partition)}*")]
    return {key: await bench.redis.dump(key) for key in found}


async def roll_back(bench: Bench, partition: int, saved: dict[bytes, bytes]) -> None:
    """Put a partition's state back to what it was, in one step, as a restored snapshot would."""
    async with bench.redis.pipeline(transaction=True) as step:
        for key in await keys_of(bench, partition):
            step.delete(key)
        for key, value in saved.items():
            step.restore(key, 0, value)
        await step.execute()


# once


async def test_answers_count_once_over_restarts(bench: Bench) -> None:
    first, second = scored(*SCORES), scored(9, 9, 3, first=11)
    await bench.write(*first)
    async with bench.worker():
        await bench.caught_up()
    await bench.write(*second, *first[:5])  # five of them are sent again
    async with bench.worker():
        await bench.caught_up()
    async with bench.worker() as third:
        await until(lambda: third.lane.ready)
    assert await bench.histogram() == histogram(first, second)


async def test_repeats_in_one_batch_count_once(bench: Bench) -> None:
    given = scored(10, 7, 0)
    await bench.write(*given, *given, *reversed(given))
    async with bench.worker():
        await bench.caught_up()
    assert await bench.histogram() == histogram(given)


async def test_kafkas_own_offsets_do_not_matter(bench: Bench) -> None:
    given = scored(*SCORES)
    await bench.write(*given)
    async with bench.worker():
        await bench.caught_up()
    before = await bench.answered()

    tp = TopicPartition(bench.responses, 0)
    operator = AIOKafkaConsumer(bootstrap_servers=bench.bootstrap, group_id=bench.group, enable_auto_commit=False)
    async with operator:
        operator.assign([tp])
        await operator.commit({tp: 0})  # a person has rewound the group

    more = scored(9, first=100)
    await bench.write(*more)
    async with bench.worker():
        await bench.caught_up()
    assert await bench.histogram() == histogram(given, more)
    assert await bench.answered() == before


async def test_a_newer_version_takes_the_older_ones_place(bench: Bench) -> None:
    old, new = answer(2, ID, survey=SURVEY, updated_at=1_000), answer(9, ID, survey=SURVEY, updated_at=2_000)
    await bench.write(old, new, old)
    async with bench.worker():
        await bench.caught_up()
    assert await bench.histogram() == histogram([new])


# where the state stands


async def test_a_rolled_back_state_is_filled_up_live(bench: Bench) -> None:
    first, second, third = scored(*SCORES), scored(0, 0, first=11), scored(10, first=13)
    await bench.write(*first)
    async with bench.worker():
        await bench.caught_up()
        saved = await keys_of(bench, 0)
        await bench.write(*second)
        await bench.caught_up()
        await roll_back(bench, 0, saved)
        await bench.write(*third)
        await bench.caught_up()
    assert await bench.histogram() == histogram(first, second, third)


async def test_a_position_set_back_by_hand_counts_nothing_twice(bench: Bench) -> None:
    first, second = scored(*SCORES), scored(10, first=11)
    await bench.write(*first)
    async with bench.worker():
        await bench.caught_up()
        await bench.redis.hset(f"{bench.base()}:lane", "off", 3)
        await bench.write(*second)
        await bench.caught_up()
    assert await bench.histogram() == histogram(first, second)


async def test_a_position_set_back_while_no_worker_runs(bench: Bench) -> None:
    given = scored(*SCORES)
    await bench.write(*given)
    async with bench.worker():
        await bench.caught_up()
    await bench.redis.hset(f"{bench.base()}:lane", "off", 3)
    async with bench.worker():
        await bench.caught_up()
    assert await bench.histogram() == histogram(given)


async def test_a_lost_state_is_counted_anew_from_the_start_of_the_log(bench: Bench) -> None:
    first, second = scored(*SCORES), scored(10, first=11)
    await bench.write(*first)
    async with bench.worker():
        await bench.caught_up()
        await bench.redis.flushall()
        await bench.write(*second)
        await bench.caught_up()
    assert await bench.histogram() == histogram(first, second)


async def test_nothing_is_on_its_way_when_a_lost_state_is_claimed_again(bench: Bench) -> None:
    """What the memory does not find in the log then, nobody writes there any more."""
    steps: list[tuple[str, int]] = []
    worker = bench.worker()
    release, claim = worker.relay.release, worker.store.claim

    async def noted_release(outbox: Outbox, partition: int) -> None:
        await release(outbox, partition)
        steps.append(("release", partition))

    async def noted_claim(partition: int, token: Token) -> Claimed | Fenced:
        steps.append(("claim", partition))
        return await claim(partition, token)

    worker.relay.release, worker.store.claim = noted_release, noted_claim  # type: ignore[method-assign]
    await bench.write(*scored(*SCORES))
    async with worker:
        await bench.caught_up()
        steps.clear()
        await bench.redis.flushall()
        await until(lambda: ("claim", 0) in steps and ("claim", 1) in steps, message="both are claimed again")
        await bench.caught_up()
        again = [step for step in steps if step[1] == 0]
    assert again[:2] == [("release", 0), ("claim", 0)]


async def test_a_position_outside_the_log_stops_its_partition_alone(bench: Bench) -> None:
    given = scored(*SCORES)
    await bench.write(*given, partition=0)
    await bench.write(*scored(9, partition=1), partition=1)
    async with bench.worker():
        await bench.caught_up()
    await bench.redis.hset(f"{bench.base(0)}:lane", "off", 999)

    async with bench.worker() as worker:
        await until(lambda: worker.lane.stopped_partitions)
        more = scored(10, first=1, partition=1)
        await bench.write(*more, partition=1)
        await bench.caught_up([1])
        assert worker.lane.stopped_partitions == {0: "position 999 lies outside the log [0, 11]"}
        assert worker.lane.ready
    assert await bench.position(0) == 999


async def test_records_deleted_before_they_were_read_stop_their_partition(bench: Bench) -> None:
    await bench.write(*scored(9, 9))
    async with bench.worker():
        await bench.caught_up()
    await bench.write(*scored(3, 3, 3, first=10))
    await delete_records(bench, before=4)
    async with bench.worker() as worker:
        await until(lambda: worker.lane.stopped_partitions)
        assert worker.lane.stopped_partitions == {0: "position 2 lies outside the log [4, 5]"}


async def test_a_lane_that_retention_overtakes_stops_its_partition(bench: Bench) -> None:
    padded = encode(scored(9)[0])[:-1] + b',"pad":"' + b"x" * 500_000 + b'"}'
    async with bench.worker() as worker:
        await until(lambda: worker.lane.ready)
        async with worker.lane._owned[0].turn:  # the process stands still, but for what it had asked Kafka for
            await bench.write(*[padded] * 40)
            await delete_records(bench, before=40)
        await bench.write(*scored(8, partition=1), partition=1)
        await until(lambda: worker.lane.stopped_partitions, timeout=30, message="partition 0 is stopped")
        await bench.caught_up([1])
        position = await bench.position(0)
        assert worker.lane.stopped_partitions == {0: f"position {position} lies outside the log [40, 40]"}


async def delete_records(bench: Bench, *, before: int) -> None:
    """Delete the beginning of partition 0, as retention would; Kafka refuses it while a topic is compacted."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.bootstrap)
    await admin.start()
    try:
        settings = {"cleanup.policy": "delete"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, bench.responses, settings)])

        async def deleted() -> bool:
            try:
                await admin.delete_records({TopicPartition(bench.responses, 0): RecordsToDelete(before)})
            except PolicyViolationError:  # the broker has not heard of the setting yet
                return False
            return True

        await until(deleted, message="the records are deleted")
    finally:
        await admin.close()


# poison


@pytest.mark.parametrize("at", [0, 2, 4], ids=["start", "middle", "end"])
@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (b"{not json", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b'{"type":"response","response_id":"x","survey_id":"nps","score":11}', "invalid"),
        (b'{"type":"weather","score":9}', "unknown_type"),
        (b'{"type":"response","version":2,"response_id":"x","survey_id":"nps","score":9}', "unknown_version"),
        (None, "empty"),
        (encode(answer(9, "r0", survey="nobody")), "unknown_survey"),
        (encode(answer(9, "r0", survey="csat")), "invalid"),
    ],
)
async def test_poison_is_set_aside_and_the_stream_goes_on(
    bench: Bench, at: int, poison: bytes | None, reason: str
) -> None:
    good = scored(9, 8, 7, 6)
    values: list[Any] = [*good[:at], poison, *good[at:]]
    await bench.write(*values)
    async with bench.worker():
        await bench.caught_up()
        (letter,) = await until(lambda: dead_letters(bench), message="the dead letter")
    assert await bench.histogram() == histogram(good)
    assert (letter["topic"], letter["partition"], letter["offset"]) == (bench.responses, 0, at)
    assert letter["reason"] == reason
    assert letter["detail"]
    assert base64.b64decode(letter["payload"]) == (poison or b"")
    assert (await bench.board()).count("livenps_dead_letters_total", RESPONSES, reason) == 1


async def test_nothing_but_poison_is_passed_too(bench: Bench) -> None:
    await bench.write(b"1", b"2", None)
    async with bench.worker():
        await bench.caught_up()
        await until(lambda: _has(bench, 3), message="three dead letters")
    assert sorted(letter["offset"] for letter in await dead_letters(bench)) == [0, 1, 2]


async def test_a_huge_record_is_set_aside_with_the_beginning_of_its_payload(bench: Bench) -> None:
    await bench.write(b"x" * 900_000, *scored(9))
    async with bench.worker():
        await bench.caught_up()
        (letter,) = await until(lambda: dead_letters(bench), message="the dead letter")
    assert base64.b64decode(letter["payload"]) == b"x" * 256 * 1024


async def test_a_record_that_the_rule_fails_on_is_set_aside_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = scored(9, 8, 7)
    bad = scored(0, first=3)
    series = Dimensions.series

    def broken(self: Dimensions, survey: str, attributes: dict[str, Any]) -> list[Series]:
        if "bad" in attributes:
            raise ZeroDivisionError("a bug")
        return series(self, survey, attributes)

    monkeypatch.setattr(Dimensions, "series", broken)
    failing = msgspec.structs.replace(bad[0], attributes={"plan": "new", "bad": True})
    await bench.write(good[0], failing, *good[1:])
    async with bench.worker():
        await bench.caught_up()
        (letter,) = await until(lambda: dead_letters(bench), message="the dead letter")
    assert (letter["offset"], letter["reason"]) == (1, "error")
    assert "a bug" in letter["detail"]
    assert await bench.histogram() == histogram(good)


async def test_a_record_on_another_keys_partition_is_forwarded_and_counted_once(bench: Bench) -> None:
    given = scored(9, 9, 3)
    await bench.write(given[0], given[1])
    await bench.write(given[1], given[2], partition=1)  # by a producer with another partitioner
    async with bench.worker():
        await bench.caught_up()
        await until(lambda: _forwarded(bench, 4), message="two records came back")
        await bench.caught_up()
    assert await bench.histogram() == histogram(given)
    assert await dead_letters(bench) == []


async def _forwarded(bench: Bench, count: int) -> bool:
    return (await records.ends(bench.bootstrap, bench.responses))[0] == count


async def _has(bench: Bench, count: int) -> bool:
    return len(await dead_letters(bench)) == count


# parts that fail


@pytest.mark.parametrize("fault", ["kill", "pause"])
async def test_a_redis_that_is_away_is_waited_for(bench: Bench, redis_server: Redis, fault: str) -> None:
    first, second = scored(*SCORES), scored(0, 10, first=11)
    await bench.write(*first)
    async with bench.worker() as worker:
        await bench.caught_up()
        getattr(redis_server, fault)()
        await bench.write(*second)
        await until(lambda: not worker.lane.ready, timeout=30, message="the claim was given up")
        redis_server.resume() if fault == "pause" else redis_server.launch()
        await until(redis_server.answers)
        await bench.caught_up()
        assert not worker.lane.stopped_partitions
    assert await bench.histogram() == histogram(first, second)


async def test_a_redis_that_forgets_its_scripts_is_taught_again(bench: Bench) -> None:
    """As one does that restarts, also between being taught and being asked."""
    given: list[Response] = []

    taught = asyncio.Event()

    async def forget() -> None:
        while not taught.is_set():
            await bench.redis.script_flush()

    async with bench.worker() as worker:
        await until(lambda: worker.lane.ready)
        forgetting = asyncio.create_task(forget())
        for _ in range(20):
            given += scored(*SCORES, first=len(given))
            await bench.write(*given[-11:])
        taught.set()
        await forgetting
        await bench.caught_up()
        assert not worker.lane.stopped_partitions
    assert await bench.histogram() == histogram(given)


async def test_a_kafka_that_does_not_answer_a_claim_is_waited_for(
    bench: Bench, kafka: Kafka, redis_server: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    given = scored(*SCORES)
    await bench.write(*given[:5])
    async with bench.worker() as worker:
        await bench.caught_up()
        worker.lane._consumer._request_timeout_ms = 300
        kafka.pause()
        redis_server.kill()
        await until(lambda: not worker.lane.ready, timeout=30, message="the claim was given up")
        redis_server.launch()
        await until(redis_server.answers)
        await until(lambda: "KafkaTimeoutError" in capsys.readouterr().out, message="a claim timed out")
        kafka.resume()
        await bench.write(*given[5:])
        await bench.caught_up()
    assert await bench.histogram() == histogram(given)


async def test_a_damaged_partition_stops_alone(bench: Bench) -> None:
    await bench.redis.set(f"{bench.base(0)}:0:sums", "not ours")
    more = scored(9, 9, partition=1)
    await bench.write(*scored(3), partition=0)
    await bench.write(*more, partition=1)
    async with bench.worker() as worker:
        await bench.caught_up([1])
        await until(lambda: worker.lane.stopped_partitions)
        (why,) = worker.lane.stopped_partitions.values()
        assert f"{bench.base(0)}:0:sums" in why
    assert await bench.redis.get(f"{bench.base(0)}:0:sums") == b"not ours"
    assert await bench.position(0) == 0


async def test_a_partition_that_a_bug_stops_stops_alone(bench: Bench) -> None:
    worker = bench.worker()
    sound = worker.lane._tick

    async def tick(partition: int, token: Token, now: int) -> Outcome:
        if partition == 0:
            raise ValueError("nobody thought of this")
        return await sound(partition, token, now)

    worker.lane._tick = tick
    async with worker:
        await until(lambda: worker.lane.stopped_partitions)
        assert worker.lane.stopped_partitions == {0: "livenps fails on it: ValueError('nobody thought of this')"}
        await bench.write(*scored(9, 9, partition=1), partition=1)
        await bench.caught_up([1])
        assert worker.lane.ready


# more than one worker


async def test_two_workers_share_and_count_exactly(bench: Bench) -> None:
    written: list[Response] = []

    async def write(count: int) -> None:
        first = len(written) // 2
        for partition in (0, 1):
            given = scored(*[n % 11 for n in range(count)], first=first, partition=partition)
            written.extend(given)
            await bench.write(*given, *given[:20], partition=partition)

    async with bench.worker() as first:
        await write(150)
        await until(lambda: first.lane.partitions == [0, 1] and first.lane.ready)
        async with bench.worker() as second:
            await write(150)
            await until(lambda: len(second.lane.partitions) == 1 and second.lane.ready, timeout=30)
            await until(lambda: len(first.lane.partitions) == 1 and first.lane.ready, timeout=30)
            await write(150)
            await bench.caught_up()
            await write(150)
            await first.stop()
            await write(150)
            await until(lambda: second.lane.partitions == [0, 1] and second.lane.ready, timeout=30)
            await bench.caught_up()
    assert await bench.histogram() == histogram(written)


async def test_a_worker_whose_partition_was_taken_writes_nothing_more(bench: Bench) -> None:
    given = scored(*SCORES)
    await bench.write(*given)
    async with bench.worker() as old:
        await bench.caught_up()
        # Another worker got the partition while this one's process stood still: it has not been told.
        new = Token("new", 1_000)
        for partition in (0, 1):
            assert isinstance(await old.store.claim(partition, new), Claimed)
        await bench.write(*scored(0, 0, first=11))
        await until(lambda: not old.lane.ready, message="the old worker has given up its claim")
        await bench.redis.hset(f"{bench.base()}:lane", "lease", 0)
        # With the lease over the partition is free: Kafka has assigned it to nobody else.
        await bench.caught_up()
    assert await bench.histogram() == histogram(given, scored(0, 0, first=11))


async def test_workers_that_stop_together_stop_at_once(bench: Bench) -> None:
    await bench.write(*scored(9), partition=0)
    first, second = await bench.worker().__aenter__(), await bench.worker().__aenter__()
    await until(lambda: _shared(first, second), timeout=30, message="each has one partition")
    async with asyncio.timeout(15):
        await asyncio.gather(first.stop(), second.stop())


def _shared(*workers: Worker) -> bool:
    return all(len(worker.lane.partitions) == 1 and worker.lane.ready for worker in workers)


async def test_a_worker_stops_while_its_group_is_rebalanced(bench: Bench) -> None:
    await bench.write(*scored(9), partition=0)
    first, second = await bench.worker().__aenter__(), bench.worker()
    await until(lambda: first.lane.ready)
    async with first.lane._owned[0].turn:  # a batch is in flight when the signal comes
        stopping = asyncio.create_task(first.stop())
        await until(lambda: first.lane.should_stop)
        joining = asyncio.create_task(second.__aenter__())
        await until(lambda: first.lane._consumer._subscription.reassignment_in_progress, timeout=20)
    async with asyncio.timeout(15):
        await stopping
    await joining
    await until(lambda: second.lane.partitions == [0, 1] and second.lane.ready, timeout=30)
    await second.stop()


async def test_a_worker_stops_before_its_group_has_spoken(bench: Bench) -> None:
    worker = await bench.worker().__aenter__()
    assert not worker.lane.ready
    async with asyncio.timeout(15):
        await worker.stop()
    assert not worker.lane.crashed
