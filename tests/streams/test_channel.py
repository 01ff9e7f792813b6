"""Channels over real Kafka: none waits for another, and what is committed is done."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from livenps.program import consumer
from sinks.mail import MailSender, MailServer
from sinks.redis.requests import RequestsStore
from sinks.webhook import WebhookSender
from streams.attempts import Attempts
from streams.channel import AHEAD, IN_FLIGHT, ChannelReader, Handle, Progress, addressed
from streams.delivery import Delivery
from streams.events import encode
from streams.publisher import Publisher
from streams.topics import ATTEMPTS, REQUESTS
from surveys.survey import Survey
from tests.make import NOW
from tests.real import records
from tests.real.receiver import Receiver
from tests.real.wait import until
from tests.sinks.invitations import request
from tests.streams.worker import Bench

PARTITIONS = 2


@asynccontextmanager
async def reading(
    bench: Bench, channel: str, handle: Handle, gateway: Callable[[str], str] = lambda _: ""
) -> AsyncIterator[ChannelReader]:
    topic, group = bench.topics[REQUESTS].name, f"{bench.namespace}{channel}"
    reader = ChannelReader(
        channel,
        topic,
        lambda: consumer(bench.bootstrap, group, "earliest"),
        channel.__eq__,
        handle,
        lambda: None,
        gateway,
    )
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()


async def committed(bench: Bench, channel: str) -> int:
    """The sum of a group's positions."""
    one = consumer(bench.bootstrap, f"{bench.namespace}{channel}", "earliest")
    await one.start()
    try:
        topic = bench.topics[REQUESTS].name
        return sum([await one.committed(TopicPartition(topic, p)) or 0 for p in range(PARTITIONS)])
    finally:
        await one.stop()


async def write(bench: Bench, ids: list[str], channel: str) -> None:
    topic = bench.topics[REQUESTS].name
    for partition in range(PARTITIONS):
        mine = [encode(request(id_, channel=channel, customer_id=id_)) for id_ in ids[partition::PARTITIONS]]
        await records.write(bench.bootstrap, topic, *mine, partition=partition)


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """The port of a mail server that takes connections and says nothing."""
    held: list[asyncio.StreamWriter] = []

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for writer in held:
        writer.close()


async def test_a_gateway_that_hangs_holds_up_no_other_channel(bench: Bench, silent: int) -> None:
    """20,000 mails wait behind it; webhooks that were asked for after them all arrive."""
    receiver = Receiver()
    surveys = {
        "nps": Survey(id="nps", channel="mail"),
        "hook": Survey(id="hook", channel="webhook", webhook_url=receiver.url),
    }
    topics = bench.topics
    mails = [encode(request(f"m{n}", customer_id=f"m{n}")) for n in range(20_000)]
    hooks = [
        encode(request(f"h{n}", survey_id="hook", customer_id=f"h{n}", channel="webhook")) for n in range(200)
    ]
    await records.write(bench.bootstrap, topics[REQUESTS].name, *mails)
    await records.write(bench.bootstrap, topics[REQUESTS].name, *hooks)
    publisher = Publisher(bench.bootstrap, topics)
    attempts = Attempts(bench.bootstrap, topics[ATTEMPTS])
    server = MailServer("127.0.0.1", silent, tls=False, username=None, password=None)
    with receiver.running():
        async with publisher, httpx.AsyncClient(trust_env=False) as client:
            delivery = Delivery(
                surveys.get,
                {"mail": MailSender(server, "shop@example.com", "Shop"), "webhook": WebhookSender(client, None)},
                RequestsStore(bench.redis, bench.namespace),
                publisher,
                attempts,
                topics[REQUESTS].name,
                lambda id_: f"http://localhost/s/{id_}",
                "Shop",
                clock=lambda: NOW / 1_000,
            )
            async with (
                reading(bench, "mail", delivery.handle) as mail,
                reading(bench, "webhook", delivery.handle) as webhook,
            ):
                await until(lambda: len(receiver.bodies) == len(hooks), timeout=30, message="all webhooks arrive")
                await until(lambda: sum(webhook.lag.values()) == 0, message="nothing waits for this channel")
                await until(lambda: sum(mail.lag.values()) > 19_000, message="the mails wait")
    assert len({body["request_id"] for body in receiver.bodies}) == len(hooks)


async def test_a_gateway_that_hangs_holds_up_no_other_gateway_of_its_channel(bench: Bench) -> None:
    """Webhooks of two surveys, to two servers: one says nothing."""
    topic, done, begun = bench.topics[REQUESTS].name, list[str](), list[str]()

    async def handle(value: bytes | None, *_: int) -> None:
        survey = addressed(value).survey_id
        begun.append(survey)
        if survey == "silent":
            await asyncio.Event().wait()
        done.append(survey)

    for survey, n in (("silent", AHEAD // 2), ("hook", 100)):
        ids = [f"{survey}{one}" for one in range(n)]
        hooks = [encode(request(one, survey_id=survey, customer_id=one, channel="webhook")) for one in ids]
        await records.write(bench.bootstrap, topic, *hooks)
    async with reading(bench, "webhook", handle, lambda survey: f"{survey}.example.com") as reader:
        await until(lambda: len(done) == 100, message="the other's all arrive")
        assert (set(done), begun.count("silent")) == ({"hook"}, IN_FLIGHT)
        assert sum(reader.lag.values()) == AHEAD // 2 + 100
    assert (begun.count("silent"), await committed(bench, "webhook")) == (IN_FLIGHT, 0)


async def test_what_is_read_ahead_is_bounded(bench: Bench) -> None:
    hanging = 0

    async def hang(*_: object) -> None:
        nonlocal hanging
        hanging += 1
        await asyncio.Event().wait()

    await write(bench, [f"q{n}" for n in range(AHEAD + 100)], "mail")
    async with reading(bench, "mail", hang) as reader:
        await until(lambda: len(reader._in_flight) == AHEAD, message="so many are read")
        assert hanging == IN_FLIGHT


async def test_what_was_read_ahead_is_left_to_the_worker_that_has_it_now(bench: Bench) -> None:
    """It has not begun: only what has goes on under its lease."""
    free, handled = asyncio.Event(), list[tuple[int, int]]()

    async def handle(_: bytes | None, partition: int, offset: int) -> None:
        handled.append((partition, offset))
        await free.wait()

    async def take(_: bytes | None, partition: int, offset: int) -> None:
        handled.append((partition, offset))

    await write(bench, [f"q{n}" for n in range(100)], "mail")
    async with reading(bench, "mail", handle) as first:
        await until(lambda: len(first._in_flight) == 100, message="all are read")
        async with reading(bench, "mail", take) as second:
            await until(lambda: bool(second._progress), timeout=30, message="the other has joined")
            free.set()
            await until(lambda: len(set(handled)) == 100 and not first._in_flight, message="all are handled")
    assert len(handled) <= 100 + IN_FLIGHT  # what had begun, and is known by its lease


async def test_some_are_in_flight_at_a_time_and_no_more(bench: Bench) -> None:
    running = most = done = 0
    full = asyncio.Event()

    async def handle(*_: object) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        if running == IN_FLIGHT:
            full.set()
        await full.wait()
        running -= 1
        done += 1

    await write(bench, [f"q{n}" for n in range(100)], "mail")
    async with reading(bench, "mail", handle):
        await until(lambda: done == 100, message="all are handled")
    assert most == IN_FLIGHT


async def test_what_is_not_done_is_read_again_and_what_is_done_is_not(bench: Bench) -> None:
    """The second of each partition hangs: after a stop it is the first that is read again."""
    ids = [f"q{n}" for n in range(8)]
    handled: list[tuple[int, int]] = []

    async def hang(value: bytes | None, partition: int, offset: int) -> None:
        if offset == 1:
            await asyncio.Event().wait()
        handled.append((partition, offset))

    async def handle(value: bytes | None, partition: int, offset: int) -> None:
        handled.append((partition, offset))

    await write(bench, ids, "mail")
    async with reading(bench, "mail", hang):
        await until(lambda: len(handled) == 6, message="the others are handled")
    assert await committed(bench, "mail") == PARTITIONS * 1
    handled.clear()
    async with reading(bench, "mail", handle):
        await until(lambda: len(handled) == 6, message="the second and what follows")
    assert sorted(handled) == [(p, offset) for p in range(PARTITIONS) for offset in (1, 2, 3)]
    assert await committed(bench, "mail") == len(ids)


async def test_what_is_of_others_is_passed_over(bench: Bench) -> None:
    handled: list[bytes | None] = []

    async def handle(value: bytes | None, *_: int) -> None:
        handled.append(value)

    await write(bench, [f"q{n}" for n in range(1_000)], "webhook")
    await write(bench, ["mine"], "mail")
    async with reading(bench, "mail", handle) as reader:
        await until(lambda: len(handled) == 1 and not sum(reader.lag.values()), message="all is passed")
    assert await committed(bench, "mail") == 1_001


async def test_partitions_move_to_a_worker_that_joins(bench: Bench) -> None:
    handled: list[str] = []

    def by(worker: str) -> Handle:
        async def handle(*_: object) -> None:
            handled.append(worker)

        return handle

    await write(bench, [f"q{n}" for n in range(10)], "mail")
    async with reading(bench, "mail", by("first")):
        await until(lambda: len(handled) == 10, message="one worker has all")
        async with reading(bench, "mail", by("second")) as second:
            await until(lambda: bool(second._progress), timeout=30, message="the other has joined")
            await write(bench, [f"r{n}" for n in range(10)], "mail")
            await until(lambda: len(handled) == 20, message="each is handled once")
    assert set(handled) == {"first", "second"}


@given(st.lists(st.integers(min_value=1, max_value=3), max_size=30), st.randoms(use_true_random=False))
def test_all_before_a_position_is_done(gaps: list[int], chance: random.Random) -> None:
    """Offsets have gaps; they begin in their order and end in any."""
    progress, offset, begun, ended = Progress(), 0, [], set[int]()
    assert progress.position is None
    for gap in gaps:
        offset += gap
        progress.begin(offset)
        begun.append(offset)
        while chance.random() < 0.6 and (open_ := [one for one in begun if one not in ended]):
            one = chance.choice(open_)
            progress.end(one)
            ended.add(one)
        position = progress.position
        assert position is not None
        assert all(one in ended for one in begun if one < position)
        assert position == offset + 1 or (position in begun and position not in ended)


@pytest.mark.parametrize(
    ("value", "channel"),
    [
        (encode(request(channel="webhook")), "webhook"),
        (b'{"type": "survey_request"}', ""),
        (b'{"channel": 7}', ""),
        (b"{", ""),
        (b"\xff", ""),
        (b"[" * 100_000, ""),
        (None, ""),
    ],
)
def test_the_channel_of_a_record(value: bytes | None, channel: str) -> None:
    assert addressed(value).channel == channel
