"""What becomes of asks and reminders that are due: each goes out, waits on, or ends, and which rule said so."""

from __future__ import annotations

from msgspec.structs import replace

from streams.events import Channel, Decision, SurveyRequest, Verdict
from streams.times import DAY, FUTURE, to_ms
from surveys import reasons
from surveys.caps import UNCAPPED, Sent
from surveys.contacts import ContactState, came_back, unscheduled
from surveys.limits import end, limits
from surveys.reach import reach
from surveys.rules import Rules
from surveys.survey import Survey

LATE = DAY  # what nobody settled for so long is not sent any more


def settle(
    rules: Rules, request: SurveyRequest, state: ContactState, now: int, sent: Sent = UNCAPPED
) -> Verdict | int:
    """The verdict on a scheduled ask that is due, or until when (ms) it waits on.

    Whether the customer may be asked is weighed once more. What is sent off is added to ``sent``.
    """
    survey = rules.survey(request.survey_id)
    if survey is None:
        return _verdict(request, "not_asked", reasons.UNKNOWN_SURVEY)
    if reason := _obsolete(rules, survey, request, state, now):
        return _verdict(request, "not_asked", reason)
    # What else is scheduled does not count here: of two that wait for each other neither would ever go out.
    held = limits(rules.asking, survey, replace(state, pending={}), now)
    if not held:
        opens = rules.opens(survey, state, now)
        if opens > now:
            return opens
        held = sent.limits(survey.id, now)
    if not held:
        sent.add(survey.id, request.request_id, now)
        going = _verdict(request, "asked", reasons.DUE, reach(survey, rules.asking, state))
        return rules.with_reminder(survey, going, state, now)
    until = end(held)
    patience = to_ms(request.decided_at) + survey.delay + survey.defer
    return until if survey.defer and until <= patience else _verdict(request, "not_asked", held[0][0])


def remind(
    rules: Rules, reminder: SurveyRequest, state: ContactState, now: int, sent: Sent = UNCAPPED
) -> Verdict | int:
    """The verdict on a reminder that is due, or until when (ms) it waits for the sending hours.

    It repeats an invitation, so no limit of the customer's holds it up; where a daily cap is reached it is left
    out. What is sent off is added to ``sent``.
    """
    survey = rules.survey(reminder.survey_id)
    if survey is None:
        return _verdict(reminder, "not_reminded", reasons.UNKNOWN_SURVEY)
    if reason := _pointless(rules, survey, reminder, state, now):
        return _verdict(reminder, "not_reminded", reason)
    opens = rules.opens(survey, state, now)
    if opens > now:
        return opens
    if held := sent.limits(survey.id, now):
        return _verdict(reminder, "not_reminded", held[0][0])
    # On the site the card waits anyway.
    channels = tuple(channel for channel in reach(survey, rules.asking, state) if channel != "web")
    if not channels:
        return _verdict(reminder, "not_reminded", reasons.NO_ADDRESS)
    sent.add(survey.id, reminder.request_id, now)
    return _verdict(reminder, "reminded", reasons.REMINDER, channels)


def settled_before(rules: Rules, state: ContactState, verdict: Verdict, at: int) -> ContactState:
    """The state after a scheduled ask that was settled at ``at`` (ms); a later ask of the survey still waits."""
    if state.pending.get(verdict.survey_id) == verdict.request_id:
        state = unscheduled(state, verdict.survey_id)
    return rules.asked(state, verdict, at) if verdict.decision == "asked" else state


def reminder_id(request_id: str) -> str:
    """The request of an invitation's one reminder."""
    return f"{request_id}-reminder"


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
    return rules.refusal(survey, request.customer_id, unscheduled(state, survey.id))


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
    if reminder.channel == "mail" and state.bounced and came_back(reminder.contact.email, state):
        return reasons.BOUNCED
    return rules.refusal(survey, reminder.customer_id, unscheduled(state, survey.id))


def _verdict(
    request: SurveyRequest, decision: Decision, reason: str, channels: tuple[Channel, ...] = ()
) -> Verdict:
    return Verdict(
        survey_id=request.survey_id,
        decision=decision,
        reason=reason,
        request_id=request.request_id,
        channels=channels,
    )
