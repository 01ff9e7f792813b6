"""What is known of one customer, and how events change it. Every change is idempotent."""

from __future__ import annotations

from operator import itemgetter

from msgspec import Struct, field
from msgspec.structs import replace

from streams.events import (
    Answered,
    Attempt,
    Bounced,
    Contact,
    ContactRecord,
    CustomerEvent,
    Declined,
    Identify,
    Scalar,
    SurveyRequest,
    Time,
    Touchpoint,
    Unsubscribed,
)
from streams.times import to_ms
from surveys.survey import MOST

MANY = 100  # attributes, and surveys: the bound of an event, so that a contact stays publishable


class ContactState(Struct, frozen=True, omit_defaults=True, gc=False):
    """One customer's contact data and history. Instants are milliseconds; dicts are per survey id."""

    contact: Contact = field(default_factory=Contact)
    updated_at: int = 0
    unsubscribed: bool = False
    bounced: str = ""  # the address that came back
    asked: dict[str, int] = field(default_factory=dict)
    recent: dict[str, int] = field(default_factory=dict)  # request id -> when asked; the newest few of all surveys
    answered: dict[str, int] = field(default_factory=dict)
    declined: dict[str, int] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)  # survey id -> request id of a scheduled ask

    @property
    def address(self) -> str | None:
        """The mail address, unless it bounced."""
        return self.contact.email if self.contact.email != self.bounced else None


NOBODY = ContactState()


def apply(event: CustomerEvent, state: ContactState) -> ContactState:
    """The state after an event; an older event never overwrites what a newer one said."""
    at = to_ms(event.occurred_at)
    match event:
        case Touchpoint() | Identify() if event.contact is not None:
            return replace(
                state,
                contact=_merge(state.contact, event.contact, newer=at >= state.updated_at),
                updated_at=max(at, state.updated_at),
            )
        case Answered():
            return replace(state, answered=_latest(state.answered, event.survey_id, at))
        case Declined():
            return replace(state, declined=_latest(state.declined, event.survey_id, at))
        case Unsubscribed():
            return replace(state, unsubscribed=True)
        case Bounced():
            return replace(state, bounced=event.email)
        case _:
            return state


def recall(event: ContactRecord | SurveyRequest | Attempt, state: ContactState) -> ContactState:
    """The state once more as the topics tell it that outlive it. Idempotent, and in any order."""
    match event:
        case ContactRecord():
            at = to_ms(event.updated_at)
            return replace(
                state,
                contact=_merge(state.contact, event.contact, newer=at >= state.updated_at),
                updated_at=max(at, state.updated_at),
                unsubscribed=event.unsubscribed or state.unsubscribed,
                bounced=event.bounced or state.bounced,
                answered=_latest_of(state.answered, event.answered),
                declined=_latest_of(state.declined, event.declined),
            )
        case SurveyRequest(state="due"):
            return asked(state, event.survey_id, event.request_id, to_ms(event.due_at))
        case Attempt():
            return asked(state, event.survey_id, event.request_id, to_ms(event.at))
        case _:
            return state


def asked(state: ContactState, survey_id: str, request_id: str, now: int, keep: int = MOST) -> ContactState:
    """The state once a request is sent off, scheduled or not; ``keep`` of them are remembered one by one.

    A later ask of the same survey still waits.
    """
    if state.pending.get(survey_id) == request_id:
        state = unscheduled(state, survey_id)
    state = replace(state, asked=_latest(state.asked, survey_id, now))
    if not keep:
        return state
    return replace(state, recent=_latest(state.recent, request_id, now, keep))


def scheduled(state: ContactState, survey_id: str, request_id: str) -> ContactState:
    return replace(state, pending={**state.pending, survey_id: request_id})


def unscheduled(state: ContactState, survey_id: str) -> ContactState:
    if survey_id not in state.pending:
        return state
    return replace(state, pending={key: id_ for key, id_ in state.pending.items() if key != survey_id})


def _latest(times: dict[str, int], key: str, at: int, keep: int = MANY) -> dict[str, int]:
    """The newest few: a producer may name surveys without end, and a contact has to stay publishable."""
    times = {**times, key: max(at, times.get(key, 0))}
    return times if len(times) <= keep else dict(sorted(times.items(), key=itemgetter(1))[-keep:])


def _latest_of(times: dict[str, int], more: dict[str, Time]) -> dict[str, int]:
    for key, time in more.items():
        times = _latest(times, key, to_ms(time))
    return times


def _merge(old: Contact, new: Contact, *, newer: bool) -> Contact:
    """Field by field: the newer side wins where it says something."""
    first, second = (new, old) if newer else (old, new)
    return Contact(
        email=first.email or second.email,
        phone=first.phone or second.phone,
        name=first.name or second.name,
        locale=first.locale or second.locale,
        timezone=first.timezone or second.timezone,
        channel=first.channel or second.channel,
        consent=second.consent | first.consent,
        attributes=_attributes(second.attributes, first.attributes),
    )


def _attributes(under: dict[str, Scalar], over: dict[str, Scalar]) -> dict[str, Scalar]:
    merged = under | over
    if len(merged) <= MANY:
        return merged
    newest_first = over | {name: value for name, value in under.items() if name not in over}
    return dict(list(newest_first.items())[:MANY])
