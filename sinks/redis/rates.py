"""How often a channel may send, over all workers together.

Source: the generic cell rate algorithm (ATM Forum, Traffic Management 4.0), which keeps one instant a channel.
"""

from __future__ import annotations

from collections.abc import Mapping

from sinks.redis import keys
from sinks.redis.client import Client, Script, ask, script

MICROSECONDS = 1_000_000


class Rates:
    """See ``lua/turn.lua``. ``per_second`` has the channels that are limited.

    Turns are evenly spaced and each is given once; one that its worker does not use is lost. A Redis that has lost
    them begins anew: for as long as turns were waited for then, there may be twice as many.
    """

    def __init__(self, redis: Client, prefix: str, per_second: Mapping[str, float]) -> None:
        self._turn = Script(redis, script("turn"))
        self._base = keys.base(prefix, "d", 0)
        self._spacing = {channel: round(MICROSECONDS / rate) for channel, rate in per_second.items()}

    async def turn(self, channel: str) -> float:
        """Take the channel's next turn: seconds until then. Raises StoreUnavailable."""
        if channel not in self._spacing:
            return 0.0
        reply: int = await ask(self._turn(keys=[f"{self._base}:rate:{channel}"], args=[self._spacing[channel]]))
        return reply / MICROSECONDS
