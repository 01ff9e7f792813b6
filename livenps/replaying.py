"""What-if: the rules of a configuration over the touchpoints of the log, in memory; nothing is written.

Time is the log's: what is scheduled is settled before the first record that comes after it, and who is due by
schedule is asked once a day.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from livenps.settings import Config
from scoring.segments import Series
from streams.customers import CustomersPlan, DecideSurveys, Known, NothingDecided, Occasion
from streams.events import Ask, CustomerEvent, SurveyRequest
from streams.store import Batch, Item
from streams.times import DAY, to_ms
from surveys.caps import Place
from surveys.contacts import NOBODY, ContactState
from surveys.draws import Cell
from surveys.schedule import SCHEDULED

Reason = tuple[str, str, str]  # survey, decision, reason


@dataclass
class Tally:
    """What a configuration would have decided: verdicts by reason, and how many were asked, by segment."""

    verdicts: Counter[Reason] = field(default_factory=Counter)
    asked: Counter[Series] = field(default_factory=Counter)


class Rehearsal:
    """One configuration over the log of one partition, in order; what happens from ``since`` (ms) on counts.

    ``states`` are the customers as they were when the log begins.
    """

    def __init__(
        self,
        config: Config,
        since: int,
        tally: Tally,
        partition: int = 0,
        states: Mapping[str, ContactState] = MappingProxyType({}),
    ) -> None:
        self._partition = partition
        self._rules = config.rules()
        self._rule = DecideSurveys(self._rules, NothingDecided())
        self._dimensions = config.scored_dimensions()
        self._since, self._tally = since, tally
        self._states = dict(states)
        self._seen: set[Occasion] = set()
        self._sent: Counter[Place] = Counter()
        self._draws: Counter[Cell] = Counter()
        self._eligible: dict[Cell, set[str]] = {}
        self._due: list[tuple[int, str]] = []
        self._requests: dict[str, SurveyRequest] = {}
        self._day = 0

    def take(self, items: Sequence[Item]) -> None:
        """What happened next, each at its record's time."""
        for item in items:
            event: CustomerEvent = item.event  # type: ignore[assignment]
            self.until(item.timestamp)
            if not (isinstance(event, Ask) and event.event_id.startswith(SCHEDULED)):  # those are made here
                self._happens(event, item.offset, item.timestamp)

    def until(self, now: int) -> None:
        """Let time pass: settle what has become due, and ask by schedule when a day begins."""
        while self._rule.repeats and self._day < now // DAY:
            at = (self._day + 1) * DAY if self._day else now
            self._day = at // DAY
            self._settle(at)
            self._ask_again(at)
        self._settle(now)

    def _settle(self, now: int) -> None:
        while self._due and self._due[0][0] <= now:
            at, request_id = heapq.heappop(self._due)
            if request := self._requests.pop(request_id, None):
                known = self._known(request.customer_id, at)
                self._apply(self._rule.settle(self._partition, [request], known, at), at)

    def _ask_again(self, now: int) -> None:
        known = self._known("", now)
        sent, draws = self._rule.sent(self._partition, known), self._rule.draws(known, now)
        plan = self._rule.ask_again(self._states, now, (), sent, draws)
        self._count_eligible(plan)
        for outgoing in plan.outgoing:
            self._happens(outgoing.event, 0, now)  # type: ignore[arg-type]

    def _happens(self, event: CustomerEvent, offset: int, now: int) -> None:
        occasion = event.customer_id, event.event_id
        if occasion not in self._seen:
            self._seen.add(occasion)
            batch = Batch(self._partition, offset, offset + 1, now, [Item(event, offset, now)], [])
            self._apply(self._rule.decide(batch, self._known(event.customer_id, now), now), now)

    def _known(self, customer_id: str, now: int) -> Known:
        sent = {place: self._sent[place] for place in self._rules.caps.around(now)}
        return Known({customer_id: self._states.get(customer_id, NOBODY)}, frozenset(), sent, self._draws)

    def _apply(self, plan: CustomersPlan, now: int) -> None:
        self._states.update(plan.contacts)
        self._sent.update(place for place, _ in plan.sent)
        self._draws.update(plan.drawn)
        self._count_eligible(plan)
        for request in plan.due:
            self._requests[request.request_id] = request
            heapq.heappush(self._due, (to_ms(request.due_at), request.request_id))
        for request_id in plan.cancelled:
            heapq.heappush(self._due, (now, request_id))
        if now >= self._since:
            self._count(plan)

    def _count_eligible(self, plan: CustomersPlan) -> None:
        for cell, customers in plan.eligible.items():
            met = self._eligible.setdefault(cell, set())
            met |= set(customers)
            self._draws[cell] = len(met)

    def _count(self, plan: CustomersPlan) -> None:
        self._tally.verdicts.update((one.survey_id, one.decision, one.reason) for one in plan.verdicts)
        for outgoing in plan.outgoing:
            request = outgoing.event
            if isinstance(request, SurveyRequest) and request.state == "due" and not request.reminds:
                attributes = {**request.contact.traits, **request.properties}
                self._tally.asked.update(self._dimensions.series(request.survey_id, attributes))
