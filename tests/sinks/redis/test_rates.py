"""The turns of channels, over Redis, a cluster and the fake one."""

import asyncio
import time
from itertools import pairwise

from sinks.redis.client import Client
from sinks.redis.rates import Rates


async def test_turns_are_evenly_spaced_over_all_workers(redis: Client, namespace: str) -> None:
    workers = [Rates(redis, namespace, {"mail": 2}) for _ in range(3)]
    before = time.monotonic()
    waits = sorted(await asyncio.gather(*(workers[n % 3].turn("mail") for n in range(9))))
    took = time.monotonic() - before
    # A turn whose reply is lost on the way is taken once more, and one of the two is lost.
    assert all(later - earlier > 0.5 - took - 0.01 for earlier, later in pairwise(waits))


async def test_what_was_not_used_is_not_saved_up(redis: Client, namespace: str) -> None:
    rates = Rates(redis, namespace, {"mail": 20})
    await asyncio.sleep(await rates.turn("mail") + 0.2)
    assert await rates.turn("mail") == 0
    assert await rates.turn("mail") > 0


async def test_each_channel_has_turns_of_its_own(redis: Client, namespace: str) -> None:
    rates = Rates(redis, namespace, {"mail": 0.01, "sms": 0.01})
    assert [await rates.turn(channel) for channel in ("mail", "sms")] == [0, 0]
    assert 90 < await rates.turn("mail") <= 100


async def test_a_channel_without_a_limit_never_waits(redis: Client, namespace: str) -> None:
    rates = Rates(redis, namespace, {"mail": 0.01})
    assert {await rates.turn("webhook") for _ in range(100)} == {0.0}


async def test_a_state_that_is_lost_begins_anew(redis: Client, namespace: str) -> None:
    rates = Rates(redis, namespace, {"mail": 0.01})
    await rates.turn("mail")
    await redis.flushall()
    assert await rates.turn("mail") == 0
