"""Who is asked: one verdict per survey for every touchpoint, with the rule that said so.

Pure: the contact's state and the time are arguments, the new state and the verdicts the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from msgspec import Struct, field

from streams.events import Ask, Channel, Scalar, Time, Touchpoint, Verdict
from streams.times import from_ms, to_ms
from surveys import reasons
from surveys.caps import UNCAPPED, Sent
from surveys.contacts import ContactState, scheduled
from surveys.draws import Draws
from surveys.filters import matches
from surveys.limits import end, limits
from surveys.reach import reach
from surveys.rules import Rules, not_asked
from surveys.sampling import sampled
from surveys.survey import Survey


class Invitation(Struct, frozen=True, gc=False):
    """A verdict that leads to a request: at once, or when ``due_at`` (ms) has come; its reminder follows."""

    survey_id: str
    channels: tuple[Channel, ...]  # in the order in which they are tried
    request_id: str
    properties: dict[str, Scalar]
    due_at: int
    weight: float
    remind_at: Time | None = None


class Decided(Struct, gc=False):
    """What one occasion led to; ``state`` is the contact's after the last of the verdicts."""

    state: ContactState
    verdicts: list[Verdict] = field(default_factory=list)
    invitations: list[Invitation] = field(default_factory=list)


def decide(
    rules: Rules,
    touchpoint: Touchpoint,
    state: ContactState,
    now: int,
    sent: Sent = UNCAPPED,
    draws: Draws | None = None,
) -> Decided:
    """One verdict per survey on a touchpoint. ``state`` already knows the touchpoint's contact.

    What is sent off at once is added to ``sent``; ``draws`` say at which rate a survey is asked whose rate is
    steered.
    """
    decided = Decided(state, rules.passed_over.copy())
    draws = draws or Draws(rules.steered, {}, now)
    for place, survey in rules.triggered.get(touchpoint.event, ()):
        if survey.where and not all(matches(condition, touchpoint.properties) for condition in survey.where):
            decided.verdicts[place] = not_asked(survey.id, reasons.FILTERED)
        else:
            properties = touchpoint.properties
            decided.verdicts[place] = _weigh(rules, survey, touchpoint, properties, now, decided, sent, draws)
    return decided


def decide_ask(
    rules: Rules,
    ask: Ask,
    state: ContactState,
    now: int,
    sent: Sent = UNCAPPED,
    draws: Draws | None = None,
) -> Decided:
    """The verdict on an ask by hand or by schedule: no trigger is needed, every limit holds."""
    decided = Decided(state)
    draws = draws or Draws(rules.steered, {}, now)
    if survey := rules.survey(ask.survey_id):
        decided.verdicts.append(_weigh(rules, survey, ask, {}, now, decided, sent, draws))
    else:
        refused = Verdict(survey_id=ask.survey_id, decision="not_asked", reason=reasons.UNKNOWN_SURVEY)
        decided.verdicts.append(refused)
    return decided


def cancelled(rules: Rules, event: str, state: ContactState) -> dict[str, str]:
    """The scheduled asks that an event ends: survey id -> request id."""
    return {id_: state.pending[id_] for id_ in rules.cancels.get(event, ()) if id_ in state.pending}


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
            decided.state = rules.asked(decided.state, verdict, at)
        channels = verdict.channels or _configured(rules, verdict.survey_id)
        invitation = Invitation(
            verdict.survey_id,
            channels,
            verdict.request_id,
            properties,
            due_at,
            verdict.weight,
            verdict.remind_at,
        )
        decided.invitations.append(invitation)
    return decided


def _configured(rules: Rules, survey_id: str) -> tuple[Channel, ...]:
    """The channels of a survey. Where it is gone, delivery, or settling, tells so."""
    survey = rules.survey(survey_id)
    return tuple(survey.channels) if survey else ("log",)


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
    sent: Sent,
    draws: Draws,
) -> Verdict:
    """The verdict of a survey that an occasion calls for; what follows from it is added to ``decided``."""
    reason = reasons.TOO_OLD if now - to_ms(occasion.occurred_at) > survey.max_age else None
    reason = reason or rules.refusal(survey, occasion.customer_id, decided.state)
    held = [] if reason else limits(rules.asking, survey, decided.state, now)
    if held and end(held) - now > survey.defer:
        reason = held[0][0]
    if reason:
        return not_asked(survey.id, reason)
    rate = draws.rate(survey, decided.state.contact, properties, now)
    if not sampled(occasion.customer_id, survey.id, rate, now, survey.sample_period):
        return not_asked(survey.id, reasons.NOT_SAMPLED)
    id_ = request_id(survey.id, occasion.customer_id, occasion.event_id)
    channels = reach(survey, rules.asking, decided.state)
    wanted = max(now + survey.delay, end(held) if held else now)
    due_at = rules.opens(survey, decided.state, wanted)
    if due_at <= now and (held := sent.limits(survey.id, now)):
        if end(held) - now > survey.defer:
            return not_asked(survey.id, held[0][0])
        due_at = rules.opens(survey, decided.state, end(held))
    weight = 1 / rate
    if due_at > now:
        why = held[0][0] if held else reasons.DELAY if survey.delay else reasons.SENDING_HOURS
        decided.state = scheduled(decided.state, survey.id, id_)
        verdict = Verdict(
            survey_id=survey.id,
            decision="scheduled",
            reason=why,
            request_id=id_,
            due_at=from_ms(due_at),
            weight=weight,
            channels=channels,
        )
    else:
        verdict = Verdict(
            survey_id=survey.id,
            decision="asked",
            reason=reasons.TRIGGERED,
            request_id=id_,
            weight=weight,
            channels=channels,
        )
        verdict = rules.with_reminder(survey, verdict, decided.state, now)
        decided.state = rules.asked(decided.state, verdict, now)
        sent.add(survey.id, id_, now)
    decided.invitations.append(Invitation(survey.id, channels, id_, properties, due_at, weight, verdict.remind_at))
    return verdict
