"""Whatever comes in whatever order: the board equals a naive recount of all answers, at any later time."""

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from scoring.segments import Dimension, Dimensions
from scoring.windows import Window
from streams.events import Response
from streams.store import Repeated
from streams.times import DAY, HOUR, MINUTE, from_ms
from tests.make import SURVEYS, answer
from tests.sinks.redis.counting import Counting
from tests.sinks.redis.state import key_names

# Short ones, so that minutes and hours of a test take answers through all of them.
WINDOWS = (Window("1d", DAY, HOUR), Window("10m", 10 * MINUTE, MINUTE), Window("2h", 2 * HOUR, 15 * MINUTE))
DIMENSIONS = Dimensions(
    (Dimension("plan"), Dimension("age", bands=(18, 25)), Dimension("vip")), pairs=(("plan", "age"),)
)
PARTITIONS = 2

minutes_ago = st.none() | st.integers(0, 15) | st.integers(0, 2_000)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "plan": st.sampled_from(["pro", "free", "a b|c"]),
        "age": st.sampled_from([17, 18.0, "30", "n/a"]),
        "vip": st.sampled_from([True, False, 1, 0]),
    },
)
an_answer = st.tuples(st.integers(0, 5), st.integers(0, 10), minutes_ago, minutes_ago, attributes)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("count"), st.lists(an_answer, min_size=1, max_size=6)),
        st.tuples(st.just("wait"), st.integers(1, 12) | st.integers(1, 300) | st.just(1_500)),
        st.tuples(st.sampled_from(["tick", "repeat", "look"]), st.none()),
    ),
    max_size=12,
)


def responses(drawn: list[Any], now: int) -> dict[int, list[Response]]:
    """Per partition; an answer's versions are all in the same one, as its key makes sure."""
    found: dict[int, list[Response]] = {}
    for number, score, answered, updated, values in drawn:
        survey = "csat" if number == 5 else "nps"
        scale = SURVEYS[survey]
        fitting = scale.scores[score % len(scale.scores)]
        fields: dict[str, Any] = {"attributes": values, "survey": survey}
        if answered is not None:
            fields["answered_at"] = from_ms(now - answered * MINUTE)
        if updated is not None:
            fields["updated_at"] = from_ms(now - updated * MINUTE)
        found.setdefault(number % PARTITIONS, []).append(answer(fitting, f"r{number}", **fields))
    return found


drawn = given(steps=steps, later=st.integers(0, 150) | st.just(26 * 60))
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.real
@pytest.mark.parametrize("url", ["redis_url"], indirect=True)
@settings(relaxed, max_examples=200)
@drawn
async def test_the_board_equals_a_recount(redis: Redis, steps: list[tuple[str, Any]], later: int) -> None:
    await equals_a_recount(redis, steps, later)


@pytest.mark.parametrize("url", ["fake_redis_url"], indirect=True)
@settings(relaxed, max_examples=25)
@drawn
async def test_the_board_of_the_fake_equals_a_recount(
    redis: Redis, steps: list[tuple[str, Any]], later: int
) -> None:
    await equals_a_recount(redis, steps, later)


async def equals_a_recount(redis: Redis, steps: list[tuple[str, Any]], later: int) -> None:
    prefix = f"recount-{uuid.uuid4().hex}"
    counting = await Counting(redis, prefix, DIMENSIONS, WINDOWS, PARTITIONS).open()
    for step, value in steps:
        match step:
            case "count":
                for partition, part in responses(value, counting.now).items():
                    await counting.count(*part, partition=partition)
            case "wait":
                counting.now += value * MINUTE
            case "tick":
                await counting.tick()
            case "repeat":
                assert await counting.repeat() in (Repeated(), None)
            case "look":
                await counting.assert_equals_recount()

    counting.now += later * MINUTE
    await counting.assert_equals_recount()
    await counting.tick()
    await counting.assert_equals_recount()

    # With everything out of every window, nothing but "all" is left.
    counting.now += DAY + HOUR
    await counting.tick()
    await counting.assert_equals_recount()
    left = await key_names(redis, prefix)
    assert not [name for name in left if ":b:" in name or (":sum:" in name and not name.endswith(":all"))]
    await redis.delete(*left)
