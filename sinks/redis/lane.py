"""What the stores of all lanes share: claims, the fenced commit, the outbox."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from sinks.redis import keys
from sinks.redis.client import Client, Script, ask, script, to_json
from streams.store import (
    OUTBOX_CHUNK,
    Applied,
    Batch,
    Behind,
    Claimed,
    Fenced,
    Lost,
    Outcome,
    Plan,
    Repeated,
    RolledBack,
    StoreCorrupt,
    Token,
)
from streams.times import DAY, SECOND

P = TypeVar("P", bound=Plan)

LEASE = 30 * SECOND
NO_POSITION = ("", "", "")
SWEEP = 8  # hashes of an index that a tick looks through for what is too old: all of them in half an hour

Messages = list[tuple[str, str, bytes]]


class RedisLane(ABC, Generic[P]):
    """One lane's state in Redis. Subclasses say what their plan looks like to their script."""

    lane: str  # the letter in the hash tag
    script: str  # the Lua file that applies a plan
    parts: tuple[str, ...] = ("fence",)  # what all scripts of the lane begin with
    position = "lane"  # the key of owner and position, under the base

    def __init__(self, redis: Client, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._scripts: dict[str, Any] = {}
        self._seq: dict[
            int, bytes
        ] = {}  # partition -> how often the state was changed, as far as this worker knows

    @abstractmethod
    def encode(self, partition: int, plan: P) -> tuple[object, *tuple[str | bytes, ...]]:
        """The plan as the script reads it: what is ready for JSON, and more arguments."""

    def base(self, partition: int) -> str:
        return keys.base(self._prefix, self.lane, partition)

    async def claim(self, partition: int, token: Token) -> Claimed | Fenced:
        self._seq.pop(partition, None)
        reply = await self._run("claim", partition, token, NO_POSITION, "")
        if isinstance(self._outcome(partition, reply), Fenced):
            return Fenced()
        return Claimed(int(reply[2]) if reply[2] else None, int(reply[3] or 0))

    async def begin(self, partition: int, token: Token, offset: int, until: int) -> Outcome:
        plan = to_json((offset, until))
        return self._outcome(partition, await self._run("begin", partition, token, NO_POSITION, plan))

    def commit(self, batch: Batch, token: Token, plan: P) -> Awaitable[Outcome]:
        position = (str(batch.start), str(batch.end), str(batch.timestamp))
        return self._apply(batch.partition, token, position, plan)

    async def hold(self, partition: int, token: Token) -> Outcome:
        """A tick that changes nothing but the lease."""
        return self._outcome(partition, await self._run("hold", partition, token, NO_POSITION, ""))

    async def seek(self, partition: int, token: Token, offset: int, to: int) -> Outcome:
        """Set the position by hand, where it still is ``offset``."""
        return self._outcome(partition, await self._run("seek", partition, token, (str(offset), str(to), ""), ""))

    async def outbox(self, partition: int) -> list[tuple[str, Messages]]:
        entries = await ask(self._redis.xrange(self.base(partition) + ":out", count=OUTBOX_CHUNK))
        return [
            (id_.decode(), [(topic, key, bytes(value)) for topic, key, value in _messages.decode(fields[b"e"])])
            for id_, fields in entries
        ]

    async def published(self, partition: int, entries: Sequence[str]) -> None:
        await ask(self._redis.xdel(self.base(partition) + ":out", *entries))

    def _apply(self, partition: int, token: Token, position: tuple[str, str, str], plan: P) -> Awaitable[Outcome]:
        body, *more = self.encode(partition, plan)
        outgoing = _encode(plan.outgoing) if plan.outgoing else b""
        counts = to_json([(to_json(count), n) for count, n in plan.counts.items()])
        return self._sent(partition, token, position, to_json(body), outgoing, counts, *more)

    async def _sent(
        self,
        partition: int,
        token: Token,
        position: tuple[str, str, str],
        plan: str,
        outgoing: bytes,
        counts: str,
        *more: str | bytes,
    ) -> Outcome:
        reply = await self._run(self.script, partition, token, position, plan, outgoing, counts, *more)
        return self._outcome(partition, reply)

    async def _run(
        self,
        name: str,
        partition: int,
        token: Token,
        position: tuple[str, str, str],
        plan: str,
        outgoing: bytes = b"",
        counts: str = "[]",
        *more: str | bytes,
    ) -> list[Any]:
        if name not in self._scripts:
            self._scripts[name] = Script(self._redis, script(*self.parts, name))
        base = self.base(partition)
        reply: list[Any] = await ask(
            self._scripts[name](
                keys=[f"{base}:{self.position}", f"{base}:out", f"{base}:counts", base],
                args=[
                    token.owner,
                    token.generation,
                    LEASE,
                    *position,
                    plan,
                    outgoing,
                    counts,
                    self._seq.get(partition, b""),
                    *more,
                ],
            )
        )
        return reply

    def _outcome(self, partition: int, reply: list[Any]) -> Outcome:
        match reply[0]:
            case b"OK":
                self._seq[partition] = reply[1]
                return Applied()
            case b"DUP":
                self._seq[partition] = reply[1]
                return Repeated()
            case b"BEHIND":
                return Behind(int(reply[1]))
            case b"LOST":
                return Lost()
            case b"FENCED":
                return Fenced()
            case b"ROLLEDBACK":
                return RolledBack()
            case _:
                raise wrong_type(reply[1])


def wrong_type(key: bytes) -> StoreCorrupt:
    return StoreCorrupt(f"the key {key.decode()} is of another type than a lane writes")


def sweep(before: int, hashes: int = SWEEP) -> dict[str, object]:
    """A tick's part of forgetting what arrived before an instant (ms), as ``lua/sweep.lua`` reads it."""
    return {"before": before // DAY, "sweep": hashes, "hashes": keys.INDEX_BUCKETS}


_encode = msgspec.json.Encoder().encode
_messages = msgspec.json.Decoder(list[tuple[str, str, msgspec.Raw]])
