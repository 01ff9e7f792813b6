"""The answers' state counted anew beside the live one, and the switch from one to the other."""

from __future__ import annotations

import re
from typing import Any

from redis.asyncio import RedisCluster

from sinks.redis.answers import AnswersStore
from sinks.redis.client import Script, ask, script, to_json
from sinks.redis.lane import NO_POSITION
from sinks.redis.live import patiently
from streams.store import Fenced, Outcome, Token
from streams.times import SECOND

HOLD = 10 * SECOND
CHUNK = 500  # keys that Redis looks at, or removes, in one go


class RebuildStore(AnswersStore):
    """Applies batches like a lane, with owner, position and build in ``<base>:rebuild``; nothing is returned."""

    position = "rebuild"
    recount = True

    async def start(self, partition: int, token: Token, offset: int) -> str | Fenced:
        """Begin a new build and return its number; Fenced where another rebuild is at work."""

        async def start() -> str | Fenced:
            self._seq.pop(partition, None)
            reply = await self._run("start", partition, token, NO_POSITION, to_json([offset]))
            if isinstance(self._outcome(partition, reply), Fenced):
                return Fenced()
            return str(reply[2].decode())

        return await patiently(self._redis, f"{self.base(partition)}:rebuild", start)

    async def switch(
        self,
        partition: int,
        token: Token,
        build: str,
        seq: str,
        *,
        adopt: bool,
        jump: bool = False,
        hold: bool = False,
    ) -> Outcome:
        """Make a build the live one; Behind where the live state is not at ``seq``, or the positions differ.

        ``jump`` gives the live position up for the rebuilt one. ``hold`` keeps a worker that has moved on from the
        partition for a while.
        """
        plan = to_json({"build": build, "seq": seq, "adopt": adopt, "jump": jump, "hold": HOLD if hold else 0})
        return self._outcome(partition, await self._run("switch", partition, token, NO_POSITION, plan))

    async def drop(self, partition: int, token: Token) -> None:
        """End a rebuild, whatever has become of it, and let go of a live lane that was held."""
        base = self.base(partition)
        keys = [f"{base}:rebuild", f"{base}:lane", base]
        await ask(Script(self._redis, script("drop"))(keys=keys, args=[token.owner]))

    async def clear(self, partition: int) -> int:
        """Remove all builds but the live one and the one that is being filled, a little at a time."""
        removed: int = await ask(self._clear(self.base(partition)))
        return removed

    async def _clear(self, base: str) -> int:
        # All keys of a partition are on one server of a cluster.
        where: dict[str, Any] = {}
        if isinstance(self._redis, RedisCluster):
            where["target_nodes"] = self._redis.get_node_from_key(base)
        pattern = re.sub(r"([*?\[\\])", r"\\\1", base) + ":[0-9]*"
        keys = [key async for key in self._redis.scan_iter(match=pattern, count=CHUNK, **where)]
        clear, removed = Script(self._redis, script("clear")), 0
        for n in range(0, len(keys), CHUNK):
            removed += await clear(keys=[base, f"{base}:lane", f"{base}:rebuild", *keys[n : n + CHUNK]], args=[])
        return removed
