"""One reading, shared for a moment by all who ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

SHORTEST_S, LONGEST_S = 0.05, 0.25
TIMES = 4  # as long as reading took: no more than a fifth of the time is spent on it


class Fresh(Generic[T]):
    """Reads again when the last value is old: the sooner, the less it costs. Where reading fails, asking fails."""

    def __init__(self, read: Callable[[], Awaitable[T]], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._lock = asyncio.Lock()
        self._last: tuple[float, T] | None = None

    async def get(self) -> T:
        async with self._lock:
            began = self._clock()
            if self._last is None or began >= self._last[0]:
                value = await self._read()
                ended = self._clock()
                self._last = ended + min(LONGEST_S, max(SHORTEST_S, TIMES * (ended - began))), value
            return self._last[1]
