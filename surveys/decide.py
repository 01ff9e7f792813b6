"""Who is asked: one verdict per survey for every touchpoint, with the rule that said so.

Pure: the contact's state and the time are arguments, the new state and the verdicts the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import blake2b

from msgspec import Struct, field
from msgspec.structs import replace

from streams.events import Ask, Channel, Decision, Scalar, SurveyRequest, Touchpoint, Verdict
from streams.times import DAY, from_ms, to_ms
from surveys import reasons
from surveys.contacts import ContactState, asked, scheduled, unscheduled
from surveys.exclusions import Exclusions
from surveys.filters import matches
from surveys.hours import next_open
from surveys.limits import Limit, limits
from surveys.reach import reach, unreachable
from surveys.sampling import sampled
from surveys.survey import Asking, Survey

LATE = DAY  # what nobody settled for so long is not sent any more


class Invitation(Struct, frozen=True, gc=False):
    """A verdict that leads to a request: at once, or when ``due_at`` (ms) has come."""

    survey_id: str
    channels: tuple[Channel, ...]  # in the order in which they are tried
    request_id: str
    properties: dict[str, Scalar]
    due_at: int


class Decided(Struct, gc=False):
    """What one occasion led to; ``state`` is the contact's after the last of the verdicts."""

    state: ContactState
    verdicts: list[Verdict] = field(default_factory=list)
    invitations: list[Invitation] = field(default_factory=list)


@dataclass(frozen=True)
class Rules:
    """The configured surveys, and what holds over all of them; ``suppressed`` are customer ids and addresses."""

    surveys: tuple[Survey, ...]
    asking: Asking
    suppressed: frozenset[str] = frozenset()

    @cached_property
    def exclusions(self) -> Exclusions | None:
        return Exclusions.of(self.asking.exclude, self.suppressed)

    @cached_property
    def passed_over(self) -> list[Verdict]:
        """What each survey says of an event that it is not triggered by: nearly every verdict is one of these."""
        return [
            _not_asked(one.id, reasons.OTHER_EVENT if one.trigger else reasons.NO_TRIGGER) for one in self.surveys
        ]

    @cached_property
    def triggered(self) -> dict[str, list[tuple[int, Survey]]]:
        """By event, the surveys that it triggers, and where each of them stands among all."""
        found: dict[str, list[tuple[int, Survey]]] = {}
        for place, survey in enumerate(self.surveys):
            if survey.trigger:
                found.setdefault(survey.trigger, []).append((place, survey))
        return found

    @cached_property
    def repeated(self) -> list[Survey]:
        """The surveys that everybody is asked every so often."""
        return [survey for survey in self.surveys if survey.every]

    @cached_property
    def cancels(self) -> dict[str, list[str]]:
        """By event, the surveys whose scheduled asks it ends."""
        found: dict[str, list[str]] = {}
        for survey in self.surveys:
            for event in survey.cancel:
                found.setdefault(event, []).append(survey.id)
        return found

    def survey(self, survey_id: str) -> Survey | None:
        return next((survey for survey in self.surveys if survey.id == survey_id), None)


def decide(rules: Rules, touchpoint: Touchpoint, state: ContactState, now: int) -> Decided:
    """One verdict per survey on a touchpoint. ``state`` already knows the touchpoint's contact."""
    decided = Decided(state, rules.passed_over.copy())
    for place, survey in rules.triggered.get(touchpoint.event, ()):
        if survey.where and not all(matches(condition, touchpoint.properties) for condition in survey.where):
            decided.verdicts[place] = _not_asked(survey.id, reasons.FILTERED)
        else:
            decided.verdicts[place] = _weigh(rules, survey, touchpoint, touchpoint.properties, now, decided)
    return decided


def decide_ask(rules: Rules, ask: Ask, state: ContactState, now: int) -> Decided:
    """The verdict on an ask by hand or by schedule: no trigger is needed, every limit holds."""
    decided = Decided(state)
    if survey := rules.survey(ask.survey_id):
        decided.verdicts.append(_weigh(rules, survey, ask, {}, now, decided))
    else:
        refused = Verdict(survey_id=ask.survey_id, decision="not_asked", reason=reasons.UNKNOWN_SURVEY)
        decided.verdicts.append(refused)
    return decided


def cancelled(rules: Rules, event: str, state: ContactState) -> dict[str, str]:
    """The scheduled asks that an event ends: survey id -> request id."""
    return {id_: state.pending[id_] for id_ in rules.cancels.get(event, ()) if id_ in state.pending}


def settle(rules: Rules, request: SurveyRequest, state: ContactState, now: int) -> Verdict | int:
    """The verdict on a scheduled ask that is due, or until when (ms) it waits on.

    Whether the customer may be asked is weighed once more.
    """
    survey = rules.survey(request.survey_id)
    if survey is None:
        return _settled(request, reasons.UNKNOWN_SURVEY)
    if reason := _obsolete(rules, survey, request, state, now):
        return _settled(request, reason)
    # What else is scheduled does not count here: of two that wait for each other neither would ever go out.
    held = limits(rules.asking, survey, replace(state, pending={}), now)
    if not held:
        opens = _opens(rules, survey, state, now)
        return opens if opens > now else _settled(request, None, reach(survey, rules.asking, state))
    until = _end(held)
    patience = to_ms(request.decided_at) + survey.delay + survey.defer
    return until if survey.defer and until <= patience else _settled(request, held[0][0])


def decided_before(
    rules: Rules, verdicts: Sequence[Verdict], at: int, properties: dict[str, Scalar], state: ContactState
) -> Decided:
    """What a decision of ``at`` (ms) led to: its verdicts are taken over, whatever the rules would say now."""
    decided = Decided(state, list(verdicts))
    for verdict in verdicts:
        if verdict.request_id is None:
            continue
        due_at = at if verdict.due_at is None else to_ms(verdict.due_at)
        if verdict.decision == "scheduled":
            decided.state = scheduled(decided.state, verdict.survey_id, verdict.request_id)
        elif verdict.decision == "asked":
            decided.state = asked(decided.state, verdict.survey_id, verdict.request_id, at, rules.asking.at_most)
        channels = verdict.channels or _configured(rules, verdict.survey_id)
        decided.invitations.append(Invitation(verdict.survey_id, channels, verdict.request_id, properties, due_at))
    return decided


def _configured(rules: Rules, survey_id: str) -> tuple[Channel, ...]:
    """The channels of a survey. Where it is gone, delivery, or settling, tells so."""
    survey = rules.survey(survey_id)
    return tuple(survey.channels) if survey else ("log",)


def settled_before(rules: Rules, state: ContactState, verdict: Verdict, at: int) -> ContactState:
    """The state after a scheduled ask that was settled at ``at`` (ms); a later ask of the survey still waits."""
    if state.pending.get(verdict.survey_id) == verdict.request_id:
        state = unscheduled(state, verdict.survey_id)
    if verdict.decision != "asked":
        return state
    return asked(state, verdict.survey_id, verdict.request_id or "", at, rules.asking.at_most)


def request_id(survey_id: str, customer_id: str, event_id: str) -> str:
    """The same occasion always gives the same request, so that a repeat can be told."""
    text = f"{len(survey_id)}:{survey_id}{len(customer_id)}:{customer_id}{len(event_id)}:{event_id}"
    return blake2b(text.encode(), digest_size=15).hexdigest()


def _weigh(
    rules: Rules,
    survey: Survey,
    occasion: Touchpoint | Ask,
    properties: dict[str, Scalar],
    now: int,
    decided: Decided,
) -> Verdict:
    """The verdict of a survey that an occasion calls for; what follows from it is added to ``decided``."""
    reason = reasons.TOO_OLD if now - to_ms(occasion.occurred_at) > survey.max_age else None
    reason = reason or _refusal(rules, survey, occasion.customer_id, decided.state)
    held = [] if reason else limits(rules.asking, survey, decided.state, now)
    if held and _end(held) - now > survey.defer:
        reason = held[0][0]
    if not reason and not sampled(occasion.customer_id, survey.id, survey.sample, now):
        reason = reasons.NOT_SAMPLED
    if reason:
        return _not_asked(survey.id, reason)
    id_ = request_id(survey.id, occasion.customer_id, occasion.event_id)
    channels = reach(survey, rules.asking, decided.state)
    wanted = max(now + survey.delay, _end(held) if held else now)
    due_at = _opens(rules, survey, decided.state, wanted)
    if due_at > now:
        why = held[0][0] if held else reasons.DELAY if survey.delay else reasons.SENDING_HOURS
        decided.state = scheduled(decided.state, survey.id, id_)
        verdict = Verdict(
            survey_id=survey.id,
            decision="scheduled",
            reason=why,
            request_id=id_,
            due_at=from_ms(due_at),
            channels=channels,
        )
    else:
        decided.state = asked(decided.state, survey.id, id_, now, rules.asking.at_most)
        verdict = Verdict(
            survey_id=survey.id, decision="asked", reason=reasons.TRIGGERED, request_id=id_, channels=channels
        )
    decided.invitations.append(Invitation(survey.id, channels, id_, properties, due_at))
    return verdict


@cache
def _not_asked(survey_id: str, reason: str) -> Verdict:
    return Verdict(survey_id=survey_id, decision="not_asked", reason=reason)


def _settled(request: SurveyRequest, reason: str | None, channels: tuple[Channel, ...] = ()) -> Verdict:
    decision: Decision = "not_asked" if reason else "asked"
    return Verdict(
        survey_id=request.survey_id,
        decision=decision,
        reason=reason or reasons.DUE,
        request_id=request.request_id,
        channels=channels,
    )


def _obsolete(rules: Rules, survey: Survey, request: SurveyRequest, state: ContactState, now: int) -> str | None:
    """Why an ask that is due is not sent any more, whatever the limits say."""
    if state.pending.get(survey.id) != request.request_id:
        return reasons.CANCELLED
    # A state that was lost knows when an ask was due first, and not how long it has waited on since.
    patience = to_ms(request.decided_at) + survey.delay + survey.defer
    if now > max(to_ms(request.due_at), patience) + LATE:
        return reasons.TOO_LATE
    return _refusal(rules, survey, request.customer_id, unscheduled(state, survey.id))


def _refusal(rules: Rules, survey: Survey, customer_id: str, state: ContactState) -> str | None:
    """Why this customer may not be asked this survey, however long it waits."""
    if rules.exclusions and (reason := rules.exclusions.reason(customer_id, state)):
        return reason
    if state.unsubscribed:
        return reasons.UNSUBSCRIBED
    if reason := unreachable(survey, rules.asking, state):
        return reason
    return reasons.ALREADY_SCHEDULED if survey.id in state.pending else None


def _opens(rules: Rules, survey: Survey, state: ContactState, at: int) -> int:
    """The first instant (ms) from ``at`` on that lies in the sending hours."""
    sending = survey.sending or rules.asking.sending
    return next_open(sending, state.contact.timezone, at) if sending else at


def _end(held: Sequence[Limit]) -> int:
    """When the last of the limits ends (ms)."""
    return max(end for _, end in held)
