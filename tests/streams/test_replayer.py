"""Replays on a real Kafka, two at once among them."""

import asyncio

import pytest

from streams import topics
from streams.dead_letters import Letters, Report
from streams.events import encode
from streams.letters import dead_letter
from streams.log_reader import LogReader
from streams.replayer import Log, Replayer, fetch, read
from streams.topics import DEAD_LETTERS, RESPONSES, Topic
from tests.make import NOW, answer
from tests.real import records
from tests.real.kafka import Kafka

COUNT = 40
FIRST = 1_000  # where the records stood: far behind those that are put back


class Desk:
    """Letters of one partition on topics of a test's own."""

    def __init__(self, bootstrap: str, wanted: dict[str, Topic]) -> None:
        self.bootstrap, self.topics, self.letters = bootstrap, wanted, wanted[DEAD_LETTERS]

    async def write(self) -> None:
        name = self.topics[RESPONSES].name
        payloads = [encode(answer(response_id=f"r{n}")) for n in range(COUNT)]
        letters = [
            dead_letter(name, 1, FIRST + n, "error", "", payload, NOW, key=b"r")
            for n, payload in enumerate(payloads)
        ]
        await records.write(self.bootstrap, self.letters.name, *letters)

    async def look(self) -> Log:
        async with LogReader(self.bootstrap) as reader:
            bounds = [await reader.bounds(self.letters.name, n) for n in range(self.letters.partitions)]
            return await read(reader, self.letters, bounds, Letters(self.topics.values()), lambda _: None)

    async def replay(self, log: Log, replayer: Replayer) -> Report:
        report = Report()
        async with LogReader(self.bootstrap) as reader:
            async for partition, letters in fetch(reader, self.letters, log.letters.select()):
                for one in letters:  # each by itself, so that two take turns
                    await replayer.replay(partition, [one], report)
        return report

    def replayer(self, log: Log) -> Replayer:
        return Replayer(self.bootstrap, self.letters, log, lambda: NOW)

    async def values(self) -> list[bytes]:
        return [record.value for record in await records.read(self.bootstrap, self.topics[RESPONSES].name)]


@pytest.fixture
async def desk(kafka: Kafka, namespace: str) -> Desk:
    wanted = topics.topics(prefix=namespace)
    await topics.create(kafka.bootstrap, wanted.values())
    desk = Desk(kafka.bootstrap, wanted)
    await desk.write()
    return desk


async def test_letters_are_fetched_in_the_order_of_the_log(desk: Desk) -> None:
    log = await desk.look()
    chosen = [entry for entry in log.letters.select() if entry.offset % 2 == 0]
    async with LogReader(desk.bootstrap) as reader:
        found = [(n, letter) async for n, letters in fetch(reader, desk.letters, chosen) for letter in letters]
    assert [(n, letter.offset) for n, letter in found] == [
        (0, offset) for offset in range(FIRST, FIRST + COUNT, 2)
    ]


async def test_two_replays_at_once_put_each_record_back_once(desk: Desk) -> None:
    log = await desk.look()
    async with desk.replayer(log) as one, desk.replayer(log) as other:
        first, second = await asyncio.gather(desk.replay(log, one), desk.replay(log, other))
    assert first.replayed.keys().isdisjoint(second.replayed)
    assert len(first.replayed) + len(second.replayed) == COUNT
    assert first.failed.keys() == second.replayed.keys()
    assert second.failed.keys() == first.replayed.keys()
    assert len(await desk.values()) == len(set(await desk.values())) == COUNT
    states = {log.letters.state(entry) for log in [await desk.look()] for entry in log.letters.select()}
    assert states == {"replayed"}


async def test_a_look_from_before_replays_nothing_that_was_replayed_since(desk: Desk) -> None:
    log = await desk.look()
    for count in (COUNT, 0):
        async with desk.replayer(log) as replayer:
            report = await desk.replay(log, replayer)
        assert len(report.replayed) == count
    assert set(report.failed.values()) == {"it is being replayed by somebody else"}
    assert len(await desk.values()) == COUNT


async def test_what_kafka_does_not_take_is_told_and_shown(desk: Desk) -> None:
    log = await desk.look()
    letter = dead_letter(desk.topics[RESPONSES].name, 1, FIRST, "error", "", b"{", NOW)  # without a key
    report = Report()
    async with desk.replayer(log) as replayer:
        await replayer.replay(0, [letter], report)
    [why] = report.failed.values()
    assert why.startswith("Kafka did not confirm it (")
    assert report.replayed == {}
    look = await desk.look()
    entry = look.letters.select()[-1]
    assert (entry.offset, look.letters.state(entry)) == (FIRST, "interrupted")
