"""The board's reader: merged over partitions, shared for a moment, never older than that."""

import asyncio

import pytest
from redis.asyncio import Redis

from scoring.board import Progress
from scoring.scales import NPS
from scoring.segments import Dimension, Dimensions
from scoring.windows import DEFAULT_WINDOWS
from sinks.redis.board import BoardReader, Position
from sinks.redis.client import connect
from sinks.redis.counts import CountsReader, Ids
from streams.store import StoreCorrupt, StoreUnavailable
from streams.times import MINUTE
from tests.conftest import RunPart
from tests.make import NOW, answer, answers, groups
from tests.real.redis import Redis as RedisServer
from tests.real.wait import until
from tests.sinks.redis.counting import Counting
from tests.sinks.redis.lanes import LANES, A
from tests.sinks.redis.state import key_names

PLAN = Dimensions((Dimension("plan"),))


async def test_a_reader_finds_nothing_in_an_empty_redis(redis: Redis, namespace: str) -> None:
    board = await Counting(redis, namespace).board()
    assert board.as_of == NOW
    assert board.tally("nps", "1h", NPS).groups == board.tally("nps", "all", NPS).groups == groups()
    assert (board.first, board.counts) == ({}, {})


async def test_partitions_are_summed(redis: Redis, namespace: str) -> None:
    counting = await Counting(redis, namespace, PLAN, partitions=3).open()
    for partition in range(3):
        fields = {"plan": "pro", "from": str(partition)}
        await counting.count(*answers(partition + 1, 1, 0, attributes=fields), partition=partition)
    board = await counting.board()
    assert board.tally("nps", "1h", NPS).groups == groups(promoters=6, passives=3)
    segments = board.segments("nps", "1h", NPS, "plan", PLAN)
    assert {name: tally.groups for name, tally in segments.items()} == {"pro": groups(promoters=6, passives=3)}


async def test_an_answer_that_moves_between_partitions_of_a_sum_leaves_no_trace(
    redis: Redis, namespace: str
) -> None:
    counting = await Counting(redis, namespace, partitions=2).open()
    await counting.count(answer(9), answer(3, "r2"), partition=0)
    await counting.count(answer(8, "r3"), partition=1)
    await counting.count(answer(3), partition=0)
    await counting.assert_equals_recount()


async def test_a_state_that_is_lost_while_it_is_read_is_no_damaged_one(
    redis: Redis, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = await Counting(redis, namespace, PLAN).open()
    await counting.count(answer(9, attributes={"plan": "pro"}))
    feeds = CountsReader.feeds

    async def lost(reader: CountsReader, base: str, ids: Ids) -> list[Ids]:
        await redis.delete(*await key_names(redis, namespace))
        monkeypatch.setattr(CountsReader, "feeds", feeds)
        return await feeds(reader, base, ids)

    monkeypatch.setattr(CountsReader, "feeds", lost)
    board = await BoardReader(redis, namespace, DEFAULT_WINDOWS, 1, lambda: NOW).board()
    assert board.tally("nps", "all", NPS).groups == groups()


async def test_counts_are_summed_over_partitions_and_lanes(redis: Redis, namespace: str) -> None:
    for new in LANES.values():
        lane = new(redis, namespace)
        for partition in (0, 1):
            await lane.open(partition=partition)
            await lane.commit(0, 2, partition=partition)
    board = await Counting(redis, namespace).board()
    assert board.count("records_total", "seen") == 2 * 2 * len(LANES)
    assert board.count("survey_touchpoints_total", "Order Delivered") == 4


async def test_another_prefix_is_another_program(redis: Redis, namespace: str) -> None:
    counting = await Counting(redis, f"{namespace}.a").open()
    await counting.count(answer())
    assert (await Counting(redis, f"{namespace}.b").board()).tally("nps", "1h", NPS).groups == groups()


async def test_who_asks_at_the_same_time_shares_one_board(redis: Redis, namespace: str) -> None:
    reader = BoardReader(redis, namespace, [], 4, clock=lambda: NOW)
    boards = await asyncio.gather(*(reader.board() for _ in range(5)))
    assert all(board is boards[0] for board in boards)


async def test_a_reader_soon_sees_what_was_counted_since(redis: Redis, namespace: str) -> None:
    counting = await Counting(redis, namespace).open()
    reader = BoardReader(redis, namespace, counting.windows, 4, clock=lambda: counting.now)
    assert (await reader.board()).tally("nps", "1h", NPS).n == 0
    await counting.count(answer())

    async def seen() -> bool:
        return (await reader.board()).tally("nps", "1h", NPS).n == 1

    await until(seen, timeout=1.0)


async def test_old_values_are_never_served(run_part: RunPart) -> None:
    server = run_part(RedisServer())
    client = connect(server.url)
    try:
        counting = await Counting(client, "t").open()
        await counting.count(answer())
        reader = BoardReader(client, "t", counting.windows, 4, clock=lambda: NOW)
        assert (await reader.board()).tally("nps", "1h", NPS).n == 1
        server.stop()

        async def refuses() -> bool:
            try:
                await reader.board()
            except StoreUnavailable:
                return True
            return False

        await until(refuses)
        server.start()
        assert (await reader.board()).tally("nps", "1h", NPS).n == 1
    finally:
        await client.aclose()


async def test_a_damaged_state_is_reported(redis: Redis, namespace: str) -> None:
    counting = await Counting(redis, namespace).open()
    await counting.count(answer())
    await redis.set(f"{counting.store.base(0)}:0:sums", "not ours")
    with pytest.raises(StoreCorrupt, match=":0:sums"):
        await counting.board()


async def test_positions_of_a_lane(redis: Redis, namespace: str) -> None:
    counting = await Counting(redis, namespace, partitions=2).open()
    await counting.count(answer(), answer(3, "r2"))
    await counting.store.claim(2, A)
    seconds, _ = await redis.time()
    positions = await BoardReader(redis, namespace, [], 4, clock=lambda: NOW).positions("a", range(4))
    assert {partition: position.offset for partition, position in positions.items()} == {
        0: 2,
        1: 0,
        2: None,
        3: None,
    }
    assert abs(positions[0].applied_at - int(seconds) * 1_000) < MINUTE
    assert positions[3] == Position(None, 0)


async def test_a_partition_recovers_until_its_lane_has_reached_the_end_of_the_log(
    redis: Redis, namespace: str
) -> None:
    counting = Counting(redis, namespace, partitions=4)
    assert (await counting.board()).progress == dict.fromkeys(range(4), Progress(None))
    for partition in range(4):
        await counting.store.claim(partition, A)
        await counting.store.begin(partition, A, 0, 3 if partition == 1 else 0)
    await counting.count(*answers(1, 1, 0), partition=1)
    board = await counting.board()
    assert board.progress == {0: Progress(0), 1: Progress(2, until=3), 2: Progress(0), 3: Progress(0)}
    await counting.count(answer(9, "r3"), partition=1)
    assert not (await counting.board()).recovering


async def test_series_of_a_state_that_begins_anew_are_its_own(redis: Redis, namespace: str) -> None:
    """Their numbers are given again in another order, to a reader that remembers the old ones."""
    counting = await Counting(redis, namespace, PLAN).open()
    reader = BoardReader(redis, namespace, counting.windows, 1, clock=lambda: NOW)
    await counting.count(answer(attributes={"plan": "free"}), answer(0, "r2", attributes={"plan": "pro"}))
    before = await reader.partition(0)
    await redis.delete(*await key_names(redis, namespace))
    again = await Counting(redis, namespace, PLAN).open()
    await again.count(answer(0, "r2", attributes={"plan": "pro"}), answer(attributes={"plan": "free"}))
    assert (await reader.partition(0)).windows == before.windows
