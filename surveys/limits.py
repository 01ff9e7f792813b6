"""How often a customer is asked: quiet periods, after each outcome, the age of the account, so many in a period.

Each limit says when it ends, so that an ask can wait for it. They look at what was sent and what came back, and at
nothing else: the topics still tell that where a state is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from streams.events import Scalar
from streams.times import LATEST, to_ms
from surveys import reasons
from surveys.contacts import ContactState
from surveys.survey import Asking, Quiet, Survey, number

Limit = tuple[str, int]  # the reason, and when (ms) it ends


def limits(asking: Asking, survey: Survey, state: ContactState, now: int) -> list[Limit]:
    """The limits that forbid this survey now, in their order; where there are none, it is allowed."""
    if not (state.asked or state.pending or state.answered or state.declined or asking.min_account_age):
        return []  # nearly everybody
    return [limit for limit in _ends(asking, survey, state, now) if limit[1] > now]


def end(held: Sequence[Limit]) -> int:
    """When the last of the limits ends (ms)."""
    return max(end for _, end in held)


def instant(value: Scalar) -> int | None:
    """The time (ms) that an attribute tells: RFC 3339, a date (UTC), or Unix seconds. None where it is none."""
    try:
        if isinstance(value, str):
            return to_ms(_told(value))
        return to_ms(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None


def _told(text: str) -> datetime | float:
    """A date first: 20261122 is one, and no second of 1970. Raises ValueError where it is neither."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        seconds = number(text)
        if seconds is None:
            raise
        return seconds
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _ends(asking: Asking, survey: Survey, state: ContactState, now: int) -> Iterator[Limit]:
    if asking.min_account_age:
        since = instant(state.contact.attributes.get(asking.account_since))
        yield reasons.ACCOUNT_AGE, LATEST if since is None else since + asking.min_account_age
    own = state.asked.get(survey.id)
    if own is not None:
        yield reasons.QUIET_SURVEY, own + survey.quiet_period
    if survey.minds_outcomes:
        yield from _outcomes(survey, _ENDED_SURVEY, state, [survey.id])
    if asking.quiet_period and state.pending:
        # A scheduled ask of another survey counts as sent: both going out together is what the period forbids.
        yield reasons.QUIET_ALL, now + asking.quiet_period
    if asking.quiet_period and state.asked:
        yield reasons.QUIET_ALL, max(state.asked.values()) + asking.quiet_period
    if asking.minds_outcomes:
        yield from _outcomes(asking, _ENDED_ALL, state, {*state.asked, *state.answered, *state.declined})
    if asking.at_most and len(state.recent) >= asking.at_most:
        yield reasons.AT_MOST, sorted(state.recent.values())[-asking.at_most] + asking.at_most_in


_ENDED_SURVEY = reasons.AFTER_ANSWER_SURVEY, reasons.AFTER_DECLINE_SURVEY, reasons.AFTER_IGNORED_SURVEY
_ENDED_ALL = reasons.AFTER_ANSWER_ALL, reasons.AFTER_DECLINE_ALL, reasons.AFTER_IGNORED_ALL


def _outcomes(
    quiet: Quiet, names: tuple[str, str, str], state: ContactState, surveys: Iterable[str]
) -> Iterator[Limit]:
    answer, decline, ignored = names
    for id_ in surveys:
        asked, answered, declined = (times.get(id_) for times in (state.asked, state.answered, state.declined))
        if answered is not None:
            yield answer, answered + quiet.after_answer
        if declined is not None:
            yield decline, declined + quiet.after_decline
        if asked is not None and asked > max(answered or 0, declined or 0):
            yield ignored, asked + quiet.after_ignored
