"""The incentives lane's state: which codes are given, to whom, and what the survey's last page shows."""

from __future__ import annotations

from sinks.redis import keys
from sinks.redis.client import Client, ask
from sinks.redis.lane import NO_POSITION, RedisLane
from streams.events import Claim
from streams.incentives import IncentivesPlan, Known, granted_at
from streams.partitions import partition_of
from streams.store import Batch, Outcome, Token
from streams.times import DAY

KEEP = 90 * DAY  # as long as a request, and so its page, is known


class IncentivesStore(RedisLane[IncentivesPlan]):
    """See ``lua/incentives.lua`` for the keys."""

    lane = "g"
    script = "incentives"

    async def read(self, batch: Batch) -> Known:
        claims = [item.event for item in batch.items if isinstance(item.event, Claim)]
        if not claims:
            return Known(frozenset(), frozenset(), {})
        base = self.base(batch.partition)
        ids = list(dict.fromkeys(claim.response_id for claim in claims))
        scores = await ask(self._redis.zmscore(f"{base}:decided", ids))
        customers = list(dict.fromkeys(claim.customer_id for claim in claims))
        times = await ask(self._redis.hmget(f"{base}:last", customers))
        given = await ask(self._redis.smembers(f"{base}:given"))
        return Known(
            frozenset(id_ for id_, score in zip(ids, scores, strict=True) if score is not None),
            frozenset(code.decode() for code in given),
            {one: int(time) for one, time in zip(customers, times, strict=True) if time},
        )

    async def tick(self, partition: int, token: Token, now: int) -> Outcome:
        return await self.hold(partition, token)

    async def settle(self, partition: int, token: Token, plan: IncentivesPlan) -> Outcome:
        return await self._apply(partition, token, NO_POSITION, plan)

    def encode(self, partition: int, plan: IncentivesPlan) -> tuple[object]:
        given = [
            (one.response_id, one.survey_id, one.customer_id, one.code, granted_at(one), shown)
            for shown, grants in enumerate((plan.granted, plan.shown))
            for one in grants
        ]
        return (
            {
                "keep": KEEP,
                "decided": list(plan.decided.items()),
                "empty": plan.empty,
                "given": given,
            },
        )


class IncentiveReader:
    """The code of an answer."""

    def __init__(self, redis: Client, prefix: str, partitions: int) -> None:
        self._redis, self._prefix, self._partitions = redis, prefix, partitions

    async def code(self, customer_id: str, response_id: str) -> str | None:
        """None as long as it is not known, "" where there is none for this answer."""
        base = keys.base(self._prefix, IncentivesStore.lane, partition_of(customer_id, self._partitions))
        text = await ask(self._redis.hget(f"{base}:codes", response_id))
        return None if text is None else text.decode()
