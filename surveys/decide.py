"""Who is asked: one verdict per survey for every touchpoint, with the rule that said so.

Pure: the contact's state and the time are arguments, the new state and the verdicts the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import NamedTuple

from streams.events import Ask, Decision, Scalar, Touchpoint, Verdict
from streams.times import from_ms, to_ms
from surveys.contacts import ContactState, asked, scheduled, unscheduled
from surveys.filters import matches
from surveys.sampling import sampled
from surveys.survey import Survey

# Every reason a verdict can carry, in the order in which the rules are asked.
NO_TRIGGER = "no_trigger"
OTHER_EVENT = "other_event"
FILTERED = "filtered"
TOO_OLD = "too_old"
UNSUBSCRIBED = "unsubscribed"
NO_ADDRESS = "no_address"
NOT_SAMPLED = "not_sampled"
ALREADY_SCHEDULED = "already_scheduled"
QUIET_SURVEY = "quiet_period_survey"
QUIET_ALL = "quiet_period_all"
DELAY = "delay"
TRIGGERED = "triggered"
DUE = "due"
UNKNOWN_SURVEY = "unknown_survey"


class Invitation(NamedTuple):
    """A verdict that leads to a request: at once, or when ``due_at`` (ms) has come."""

    survey: Survey
    request_id: str
    properties: dict[str, Scalar]
    due_at: int


class Decided(NamedTuple):
    """What one occasion led to."""

    state: ContactState
    verdicts: list[Verdict]
    invitations: list[Invitation]


@dataclass(frozen=True, slots=True)
class Rules:
    """The configured surveys, and the quiet period over all of them (ms)."""

    surveys: tuple[Survey, ...]
    quiet_period: int

    def survey(self, survey_id: str) -> Survey | None:
        return next((survey for survey in self.surveys if survey.id == survey_id), None)


def decide(rules: Rules, touchpoint: Touchpoint, state: ContactState, now: int) -> Decided:
    """One verdict per survey on a touchpoint. ``state`` already knows the touchpoint's contact."""

    def not_triggered(survey: Survey) -> str | None:
        if survey.trigger is None:
            return NO_TRIGGER
        if survey.trigger != touchpoint.event:
            return OTHER_EVENT
        if not all(matches(condition, touchpoint.properties) for condition in survey.where):
            return FILTERED
        return TOO_OLD if now - to_ms(touchpoint.occurred_at) > survey.max_age else None

    return _weigh(rules, rules.surveys, not_triggered, touchpoint, touchpoint.properties, state, now)


def decide_ask(rules: Rules, ask: Ask, state: ContactState, now: int) -> Decided:
    """The verdict on an ask by hand or by schedule: no trigger is needed, every limit holds."""
    survey = rules.survey(ask.survey_id)
    if survey is None:
        refused = Verdict(survey_id=ask.survey_id, decision="not_asked", reason=UNKNOWN_SURVEY)
        return Decided(state, [refused], [])
    too_old = TOO_OLD if now - to_ms(ask.occurred_at) > survey.max_age else None
    return _weigh(rules, [survey], lambda _: too_old, ask, {}, state, now)


def settle(
    rules: Rules, survey_id: str, request_id: str, state: ContactState, now: int
) -> tuple[ContactState, Verdict]:
    """The verdict on a scheduled ask that is due; whether the customer may be asked is weighed once more."""
    survey = rules.survey(survey_id)
    waiting = unscheduled(state, survey_id)
    reason = UNKNOWN_SURVEY if survey is None else _refusal(rules, survey, waiting, now)
    decision: Decision = "not_asked" if reason else "asked"
    verdict = Verdict(survey_id=survey_id, decision=decision, reason=reason or DUE, request_id=request_id)
    return settled_before(state, verdict, now), verdict


def decided_before(
    rules: Rules, verdicts: Sequence[Verdict], at: int, properties: dict[str, Scalar], state: ContactState
) -> Decided:
    """What a decision of ``at`` (ms) led to: its verdicts are taken over, whatever the rules would say now."""
    invitations: list[Invitation] = []
    for verdict in verdicts:
        if verdict.request_id is None:
            continue
        due_at = at if verdict.due_at is None else to_ms(verdict.due_at)
        if verdict.decision == "scheduled":
            state = scheduled(state, verdict.survey_id, verdict.request_id)
        elif verdict.decision == "asked":
            state = asked(state, verdict.survey_id, at)
        if survey := rules.survey(verdict.survey_id):
            invitations.append(Invitation(survey, verdict.request_id, properties, due_at))
    return Decided(state, list(verdicts), invitations)


def settled_before(state: ContactState, verdict: Verdict, at: int) -> ContactState:
    """The state after a scheduled ask that was settled at ``at`` (ms)."""
    state = unscheduled(state, verdict.survey_id)
    return asked(state, verdict.survey_id, at) if verdict.decision == "asked" else state


def request_id(survey_id: str, customer_id: str, event_id: str) -> str:
    """The same occasion always gives the same request, so that a repeat can be told."""
    text = "".join(f"{len(part)}:{part}" for part in (survey_id, customer_id, event_id))
    return blake2b(text.encode(), digest_size=15).hexdigest()


def _weigh(
    rules: Rules,
    surveys: Iterable[Survey],
    not_triggered: Callable[[Survey], str | None],
    occasion: Touchpoint | Ask,
    properties: dict[str, Scalar],
    state: ContactState,
    now: int,
) -> Decided:
    verdicts: list[Verdict] = []
    invitations: list[Invitation] = []
    for survey in surveys:
        reason = (
            not_triggered(survey)
            or _refusal(rules, survey, state, now)
            or (None if sampled(occasion.customer_id, survey.id, survey.sample, now) else NOT_SAMPLED)
        )
        if reason:
            verdicts.append(_not_asked(survey.id, reason))
            continue
        id_ = request_id(survey.id, occasion.customer_id, occasion.event_id)
        invitation = Invitation(survey, id_, properties, now + survey.delay)
        invitations.append(invitation)
        if survey.delay:
            state = scheduled(state, survey.id, id_)
            due = from_ms(invitation.due_at)
            verdicts.append(
                Verdict(survey_id=survey.id, decision="scheduled", reason=DELAY, request_id=id_, due_at=due)
            )
        else:
            state = asked(state, survey.id, now)
            verdicts.append(Verdict(survey_id=survey.id, decision="asked", reason=TRIGGERED, request_id=id_))
    return Decided(state, verdicts, invitations)


@cache  # nearly every verdict is one of these
def _not_asked(survey_id: str, reason: str) -> Verdict:
    return Verdict(survey_id=survey_id, decision="not_asked", reason=reason)


def _refusal(rules: Rules, survey: Survey, state: ContactState, now: int) -> str | None:
    """Why this customer may not be asked this survey now, whatever the occasion."""
    if state.unsubscribed:
        return UNSUBSCRIBED
    if survey.channel == "mail" and not state.address:
        return NO_ADDRESS
    if survey.id in state.pending:
        return ALREADY_SCHEDULED
    last = state.asked.get(survey.id)
    if last is not None and now - last < survey.quiet_period:
        return QUIET_SURVEY
    # A scheduled ask of another survey counts as sent: both going out together is what the period forbids.
    recently = state.last_asked is not None and now - state.last_asked < rules.quiet_period
    return QUIET_ALL if rules.quiet_period and (state.pending or recently) else None
