"""Requests under delivery: leases and outcomes, and what the survey page has to know of a request."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from sinks.redis import keys
from sinks.redis.client import Client, Script, ask, script, to_json
from streams.delivery import Begun
from streams.events import Outcome, SurveyRequest
from streams.times import DAY, SECOND

KEEP = 90 * DAY


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the survey page finds it."""

    request: SurveyRequest
    answered: bool


class RequestsStore:
    """See ``lua/deliver_begin.lua`` for the keys; ``answered`` is one more field of the same hash."""

    def __init__(self, redis: Client, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._begin = Script(redis, script("deliver_begin"))
        self._settle = Script(redis, script("deliver_settle"))

    async def begin(self, request: SurveyRequest, lease: int, by: str) -> Begun | float:
        reply = await ask(
            self._begin(keys=[self._key(request.request_id)], args=[to_json(request), lease, KEEP, by])
        )
        if isinstance(reply, int):
            return reply / SECOND
        begun: Begun = reply.decode()
        return begun

    async def settle(self, request: SurveyRequest, outcome: Outcome) -> None:
        count = to_json(("survey_deliveries_total", request.survey_id, request.channel, outcome))
        counts = keys.delivery(self._prefix, request.request_id) + ":counts"
        await ask(self._settle(keys=[self._key(request.request_id), counts], args=[outcome, count]))

    async def count_dead_letter(self, topic: str, reason: str) -> None:
        base = keys.base(self._prefix, "d", 0)
        await ask(self._redis.hincrby(f"{base}:counts", to_json(("livenps_dead_letters_total", topic, reason)), 1))

    async def restore(self, request: SurveyRequest, outcome: Outcome) -> None:
        """Know a request again that was attempted before the state was lost."""
        key = self._key(request.request_id)
        # An attempt without an outcome in the log is one that was interrupted.
        if await ask(self._redis.hsetnx(key, "state", "unknown" if outcome == "attempted" else outcome)):
            await ask(self._redis.hset(key, "request", to_json(request)))
            await ask(self._redis.pexpire(key, KEEP))

    async def find(self, request_id: str) -> Asked | None:
        """The request behind a link, or None where it is not known (any more)."""
        text, answered = await ask(self._redis.hmget(self._key(request_id), ["request", "answered"]))
        return Asked(_request.decode(text), answered is not None) if text else None

    async def mark_answered(self, request_id: str) -> None:
        """From now on the link is used."""
        await ask(self._redis.hset(self._key(request_id), "answered", "1"))

    def _key(self, request_id: str) -> str:
        return f"{keys.delivery(self._prefix, request_id)}:req:{request_id}"


_request = msgspec.json.Decoder(SurveyRequest)
