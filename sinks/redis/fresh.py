"""One reading, shared for a moment by all who ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

FRESH_S = 0.25


class Fresh(Generic[T]):
    """Reads again only when the last value is older than ``FRESH_S``; where reading fails, so does asking."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._lock = asyncio.Lock()
        self._last: tuple[float, T] | None = None

    async def get(self) -> T:
        async with self._lock:
            if self._last is None or time.monotonic() - self._last[0] > FRESH_S:
                value = await self._read()
                self._last = time.monotonic(), value
            return self._last[1]
