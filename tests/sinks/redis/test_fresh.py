"""One reading for all who ask within a moment, and never an old one."""

import asyncio
from itertools import count

import pytest

from sinks.redis.fresh import LONGEST_S, SHORTEST_S, Fresh
from streams.store import StoreUnavailable


class Source:
    """Numbers its readings, each of which takes ``cost`` by a clock of its own; it fails while it is ``away``."""

    def __init__(self, cost: float = 0.0) -> None:
        self.away = False
        self.now = 1_000.0
        self._cost = cost
        self._numbers = count(1)

    async def read(self) -> int:
        await asyncio.sleep(0)  # others ask in the meantime
        self.now += self._cost
        if self.away:
            raise StoreUnavailable("away")
        return next(self._numbers)

    def fresh(self) -> Fresh[int]:
        return Fresh(self.read, clock=lambda: self.now)


async def test_who_asks_at_the_same_time_shares_one_reading() -> None:
    fresh = Source().fresh()
    assert await asyncio.gather(*(fresh.get() for _ in range(5))) == [1] * 5
    assert await fresh.get() == 1


@pytest.mark.parametrize(("cost", "seconds"), [(0.001, SHORTEST_S), (0.03, 0.12), (1.0, LONGEST_S)])
async def test_a_value_is_read_again_the_later_the_more_it_costs(cost: float, seconds: float) -> None:
    source = Source(cost)
    fresh = source.fresh()
    assert await fresh.get() == 1
    source.now += seconds - 0.001
    assert await fresh.get() == 1
    source.now += 0.002
    assert await fresh.get() == 2


async def test_an_old_value_is_never_served_in_place_of_a_failure() -> None:
    source = Source()
    fresh = source.fresh()
    assert await fresh.get() == 1
    source.away = True
    source.now += LONGEST_S
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await fresh.get()
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
