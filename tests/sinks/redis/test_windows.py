"""Other windows on a state that is already there: a window only shows what it has counted from its begin on."""

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from scoring.scales import NPS
from scoring.windows import Window
from streams.times import DAY, HOUR, MINUTE, from_ms
from tests.make import NOW, answer, groups
from tests.sinks.redis.counting import Counting
from tests.sinks.redis.state import key_names

HOUR_BY_MINUTES = Window("1h", HOUR, MINUTE)
HOUR_BY_FIVE = Window("1h", HOUR, 5 * MINUTE)
DAY_BY_HOURS = Window("24h", DAY, HOUR)


@pytest.fixture
async def counting(redis: Redis, namespace: str) -> Counting:
    return await Counting(redis, namespace, windows=[HOUR_BY_MINUTES]).open()


async def tally(counting: Counting, window: str) -> dict[str, int]:
    return (await counting.board()).tally("nps", window, NPS).groups


async def test_a_correction_takes_nothing_out_of_a_window_that_never_held_the_answer(counting: Counting) -> None:
    await counting.count(answer(9))
    await counting.tick()
    counting.configure(HOUR_BY_MINUTES, DAY_BY_HOURS)
    await counting.count(answer(3))
    assert await tally(counting, "24h") == groups()
    await counting.tick()
    await counting.count(answer(7))
    assert (await counting.board()).windows["24h"] == {}
    assert await tally(counting, "1h") == groups(passives=1)


async def test_a_window_that_was_added_fills_from_its_next_bucket_on(counting: Counting) -> None:
    await counting.count(answer(9))
    await counting.tick()
    counting.configure(HOUR_BY_MINUTES, DAY_BY_HOURS)
    await counting.tick()
    await counting.count(answer(9, "r2"))
    assert await tally(counting, "24h") == groups()
    counting.now += HOUR
    await counting.count(answer(9, "r3"), answer(3, "r4", answered_at=from_ms(NOW + 30 * MINUTE)))
    assert await tally(counting, "24h") == groups(promoters=1)
    counting.now += DAY
    await counting.tick()
    await counting.count(answer(3, "r5", answered_at=from_ms(counting.now - 23 * HOUR)))
    assert await tally(counting, "24h") == groups(detractors=1), "whole by now"


async def test_a_window_that_begins_makes_no_answer_late(counting: Counting) -> None:
    await counting.count(answer(9))
    await counting.tick()
    counting.configure(HOUR_BY_MINUTES, DAY_BY_HOURS)
    await counting.tick()
    await counting.count(answer(9, "r2"))
    assert (await counting.board()).count("livenps_late_responses_total") == 0


async def test_before_the_first_answer_windows_can_change_freely(counting: Counting) -> None:
    await counting.tick()
    counting.configure(HOUR_BY_MINUTES, DAY_BY_HOURS)
    await counting.tick()
    await counting.count(answer(9, answered_at=from_ms(NOW - 5 * HOUR)))
    assert await tally(counting, "24h") == groups(promoters=1)


async def test_a_window_begins_after_what_was_counted_of_a_clock_that_is_ahead(counting: Counting) -> None:
    await counting.count(answer(9), times=[NOW + 5 * MINUTE])
    await counting.tick()
    counting.configure(HOUR_BY_FIVE)
    await counting.tick()
    counting.now += 5 * MINUTE
    await counting.count(answer(3))
    assert (await counting.board()).windows["1h"] == {}


@pytest.mark.parametrize("after", [HOUR_BY_MINUTES, HOUR_BY_FIVE], ids=["narrower", "wider"])
async def test_buckets_of_another_width_are_another_window(counting: Counting, after: Window) -> None:
    counting.configure(HOUR_BY_FIVE if after is HOUR_BY_MINUTES else HOUR_BY_MINUTES)
    await counting.count(answer(9))
    await counting.tick()
    counting.configure(after)
    await counting.tick()
    counting.now += 5 * MINUTE
    await counting.count(answer(3, "r2"))
    await counting.tick()
    assert await tally(counting, "1h") == groups(detractors=1)
    counting.now += 2 * HOUR
    assert await tally(counting, "1h") == groups()
    await counting.tick()
    assert await tally(counting, "1h") == groups()


async def test_a_window_that_was_left_out_begins_anew(counting: Counting, redis: Redis) -> None:
    """It has missed what was counted in between: a correction of that would make it negative."""
    counting.configure(HOUR_BY_MINUTES, DAY_BY_HOURS)
    await counting.count(answer(9), answer(9, "r2", answered_at=from_ms(NOW - 2 * HOUR)))
    await counting.tick()
    counting.configure(HOUR_BY_MINUTES)
    await counting.count(answer(9, "r3"))
    await counting.tick()
    assert not [key for key in await key_names(redis, counting.prefix) if "24h" in key]
    counting.configure(HOUR_BY_MINUTES, DAY_BY_HOURS)
    await counting.tick()
    await counting.count(answer(3, "r3"))
    assert (await counting.board()).windows["24h"] == {}


@pytest.mark.real
@pytest.mark.parametrize("url", ["redis_url"], indirect=True)
@pytest.mark.parametrize("away", [40 * DAY, 20_000 * DAY], ids=["40d", "20000d"])
async def test_who_was_away_for_long_looks_only_where_buckets_can_be(
    counting: Counting, redis: Redis, away: int
) -> None:
    await counting.count(*[answer(9, f"r{n}", answered_at=from_ms(NOW - n * MINUTE)) for n in range(60)])
    counting.now += away
    before = await commands(redis)
    assert await tally(counting, "1h") == groups()
    await counting.tick()
    assert await commands(redis) - before < 500
    assert await tally(counting, "1h") == groups()
    assert not [key for key in await key_names(redis, counting.prefix) if "1h" in key]
    await counting.count(answer(3))
    await counting.assert_equals_recount()


async def commands(redis: Redis) -> int:
    """How many commands were run so far, those of scripts too."""
    return int((await redis.info("stats"))["total_commands_processed"])


DRAWN = (HOUR_BY_MINUTES, HOUR_BY_FIVE, DAY_BY_HOURS, Window("2h", 2 * HOUR, HOUR))
an_answer = st.tuples(st.integers(0, 4), st.integers(0, 10), st.none() | st.integers(0, 100))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("count"), st.lists(an_answer, max_size=5)),
        st.tuples(st.just("wait"), st.integers(1, 8) | st.integers(1, 90) | st.just(2_000)),
        st.tuples(st.just("configure"), st.sets(st.sampled_from(DRAWN), max_size=3)),
        st.tuples(st.just("tick"), st.none()),
    ),
    max_size=20,
)


@pytest.mark.real
@pytest.mark.parametrize("url", ["redis_url"], indirect=True)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
async def test_the_board_equals_a_recount_from_each_windows_begin(
    redis: Redis, steps: list[tuple[str, Any]]
) -> None:
    counting = await Counting(redis, f"windows-{uuid.uuid4().hex}", windows=[HOUR_BY_MINUTES]).open()
    for step, value in steps:
        match step:
            case "count":
                await counting.count(*[said(n, score, ago, counting.now) for n, score, ago in value])
            case "wait":
                counting.now += value * MINUTE
            case "configure":
                # One window of a name, as the configuration has it.
                counting.configure(*{window.name: window for window in sorted(value, key=str)}.values())
            case "tick":
                await counting.tick()
        await counting.assert_equals_recount()
    counting.configure()
    await counting.tick()
    left = await key_names(redis, counting.prefix)
    assert not [key for key in left if ":b:" in key]
    await redis.delete(*left)


def said(number: int, score: int, ago: int | None, now: int) -> Any:
    return answer(score, f"r{number}", answered_at=None if ago is None else from_ms(now - ago * MINUTE))
