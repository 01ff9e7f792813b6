"""Where answers go: what the collector over HTTP and Kafka have in common."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from sources.rows import Refusal

TRIES = 5
FIRST_PAUSE = 0.5  # seconds; doubles with every try


class Entry(NamedTuple):
    """One answer on its way: the file's line it comes from, its id, and its JSON."""

    line: int
    response_id: str
    value: bytes


class Target(Protocol):
    """Takes answers in batches, in order."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def send(self, entries: Sequence[Entry]) -> list[Refusal]:
        """Return once all entries are safe or refused; raises SendFailed."""
        ...


class Nowhere:
    """The target of a dry run."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def send(self, entries: Sequence[Entry]) -> list[Refusal]:
        return []


async def pause(tries: int, first: float) -> None:
    """Wait before the next try; the jitter keeps many clients from coming back together."""
    await asyncio.sleep(first * 2 ** (tries - 1) * random.uniform(0.5, 1.5))  # noqa: S311
