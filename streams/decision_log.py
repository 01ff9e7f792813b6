"""What was decided on one customer lately, from the log of decisions."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from streams.codec import Codec
from streams.errors import BadRecord
from streams.events import DecisionRecord
from streams.log_reader import LogReader
from streams.partitions import partition_of
from streams.times import rfc3339, to_ms
from streams.topics import Topic
from surveys.reasons import WORDS


@dataclass(frozen=True, slots=True)
class Found:
    """The newest decisions on a customer, newest first, of those made since ``searched_from`` (ms).

    ``complete`` says that the log holds no older ones; ``searched_from`` is None where it holds none at all.
    """

    customer_id: str
    decisions: list[DecisionRecord]
    searched_from: int | None
    complete: bool

    def told(self) -> dict[str, Any]:
        """As JSON, with each reason in words."""
        return {
            "customer_id": self.customer_id,
            "searched_from": None if self.searched_from is None else rfc3339(self.searched_from),
            "complete": self.complete,
            "decisions": [_told(decision) for decision in self.decisions],
        }


class DecisionLog:
    """Looks for a customer's decisions in the end of their partition: at most ``reach`` records of it."""

    def __init__(self, bootstrap: str, topic: Topic, reach: int | None = None) -> None:
        self._bootstrap, self._topic, self._reach = bootstrap, topic, reach
        self._codec = Codec([DecisionRecord])

    async def last(self, customer_id: str, limit: int, since: int | None = None) -> Found:
        """The newest ``limit`` decisions; made since ``since`` (ms), where it is given. Raises KafkaError."""
        key, partition = customer_id.encode(), partition_of(customer_id, self._topic.partitions)
        found: deque[DecisionRecord] = deque(maxlen=limit)
        seen: set[str] = set()
        searched_from = None
        async with LogReader(self._bootstrap) as reader:
            first, end = await reader.bounds(self._topic.name, partition)
            start = first if self._reach is None else max(first, end - self._reach)
            if since is not None:
                start = max(start, await reader.since(self._topic.name, partition, since))
            async for records in reader.read(self._topic.name, partition, start, end):
                searched_from = searched_from or records[0].timestamp
                for record in records:
                    if record.key == key and (decision := self._decoded(record.value)):
                        if decision.decision_id not in seen:  # it may have been published twice
                            found.append(decision)
                        seen.add(decision.decision_id)
        return Found(customer_id, list(reversed(found)), searched_from, start == first)

    def _decoded(self, value: bytes | None) -> DecisionRecord | None:
        try:
            event = self._codec.decode(value)
        except BadRecord:
            return None
        return event if isinstance(event, DecisionRecord) else None


def _told(decision: DecisionRecord) -> dict[str, Any]:
    return {
        "decision_id": decision.decision_id,
        "event_id": decision.event_id,
        "event": decision.event,
        "decided_at": rfc3339(to_ms(decision.decided_at)),
        "settles": decision.settles,
        "verdicts": [
            {
                "survey_id": verdict.survey_id,
                "decision": verdict.decision,
                "reason": verdict.reason,
                "channels": list(verdict.channels),
                "words": WORDS.get(verdict.reason, "a rule that this livenps does not know"),
                "request_id": verdict.request_id,
                "due_at": None if verdict.due_at is None else rfc3339(to_ms(verdict.due_at)),
                "remind_at": None if verdict.remind_at is None else rfc3339(to_ms(verdict.remind_at)),
                "weight": verdict.weight,
            }
            for verdict in decision.verdicts
        ],
    }
