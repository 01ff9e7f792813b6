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

from scoring.segments import Dimensions
from streams.events import Ask, Channel, Decision, Scalar, SurveyRequest, Time, Touchpoint, Verdict
from streams.times import DAY, FUTURE, from_ms, to_ms
from surveys import reasons
from surveys.caps import UNCAPPED, Caps, Place, Sent
from surveys.contacts import ContactState, asked, reminding, scheduled, unscheduled
from surveys.draws import Draws, Round, Steered
from surveys.exclusions import Exclusions
from surveys.filters import matches
from surveys.hours import next_open
from surveys.limits import Limit, limits
from surveys.reach import reach, unreachable
from surveys.sampling import sampled
from surveys.survey import Asking, Survey

NO_DIMENSIONS = Dimensions()
LATE = DAY  # what nobody settled for so long is not sent any more


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


@dataclass(frozen=True)
class Rules:
    """The configured surveys, and what holds over all of them; ``suppressed`` are customer ids and addresses.

    ``partitions`` are those of the customer lane, among which a daily cap is divided, and the answers that samples
    are steered towards in segments of ``dimensions``.
    """

    surveys: tuple[Survey, ...]
    asking: Asking
    suppressed: frozenset[str] = frozenset()
    partitions: int = 1
    dimensions: Dimensions = NO_DIMENSIONS

    @cached_property
    def steered(self) -> Steered:
        return Steered(self.surveys, self.dimensions, self.partitions)

    @cached_property
    def caps(self) -> Caps:
        return Caps.of(self.surveys, self.asking, self.partitions)

    def counted(self, now: int) -> tuple[list[Place], list[Round]]:
        """Which counts of a partition the rules look at: those of daily caps, and those that steer samples."""
        return self.caps.around(now), self.steered.rounds(now)

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
            decided.verdicts[place] = _not_asked(survey.id, reasons.FILTERED)
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


def settle(
    rules: Rules, request: SurveyRequest, state: ContactState, now: int, sent: Sent = UNCAPPED
) -> Verdict | int:
    """The verdict on a scheduled ask that is due, or until when (ms) it waits on.

    Whether the customer may be asked is weighed once more. What is sent off is added to ``sent``.
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
        if opens > now:
            return opens
        held = sent.limits(survey.id, now)
    if not held:
        sent.add(survey.id, request.request_id, now)
        going = _settled(request, None, reach(survey, rules.asking, state))
        return _sent(rules, survey, going, state, now)
    until = _end(held)
    patience = to_ms(request.decided_at) + survey.delay + survey.defer
    return until if survey.defer and until <= patience else _settled(request, held[0][0])


def remind(
    rules: Rules, reminder: SurveyRequest, state: ContactState, now: int, sent: Sent = UNCAPPED
) -> Verdict | int:
    """The verdict on a reminder that is due, or until when (ms) it waits for the sending hours.

    It repeats an invitation, so no limit of the customer's holds it up; where a daily cap is reached it is left
    out. What is sent off is added to ``sent``.
    """
    survey = rules.survey(reminder.survey_id)
    if survey is None:
        return _reminded(reminder, reasons.UNKNOWN_SURVEY)
    if reason := _pointless(rules, survey, reminder, state, now):
        return _reminded(reminder, reason)
    opens = _opens(rules, survey, state, now)
    if opens > now:
        return opens
    if held := sent.limits(survey.id, now):
        return _reminded(reminder, held[0][0])
    channels = tuple(
        one for one in reach(survey, rules.asking, state) if one != "web"
    )  # the card waits there anyway
    if not channels:
        return _reminded(reminder, reasons.NO_ADDRESS)
    sent.add(survey.id, reminder.request_id, now)
    return _reminded(reminder, None, channels)


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
            decided.state = _asked(rules, decided.state, verdict, at)
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


def settled_before(rules: Rules, state: ContactState, verdict: Verdict, at: int) -> ContactState:
    """The state after a scheduled ask that was settled at ``at`` (ms); a later ask of the survey still waits."""
    if state.pending.get(verdict.survey_id) == verdict.request_id:
        state = unscheduled(state, verdict.survey_id)
    return _asked(rules, state, verdict, at) if verdict.decision == "asked" else state


def request_id(survey_id: str, customer_id: str, event_id: str) -> str:
    """The same occasion always gives the same request, so that a repeat can be told."""
    text = f"{len(survey_id)}:{survey_id}{len(customer_id)}:{customer_id}{len(event_id)}:{event_id}"
    return blake2b(text.encode(), digest_size=15).hexdigest()


def reminder_id(request_id: str) -> str:
    """The request of an invitation's one reminder."""
    return f"{request_id}-reminder"


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
    reason = reason or _refusal(rules, survey, occasion.customer_id, decided.state)
    held = [] if reason else limits(rules.asking, survey, decided.state, now)
    if held and _end(held) - now > survey.defer:
        reason = held[0][0]
    if reason:
        return _not_asked(survey.id, reason)
    rate = draws.rate(survey, decided.state.contact, properties, now)
    if not sampled(occasion.customer_id, survey.id, rate, now, survey.sample_period):
        return _not_asked(survey.id, reasons.NOT_SAMPLED)
    id_ = request_id(survey.id, occasion.customer_id, occasion.event_id)
    channels = reach(survey, rules.asking, decided.state)
    wanted = max(now + survey.delay, _end(held) if held else now)
    due_at = _opens(rules, survey, decided.state, wanted)
    if due_at <= now and (held := sent.limits(survey.id, now)):
        if _end(held) - now > survey.defer:
            return _not_asked(survey.id, held[0][0])
        due_at = _opens(rules, survey, decided.state, _end(held))
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
        verdict = _sent(rules, survey, verdict, decided.state, now)
        decided.state = _asked(rules, decided.state, verdict, now)
        sent.add(survey.id, id_, now)
    decided.invitations.append(Invitation(survey.id, channels, id_, properties, due_at, weight, verdict.remind_at))
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


def _sent(rules: Rules, survey: Survey, verdict: Verdict, state: ContactState, now: int) -> Verdict:
    """The verdict that sends a survey off now, with the time of its reminder where it has one."""
    if not survey.reminder:
        return verdict
    return replace(verdict, remind_at=from_ms(_opens(rules, survey, state, now + survey.reminder)))


def _asked(rules: Rules, state: ContactState, verdict: Verdict, at: int) -> ContactState:
    """The state after a verdict of ``at`` (ms) that sent a survey off."""
    state = asked(state, verdict.survey_id, verdict.request_id or "", at, rules.asking.at_most)
    return reminding(state, verdict.survey_id, at) if verdict.remind_at is not None else state


def _reminded(reminder: SurveyRequest, reason: str | None, channels: tuple[Channel, ...] = ()) -> Verdict:
    decision: Decision = "not_reminded" if reason else "reminded"
    return Verdict(
        survey_id=reminder.survey_id,
        decision=decision,
        reason=reason or reasons.REMINDER,
        request_id=reminder.request_id,
        channels=channels,
    )


def _pointless(rules: Rules, survey: Survey, reminder: SurveyRequest, state: ContactState, now: int) -> str | None:
    """Why a reminder that is due is not sent any more."""
    sent = to_ms(reminder.decided_at)
    if not survey.reminder:
        return reasons.NO_REMINDER
    if state.reminders.get(survey.id) != sent:
        return reasons.MERGED if state.merged_into else reasons.INVITED_AGAIN
    if now > to_ms(reminder.due_at) + LATE:
        return reasons.TOO_LATE
    for times, reason in ((state.answered, reasons.ANSWERED), (state.declined, reasons.DECLINED)):
        if times.get(survey.id, -1) >= sent - FUTURE:  # told by another clock
            return reason
    if reminder.channel == "mail" and state.bounced and state.bounced == reminder.contact.email:
        return reasons.BOUNCED
    return _refusal(rules, survey, reminder.customer_id, unscheduled(state, survey.id))


def _obsolete(rules: Rules, survey: Survey, request: SurveyRequest, state: ContactState, now: int) -> str | None:
    """Why an ask that is due is not sent any more, whatever the limits say."""
    if state.merged_into:
        return reasons.MERGED
    if state.pending.get(survey.id) != request.request_id:
        return reasons.CANCELLED
    # A state that was lost knows when an ask was due first, and not how long it has waited on since.
    patience = to_ms(request.decided_at) + survey.delay + survey.defer
    if now > max(to_ms(request.due_at), patience) + LATE:
        return reasons.TOO_LATE
    return _refusal(rules, survey, request.customer_id, unscheduled(state, survey.id))


def _refusal(rules: Rules, survey: Survey, customer_id: str, state: ContactState) -> str | None:
    """Why this customer may not be asked this survey, however long it waits."""
    if state.merged_into:
        return reasons.MERGED
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
