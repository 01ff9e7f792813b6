"""The customer lane's rule: decides for every touchpoint who is asked, and settles what was scheduled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from scoring.segments import Dimensions
from streams.events import (
    CUSTOMER_EVENTS,
    SENT_OFF,
    Answered,
    Ask,
    Contact,
    CustomerEvent,
    DecisionRecord,
    Merge,
    Merged,
    SurveyRequest,
    Time,
    Touchpoint,
    Verdict,
)
from streams.store import Batch, Item, Outgoing, Plan, Refused, misdated
from streams.times import DAY, FUTURE, from_ms, to_ms
from streams.topics import CONTACTS, DECISIONS, REQUESTS, TOUCHPOINTS
from surveys import contacts, merging, reasons
from surveys.caps import UNCAPPED, Place, Sent
from surveys.cohorts import Change, changes
from surveys.contacts import NOBODY, ContactState, apply, reminded, unscheduled
from surveys.decide import Invitation, cancelled, decide, decide_ask, decided_before
from surveys.draws import Cell, Draws
from surveys.rules import NO_DIMENSIONS, Rules
from surveys.schedule import asks
from surveys.settle import remind, reminder_id, settle, settled_before

Occasion = tuple[str, str]  # customer_id, event_id: what makes a repeat


class Known(NamedTuple):
    """What the state knows of the customers of a batch, and which of its occasions it has seen.

    ``sent`` is how many were sent off in the days around now, where there is a daily cap; ``draws`` are the counts
    that steer samples.
    """

    contacts: dict[str, ContactState]
    seen: frozenset[Occasion]
    sent: Mapping[Place, int] = MappingProxyType({})
    draws: Mapping[Cell, int] = MappingProxyType({})


@dataclass(slots=True)
class CustomersPlan(Plan):
    """What a batch changes for its customers.

    ``due`` are asks and reminders to schedule; ``settled`` are request ids that leave it, ``cancelled`` those that
    the next tick settles; ``sent`` is what was sent off, by where it counts against a daily cap; ``drawn`` and
    ``eligible`` are counts and customers that steer samples; ``day`` is of arrival; ``touched`` are the events of
    touchpoints, ``verdicts`` were made here or taken over: both are counted.
    """

    contacts: dict[str, ContactState] = field(default_factory=dict)
    seen: list[Occasion] = field(default_factory=list)
    due: list[SurveyRequest] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    sent: list[tuple[Place, str]] = field(default_factory=list)
    drawn: Mapping[Cell, int] = field(default_factory=dict)
    eligible: Mapping[Cell, Collection[str]] = field(default_factory=dict)
    day: int = 0
    touched: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    cohorts: Counter[Change] = field(default_factory=Counter)


class Decisions(Protocol):
    """What the log says was decided, and the state may have forgotten."""

    def made(self, partition: int, offset: int) -> DecisionRecord | None:
        """The decision on the touchpoint at this place."""
        ...

    def settled(self, partition: int, request_id: str) -> DecisionRecord | None:
        """The decision that settled a scheduled ask."""
        ...

    def requested(self, partition: int, request_id: str, state: str) -> bool:
        """Whether the request in this state was published."""
        ...

    def ahead(self, partition: int) -> bool:
        """Whether decisions are known on touchpoints that the state has not come to yet."""
        ...


class NothingDecided:
    """A log that holds no decisions and no requests: everything is decided anew."""

    def made(self, partition: int, offset: int) -> DecisionRecord | None:
        return None

    def settled(self, partition: int, request_id: str) -> DecisionRecord | None:
        return None

    def requested(self, partition: int, request_id: str, state: str) -> bool:
        return False

    def ahead(self, partition: int) -> bool:
        return False


class DecideSurveys:
    """Pure: a batch of what customers did becomes decisions, requests and new contact states.

    Where the log holds a decision already, that one is taken over, and made known no second time.
    """

    types = CUSTOMER_EVENTS
    max_records = 500  # of four partitions at a time: more, and what is made of them leaves the processor's caches
    key = attrgetter("customer_id")

    def __init__(self, rules: Rules, log: Decisions, dimensions: Dimensions = NO_DIMENSIONS) -> None:
        self._rules = rules
        self._log = log
        self._dimensions = dimensions

    def decide(self, batch: Batch, known: Known, now: int) -> CustomersPlan:
        plan = CustomersPlan(day=batch.timestamp // DAY)
        sent, draws = self.sent(batch.partition, known), self.draws(known, now)
        states = dict(known.contacts)
        seen = set(known.seen)
        for item in batch.items:
            event: CustomerEvent = item.event  # type: ignore[assignment]
            refusal = _refusal(item, event, now)
            if refusal:
                plan.refused.append(refusal)
                continue
            occasion = (event.customer_id, event.event_id)
            if occasion in seen:
                continue
            seen.add(occasion)
            plan.seen.append(occasion)
            before = states.get(event.customer_id, NOBODY)
            if before.merged_into or isinstance(event, Merge | Merged):
                merged = self._merge(batch.partition, item, event, before, now, plan)
                if merged is not None:
                    states[event.customer_id] = merged
                    continue
            state = apply(event, before)
            if state.pending:
                state = self._told(batch.partition, state)
            match event:
                case Touchpoint():
                    plan.touched.append(event.event)
                    if state.pending:
                        state = self._cancel(event.event, state, plan)
                    state = self._decide(batch.partition, item.offset, event, state, now, plan, sent, draws)
                case Ask():
                    state = self._decide(batch.partition, item.offset, event, state, now, plan, sent, draws)
                case Answered():
                    if _count_answered(event, before, plan):
                        draws.answered(event)
            if state.asked is not before.asked or state.answered is not before.answered:
                plan.cohorts.update(changes(before, state))
            states[event.customer_id] = state
        plan.sent, plan.drawn, plan.eligible = sent.added, draws.added, draws.eligible
        self._count(plan)
        _keep(plan, states, known)
        return plan

    def settle(self, partition: int, due: Sequence[SurveyRequest], known: Known, now: int) -> CustomersPlan:
        """The plan for asks and reminders that are due.

        Each goes out or is cancelled, with a decision record, or waits on.
        """
        plan = CustomersPlan()
        sent = self.sent(partition, known)
        states = dict(known.contacts)
        for request in due:
            state = self._told(partition, states.get(request.customer_id, NOBODY))
            if record := self._log.settled(partition, request.request_id):
                [verdict], at = record.verdicts, to_ms(record.decided_at)
            else:
                weigh = remind if request.reminds else settle
                settled, at = weigh(self._rules, request, state, now, sent), now
                if isinstance(settled, int):
                    plan.due.append(replace(request, due_at=_time(settled)))
                    continue
                verdict = settled
                plan.outgoing.append(_settled_record(request, verdict, now))
            if request.reminds:
                state = reminded(state, request.survey_id, to_ms(request.decided_at))
            else:
                state = settled_before(self._rules, state, verdict, at)
            plan.cohorts.update(changes(states.get(request.customer_id, NOBODY), state))
            states[request.customer_id] = state
            plan.settled.append(request.request_id)
            plan.verdicts.append(verdict)
            going = verdict.decision in SENT_OFF
            channel, *fallback = verdict.channels or (request.channel, *request.fallback)
            told = replace(
                request,
                state="due" if going else "cancelled",
                channel=channel,
                fallback=fallback,
                due_at=_time(at) if going else request.due_at,
                contact=state.contact,
            )
            self._request(plan, partition, told)
            self._schedule_reminder(plan, partition, told, verdict.remind_at, at)
        plan.contacts = states
        plan.sent = sent.added
        self._count(plan)
        return plan

    def sent(self, partition: int, known: Known) -> Sent:
        """What a partition has sent off; what is asked for is added."""
        return Sent(self._rules.caps, partition, known.sent)

    def draws(self, known: Known, now: int) -> Draws:
        """What a partition's samples are steered by; what is decided is added."""
        return Draws(self._rules.steered, known.draws, now)

    def ask_again(
        self,
        states: Mapping[str, ContactState],
        now: int,
        told: Collection[Occasion],
        sent: Sent = UNCAPPED,
        draws: Draws | None = None,
    ) -> CustomersPlan:
        """The plan for some customers who may be due by schedule; those ``told`` were asked for today."""
        plan = CustomersPlan()
        for customer, state in states.items():
            plan.outgoing += [
                Outgoing(TOUCHPOINTS, customer, ask)
                for ask in asks(self._rules, customer, state, now, sent, draws)
                if (customer, ask.event_id) not in told
            ]
        plan.eligible = draws.eligible if draws else {}
        return plan

    @property
    def repeats(self) -> bool:
        """Whether some survey is asked by schedule."""
        return bool(self._rules.repeated)

    def _decide(
        self,
        partition: int,
        offset: int,
        occasion: Touchpoint | Ask,
        state: ContactState,
        now: int,
        plan: CustomersPlan,
        sent: Sent,
        draws: Draws,
    ) -> ContactState:
        properties = occasion.properties if isinstance(occasion, Touchpoint) else {}
        if record := self._made(partition, offset, occasion):
            now = to_ms(record.decided_at)
            decided = decided_before(self._rules, record.verdicts, now, properties, state)
        else:
            if isinstance(occasion, Touchpoint):
                decided = decide(self._rules, occasion, state, now, sent, draws)
            else:
                decided = decide_ask(self._rules, occasion, state, now, sent, draws)
            plan.outgoing.append(_record(partition, offset, occasion, decided.verdicts, now))
        plan.verdicts += decided.verdicts
        draws.decided(occasion.customer_id, decided.state.contact, properties, decided.verdicts, now)
        for invitation in decided.invitations:
            request = _request(occasion, invitation, decided.state.contact, now)
            if request.state == "scheduled":
                plan.due.append(request)
            self._request(plan, partition, request)
            self._schedule_reminder(plan, partition, request, invitation.remind_at, now)
        return decided.state

    def _made(self, partition: int, offset: int, occasion: CustomerEvent) -> DecisionRecord | None:
        """What the log says was decided on this occasion.

        In a topic that was made anew, another customer's touchpoint may stand where the log knows a decision.
        """
        record = self._log.made(partition, offset)
        same = record and (record.customer_id, record.event_id) == (occasion.customer_id, occasion.event_id)
        return record if same else None

    def _merge(
        self, partition: int, item: Item, event: CustomerEvent, state: ContactState, now: int, plan: CustomersPlan
    ) -> ContactState | None:
        """The state after an event that has to do with a merge; None where it goes its usual way."""
        if isinstance(event, Merge | Merged) and (detail := merging.refusal(event, state)):
            plan.refused.append(Refused(item, "merge", detail))
            return merging.refused(event, state)
        if self._follows(partition, item, event, state):
            self._forward(partition, item.offset, event, state.merged_into, now, plan)
            return merging.take_in(event, state) if isinstance(event, Merged) else state
        match event:
            case Merge():
                state = self._told(partition, state)
                plan.cancelled += state.pending.values()  # the next tick settles them
                state, history = merging.leave(event, state, item.timestamp)
                plan.outgoing.append(Outgoing(TOUCHPOINTS, event.into, history))
                return state
            case Merged():
                return merging.take_in(event, state)
        return None

    def _follows(self, partition: int, item: Item, event: CustomerEvent, state: ContactState) -> bool:
        """Whether an event goes to the id that this one is merged into; what came before the merge does not.

        A state that was lost knows of the merge before it reads again what came before.
        """
        if not state.merged_into or item.timestamp < state.merged_at or isinstance(event, Merge):
            return False
        record = self._made(partition, item.offset, event)
        return record is None or all(verdict.reason == reasons.MERGED for verdict in record.verdicts)

    def _forward(
        self, partition: int, offset: int, event: CustomerEvent, into: str, now: int, plan: CustomersPlan
    ) -> None:
        """Give an event to the id that its own is merged into; what would be decided gets its record here too."""
        plan.outgoing.append(Outgoing(TOUCHPOINTS, into, merging.forwarded(event, into)))
        if isinstance(event, Ask):
            surveys = asking = [event.survey_id]
        elif isinstance(event, Touchpoint):
            surveys = [one.id for one in self._rules.surveys]
            asking = [survey.id for _, survey in self._rules.triggered.get(event.event, ())]
        else:
            return
        plan.verdicts += merging.moved(asking)  # counted are those that it could have asked
        if not self._made(partition, offset, event):
            plan.outgoing.append(_record(partition, offset, event, merging.moved(surveys), now))

    def _told(self, partition: int, state: ContactState) -> ContactState:
        """The state after what the log says of its scheduled asks: an older one may not know what was sent."""
        for request_id in state.pending.values():
            if record := self._log.settled(partition, request_id):
                state = settled_before(self._rules, state, record.verdicts[0], to_ms(record.decided_at))
        return state

    def _cancel(self, event: str, state: ContactState, plan: CustomersPlan) -> ContactState:
        """The state without the scheduled asks that an event ends; the next tick settles them."""
        for survey_id, request_id in cancelled(self._rules, event, state).items():
            state = unscheduled(state, survey_id)
            plan.cancelled.append(request_id)
        return state

    def may_settle(self, partition: int) -> bool:
        """Whether the state knows all that was decided: before, it could ask whom a later decision has asked."""
        return not self._log.ahead(partition)

    def _schedule_reminder(
        self, plan: CustomersPlan, partition: int, invitation: SurveyRequest, remind_at: Time | None, at: int
    ) -> None:
        """Schedule the reminder, if there is one, of an invitation that was sent off at ``at`` (ms)."""
        if remind_at is None:
            return
        reminder = replace(
            invitation,
            request_id=reminder_id(invitation.request_id),
            reminds=invitation.request_id,
            state="scheduled",
            decided_at=_time(at),
            due_at=remind_at,
        )
        plan.due.append(reminder)
        self._request(plan, partition, reminder)

    def _request(self, plan: CustomersPlan, partition: int, request: SurveyRequest) -> None:
        if not self._log.requested(partition, request.request_id, request.state):
            plan.outgoing.append(Outgoing(REQUESTS, request.customer_id, request))
        if request.state == "due" and not request.reminds:
            plan.counts["survey_requests_total", request.survey_id, request.channel] += 1
            # As the survey's page stamps them into the answer: who is invited counts where the answer will.
            segments = self._dimensions.segments({**request.contact.traits, **request.properties})
            for dimension, segment in segments.items():
                plan.counts["survey_segment_requests_total", request.survey_id, dimension, segment] += 1

    def _count(self, plan: CustomersPlan) -> None:
        for event, n in Counter(plan.touched).items():
            plan.counts["survey_touchpoints_total", event if event in self._rules.triggered else "other"] += n
        for outcome, n in Counter(map(_outcome, plan.verdicts)).items():
            plan.counts["survey_decisions_total", *outcome] += n


def _keep(plan: CustomersPlan, states: Mapping[str, ContactState], known: Known) -> None:
    """Note what has changed, and make it known where it has to outlive the state."""
    for customer, state in states.items():
        before = known.contacts.get(customer, NOBODY)
        if state != before:
            plan.contacts[customer] = state
            if _lasting(state) != _lasting(before):
                plan.outgoing.append(Outgoing(CONTACTS, customer, contacts.record(customer, state)))


def decision_id(partition: int, offset: int) -> str:
    """The id of the decision on a touchpoint: where that stands."""
    return f"{TOUCHPOINTS}:{partition}:{offset}"


def decided_on(decision_id: str) -> int:
    """The offset of the touchpoint that a decision was made on."""
    return int(decision_id.rpartition(":")[2])


def _refusal(item: Item, event: CustomerEvent, now: int) -> Refused | None:
    if refused := misdated(item, now):
        return refused
    try:
        late = to_ms(event.occurred_at) - item.timestamp > FUTURE
    except (ValueError, OverflowError) as error:
        return Refused(item, "invalid", f"occurred_at: {error}")
    # From the far future it would stay the newest word on this contact for ever.
    return Refused(item, "future", "occurred_at is more than 5 minutes later than the record") if late else None


def _count_answered(event: Answered, before: ContactState, plan: CustomersPlan) -> bool:
    """Count the first answer to an invitation, if it is one; the state before it knows of no later one."""
    asked, answered = before.asked.get(event.survey_id), before.answered.get(event.survey_id, -1)
    if asked is None or not answered < asked <= to_ms(event.occurred_at):
        return False
    plan.counts["survey_answered_total", event.survey_id] += 1
    for dimension, segment in event.segments.items():
        plan.counts["survey_segment_answered_total", event.survey_id, dimension, segment] += 1
    return True


def _request(occasion: Touchpoint | Ask, invitation: Invitation, contact: Contact, now: int) -> SurveyRequest:
    return SurveyRequest(
        request_id=invitation.request_id,
        survey_id=invitation.survey_id,
        customer_id=occasion.customer_id,
        channel=invitation.channels[0],
        fallback=list(invitation.channels[1:]),
        state="scheduled" if invitation.due_at > now else "due",
        decided_at=_time(now),
        due_at=_time(invitation.due_at),
        contact=contact,
        properties=invitation.properties,
        weight=invitation.weight,
    )


def _record(
    partition: int, offset: int, occasion: Touchpoint | Ask, verdicts: list[Verdict], now: int
) -> Outgoing:
    record = DecisionRecord(
        decision_id=decision_id(partition, offset),
        customer_id=occasion.customer_id,
        event_id=occasion.event_id,
        event=occasion.event if isinstance(occasion, Touchpoint) else "ask",
        decided_at=_time(now),
        verdicts=verdicts,
    )
    return Outgoing(DECISIONS, occasion.customer_id, record)


def _settled_record(request: SurveyRequest, verdict: Verdict, now: int) -> Outgoing:
    record = DecisionRecord(
        decision_id=f"settled:{request.request_id}",
        customer_id=request.customer_id,
        event_id=request.request_id,
        event="reminder" if request.reminds else "due",
        decided_at=from_ms(now),
        verdicts=[verdict],
        settles=request.request_id,
    )
    return Outgoing(DECISIONS, request.customer_id, record)


_lasting = attrgetter(  # what a contact record tells
    "contact", "unsubscribed", "bounced", "answered", "declined", "merged", "merged_into"
)
_outcome = attrgetter("survey_id", "decision", "reason")
_time = lru_cache(maxsize=16)(from_ms)  # a batch is decided on at one time
