"""The incentives lane's memory: no code that the log gives to somebody is given away again."""

from __future__ import annotations

from typing import Protocol

from streams.codec import Codec
from streams.errors import BadRecord
from streams.events import Claim, Grant
from streams.incentives import IncentivesPlan, remembered
from streams.log_reader import LogReader
from streams.store import Claimed, Outcome, Token
from streams.times import MINUTE
from streams.topics import Topic

MARGIN = MINUTE  # the clocks of two brokers differ by less


class Settles(Protocol):
    """The part of the lane's store that is filled again."""

    async def settle(self, partition: int, token: Token, plan: IncentivesPlan) -> Outcome: ...


class IncentiveMemory:
    """Reads, on every claim of a partition, the grants that may be newer than the state: all, where it is gone."""

    def __init__(self, bootstrap: str, topic: Topic, store: Settles) -> None:
        self._bootstrap, self._topic, self._store = bootstrap, topic.name, store
        self._codec = Codec([Claim, Grant])

    def passed(self, partition: int, offset: int) -> None:
        """Nothing is kept here."""

    async def recover(self, partition: int, token: Token, claimed: Claimed) -> None:
        async with LogReader(self._bootstrap) as reader:
            start, end = await reader.bounds(self._topic, partition)
            if claimed.offset is not None:
                since = max(claimed.timestamp - MARGIN, 0)
                start = max(start, await reader.since(self._topic, partition, since))
            async for records in reader.read(self._topic, partition, start, end):
                grants = [event for record in records if isinstance(event := self._read(record.value), Grant)]
                await self._store.settle(partition, token, remembered(grants))

    def _read(self, value: bytes | None) -> object:
        try:
            return self._codec.decode(value)
        except BadRecord:
            return None  # the lane makes a dead letter of it
