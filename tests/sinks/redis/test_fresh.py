"""One reading for all who ask within a moment, and never an old one."""

import asyncio
from itertools import count

import pytest

from sinks.redis.fresh import FRESH_S, Fresh
from streams.store import StoreUnavailable
from tests.real.wait import until


class Source:
    """Numbers its readings; it fails while it is ``away``."""

    def __init__(self) -> None:
        self.away = False
        self._numbers = count(1)

    async def read(self) -> int:
        await asyncio.sleep(0)  # others ask in the meantime
        if self.away:
            raise StoreUnavailable("away")
        return next(self._numbers)


async def test_who_asks_at_the_same_time_shares_one_reading() -> None:
    fresh = Fresh(Source().read)
    assert await asyncio.gather(*(fresh.get() for _ in range(5))) == [1] * 5
    assert await fresh.get() == 1


async def test_a_value_is_read_again_soon() -> None:
    fresh = Fresh(Source().read)
    assert await fresh.get() == 1

    async def again() -> bool:
        return await fresh.get() == 2

    await until(again, timeout=FRESH_S + 1)


async def test_an_old_value_is_never_served_in_place_of_a_failure() -> None:
    source = Source()
    fresh = Fresh(source.read)
    assert await fresh.get() == 1
    source.away = True

    async def refuses() -> bool:
        try:
            await fresh.get()
        except StoreUnavailable:
            return True
        return False

    await until(refuses, timeout=FRESH_S + 1)
    source.away = False
    assert await fresh.get() == 2


async def test_who_waits_for_a_reading_that_is_given_up_reads_anew() -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def read() -> int:
        started.set()
        await go_on.wait()
        return 1

    fresh = Fresh(read)
    first = asyncio.create_task(fresh.get())
    await started.wait()
    second = asyncio.create_task(fresh.get())
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go_on.set()
    assert await second == 1
