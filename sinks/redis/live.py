"""What commands need of a lane's live state: where it stands, and to own it while no worker does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from sinks.redis.client import Client, ask
from streams.store import Fenced

T = TypeVar("T")

LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Live:
    """A partition's position, the timestamp of the record before it (ms), and how often its state was changed."""

    offset: int
    timestamp: int
    seq: str


async def live(redis: Client, base: str) -> Live | None:
    """None where nothing was processed yet, or the state was lost."""
    off, ts, seq = await ask(redis.hmget(f"{base}:lane", ["off", "ts", "seq"]))
    return Live(int(off), int(ts or 0), (seq or b"").decode()) if off else None


async def patiently(redis: Client, key: str, claim: Callable[[], Awaitable[T | Fenced]]) -> T | Fenced:
    """Claim what another may own, as soon as the lease in the hash ``key`` is over; Fenced where it is renewed."""
    seen = None
    while isinstance(outcome := await claim(), Fenced):
        lease = await ask(redis.hget(key, "lease"))
        if seen not in (None, lease):
            break
        seen = lease
        await asyncio.sleep(LOOK_S)
    return outcome
