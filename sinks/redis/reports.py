"""Which reports were sent: a claim before each, its outcome after, like that of a survey under delivery."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from sinks.redis import keys
from sinks.redis.client import Client, Script, ask, script, to_json
from streams.delivery import Begun
from streams.events import Outcome
from streams.times import DAY, SECOND, rfc3339

KEEP = 90 * DAY


class Sending(NamedTuple):
    """One report to one recipient: ``due`` (ms) and the recipient tell it from all others."""

    due: int
    channel: str
    address: str

    @property
    def id(self) -> str:
        """The same for every worker, and it tells nobody the address."""
        text = to_json(self).encode()
        return f"report-{blake2b(text, digest_size=12).hexdigest()}"


class ReportsStore:
    """See ``lua/deliver_begin.lua`` for the keys ``<base>:report:<id>``; ``<base>:reports`` is when the first
    worker began to look (ms): what was due before is nobody's."""

    def __init__(self, redis: Client, prefix: str) -> None:
        self._redis, self._prefix = redis, prefix
        self._begin = Script(redis, script("deliver_begin"))
        self._settle = Script(redis, script("deliver_settle"))
        self._release = Script(redis, script("deliver_release"))

    async def since(self, now: int) -> int:
        """When the schedule began: now, where nobody has looked before, or the state was lost."""
        key = f"{keys.base(self._prefix, 'd', 0)}:reports"
        await ask(self._redis.set(key, now, nx=True))
        return int(await ask(self._redis.get(key)) or now)

    async def begin(self, sending: Sending, lease: int, by: str) -> Begun | float:
        """Claim it; seconds to wait where another worker holds it. ``by`` tells our own repeated call."""
        told = to_json({"due": rfc3339(sending.due), "channel": sending.channel})
        reply = await ask(self._begin(keys=[self._key(sending)], args=[told, lease, KEEP, by]))
        if isinstance(reply, int):
            return reply / SECOND
        begun: Begun = reply.decode()
        return begun

    async def release(self, sending: Sending, by: str) -> None:
        """Give the claim up: nothing was sent, and anybody may try again."""
        await ask(self._release(keys=[self._key(sending)], args=[by]))

    async def settle(self, sending: Sending, outcome: Outcome) -> None:
        """Write and count the outcome, once."""
        count = to_json(("livenps_reports_total", sending.channel, outcome))
        counts = f"{keys.delivery(self._prefix, sending.id)}:counts"
        await ask(self._settle(keys=[self._key(sending), counts], args=[outcome, count]))

    def _key(self, sending: Sending) -> str:
        return f"{keys.delivery(self._prefix, sending.id)}:report:{sending.id}"
