"""What the stores of all lanes share: claims, the fenced commit, the outbox."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec
from redis.asyncio import Redis

from sinks.redis import keys
from sinks.redis.client import ask, script, to_json
from streams.events import encode
from streams.store import (
    Applied,
    Batch,
    Behind,
    Claimed,
    Fenced,
    Lost,
    Outcome,
    Outgoing,
    Plan,
    Repeated,
    StoreCorrupt,
    Token,
)
from streams.times import DAY, SECOND

P = TypeVar("P", bound=Plan)

LEASE = 30 * SECOND
OUTBOX_CHUNK = 4  # entries; an entry holds what one batch returned
NO_POSITION = ("", "", "")

Messages = list[tuple[str, str, str]]


class RedisLane(ABC, Generic[P]):
    """One lane's state in Redis. Subclasses say what their plan looks like to their script."""

    lane: str  # the letter in the hash tag
    script: str  # the Lua file that applies a plan

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._scripts: dict[str, Any] = {}

    @abstractmethod
    def encode(self, plan: P) -> object:
        """The plan as the script reads it, ready for JSON."""

    def base(self, partition: int) -> str:
        return keys.base(self._prefix, self.lane, partition)

    async def claim(self, partition: int, token: Token) -> Claimed | Fenced:
        await ask(self._redis.sadd(keys.lanes(self._prefix), self.base(partition)))
        reply = await self._run("claim", partition, token, NO_POSITION, "")
        if reply[0] == b"FENCED":
            return Fenced()
        self._outcome(reply)
        return Claimed(int(reply[1]) if reply[1] else None, int(reply[2] or 0))

    async def begin(self, partition: int, token: Token, offset: int) -> Outcome:
        return self._outcome(await self._run("begin", partition, token, NO_POSITION, str(offset)))

    async def commit(self, batch: Batch, token: Token, plan: P) -> Outcome:
        position = (str(batch.start), str(batch.end), str(batch.timestamp))
        return await self._apply(batch.partition, token, position, plan)

    async def hold(self, partition: int, token: Token) -> Outcome:
        """A tick that changes nothing but the lease."""
        return self._outcome(await self._run("hold", partition, token, NO_POSITION, ""))

    async def outbox(self, partition: int) -> list[tuple[str, Messages]]:
        entries = await ask(self._redis.xrange(self.base(partition) + ":out", count=OUTBOX_CHUNK))
        return [(id_.decode(), _messages.decode(fields[b"e"])) for id_, fields in entries]

    async def published(self, partition: int, entries: Sequence[str]) -> None:
        await ask(self._redis.xdel(self.base(partition) + ":out", *entries))

    async def _apply(self, partition: int, token: Token, position: tuple[str, str, str], plan: P) -> Outcome:
        body = to_json(self.encode(plan))
        outgoing = to_json([message(one) for one in plan.outgoing]) if plan.outgoing else ""
        counts = to_json([(to_json(count), n) for count, n in plan.counts.items()])
        return self._outcome(await self._run(self.script, partition, token, position, body, outgoing, counts))

    async def _run(
        self,
        name: str,
        partition: int,
        token: Token,
        position: tuple[str, str, str],
        plan: str,
        outgoing: str = "",
        counts: str = "[]",
    ) -> list[Any]:
        if name not in self._scripts:
            self._scripts[name] = self._redis.register_script(script(name))
        base = self.base(partition)
        reply: list[Any] = await ask(
            self._scripts[name](
                keys=[f"{base}:lane", f"{base}:out", f"{base}:counts", base],
                args=[token.owner, token.generation, LEASE, *position, plan, outgoing, counts],
            )
        )
        return reply

    def _outcome(self, reply: list[Any]) -> Outcome:
        match reply[0]:
            case b"OK":
                return Applied()
            case b"DUP":
                return Repeated()
            case b"BEHIND":
                return Behind(int(reply[1]))
            case b"LOST":
                return Lost()
            case b"FENCED":
                return Fenced()
            case _:
                raise StoreCorrupt(f"the key {reply[1].decode()} is of another type than a lane writes")


def message(outgoing: Outgoing) -> tuple[str, str, str]:
    """A returned event as the outbox holds it."""
    return outgoing.topic, outgoing.key, encode(outgoing.event).decode()


def today() -> int:
    """The day of arrival, which expiry goes by."""
    return int(time.time() * SECOND) // DAY


_messages = msgspec.json.Decoder(Messages)
