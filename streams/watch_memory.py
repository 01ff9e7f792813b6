"""The watch lane's memory: baselines outlive a state that is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streams.events import Baseline
from streams.log_reader import LogReader
from streams.store import Claimed, Outcome, Token
from streams.topics import Topic
from streams.watch import NEW, WatchPlan, WatchScores


class Settles(Protocol):
    """The part of the lane's store that is filled again."""

    async def settle(self, partition: int, token: Token, plan: WatchPlan) -> Outcome: ...


class WatchMemory:
    """Reads the baselines' topic where the state has no position; evidence is gathered anew from the steps."""

    def __init__(self, bootstrap: str, topic: Topic, store: Settles, rule: WatchScores) -> None:
        self._bootstrap, self._topic = bootstrap, topic.name
        self._store, self._rule = store, rule

    def passed(self, partition: int, offset: int) -> None:
        """Nothing is kept here."""

    async def recover(self, partition: int, token: Token, claimed: Claimed) -> None:
        if claimed.offset is not None:
            return
        async with LogReader(self._bootstrap) as reader:
            async for baselines in reader.events(self._topic, partition, Baseline):
                await self._store.settle(partition, token, self._plan(baselines))

    def _plan(self, baselines: Sequence[Baseline]) -> WatchPlan:
        return WatchPlan(series={self._rule.key(one): self._rule.set(NEW, one) for one in baselines})
