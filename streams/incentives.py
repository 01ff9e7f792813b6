"""The incentives lane's rule: which claim is given which code. One code each, and none twice.

Claims and grants stand on one topic. A code is shown only once its grant has come back from the log: a state that
is lost before has promised nothing, and one that is lost after it learns of the grant again (`incentive_memory`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from streams.events import Claim, Grant
from streams.partitions import partition_of
from streams.store import Batch, Outgoing, Plan, misdated
from streams.times import DAY, to_ms
from streams.topics import INCENTIVES

LATE = DAY  # an older claim that was given nothing is given nothing any more: nobody waits for it


class Known(NamedTuple):
    """What the state knows for a batch: claims decided, codes given by any survey, when customers got one last."""

    decided: frozenset[str]
    given: frozenset[str]
    last: Mapping[str, int]


@dataclass(slots=True)
class IncentivesPlan(Plan):
    """``decided`` are times (ms) of claims, ``empty`` those that get nothing, ``shown`` grants are on the log."""

    decided: dict[str, int] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    granted: list[Grant] = field(default_factory=list)
    shown: list[Grant] = field(default_factory=list)


@dataclass(frozen=True)
class Incentive:
    """The codes of one survey, and for how long (ms) who was given one of any survey gets no other."""

    codes: tuple[str, ...]
    period: int

    def share(self, partition: int, partitions: int) -> list[str]:
        """A partition's part of the list: told by the code itself, so that the list can be edited at any place."""
        return [code for code in self.codes if partition_of(code, partitions) == partition]


class GrantIncentives:
    """Pure: claims become grants."""

    types = (Claim, Grant)
    max_records = 500
    key = attrgetter("customer_id")

    def __init__(self, incentives: Mapping[str, Incentive], partitions: int) -> None:
        self._incentives = incentives
        self._shares = {
            (survey, partition): incentive.share(partition, partitions)
            for survey, incentive in incentives.items()
            for partition in range(partitions)
        }

    def decide(self, batch: Batch, known: Known, now: int) -> IncentivesPlan:
        plan = IncentivesPlan()
        decided, last = set(known.decided), dict(known.last)
        taken = set(known.given)
        for item in batch.items:
            if refused := misdated(item, now):
                plan.refused.append(refused)
            elif isinstance(item.event, Grant):
                plan.shown.append(item.event)
            elif isinstance(item.event, Claim) and item.event.response_id not in decided:
                claim = item.event
                decided.add(claim.response_id)
                plan.decided[claim.response_id] = item.timestamp
                code = outcome = ""
                incentive = self._incentives.get(claim.survey_id)
                if incentive is None:
                    outcome = "unknown_survey"
                elif now - item.timestamp > LATE:
                    outcome = "late"
                elif now - last.get(claim.customer_id, -incentive.period) < incentive.period:
                    outcome = "again"
                else:
                    share = self._shares[claim.survey_id, batch.partition]
                    code = next((code for code in share if code not in taken), "")
                    outcome = "granted" if code else "dry"
                if incentive:
                    plan.counts["survey_incentives_total", claim.survey_id, outcome] += 1
                if not code:
                    plan.empty.append(claim.response_id)
                    continue
                taken.add(code)
                last[claim.customer_id] = item.timestamp
                grant = Grant(
                    response_id=claim.response_id,
                    survey_id=claim.survey_id,
                    customer_id=claim.customer_id,
                    code=code,
                    at=item.timestamp / 1_000,
                )
                plan.granted.append(grant)
                plan.outgoing.append(Outgoing(INCENTIVES, claim.customer_id, grant))
        return plan


def remembered(grants: Iterable[Grant]) -> IncentivesPlan:
    """What the state has to know of grants that the log holds."""
    return IncentivesPlan(shown=list(grants))


def granted_at(grant: Grant) -> int:
    """In ms; 0 where the time is none, which no grant of ours has."""
    try:
        return to_ms(grant.at)
    except (ValueError, OverflowError):
        return 0
