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
    SurveyRequest,
    Time,
    Touchpoint,
    Unsubscribed,
)
from streams.times import from_ms, to_ms
from surveys.profile import MANY, Profile, learned
from surveys.survey import MOST


class ContactState(Struct, frozen=True, omit_defaults=True, gc=False):
    """One customer's contact data and history. Instants are milliseconds; dicts are per survey id."""

    contact: Contact = field(default_factory=Contact)
    updated_at: int = 0
    older: dict[str, int] = field(default_factory=dict)  # fields last told before ``updated_at``, and when
    unsubscribed: bool = False
    bounced: str = ""  # the address that came back
    asked: dict[str, int] = field(default_factory=dict)
    recent: dict[str, int] = field(default_factory=dict)  # request id -> when asked; the newest few of all surveys
    answered: dict[str, int] = field(default_factory=dict)
    declined: dict[str, int] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)  # survey id -> request id of a scheduled ask
    reminders: dict[str, int] = field(default_factory=dict)  # when the invitation was sent whose reminder waits
    merged_into: str = ""  # the id that this one is merged into, which all later events go to
    merged_at: int = 0  # the log's time of that
    merged: dict[str, int] = field(default_factory=dict)  # the ids that were merged into this one, and when

    @property
    def address(self) -> str | None:
        """The mail address, unless it bounced."""
        return None if came_back(self.contact.email, self) else self.contact.email

    @property
    def profile(self) -> Profile:
        return Profile(self.contact, self.updated_at, self.older)


NOBODY = ContactState()


def came_back(email: str | None, state: ContactState) -> bool:
    """Whether a mail address is the one that bounced: whoever tells of that may write it in lower case."""
    return (email or "").lower() == state.bounced.lower()


def apply(event: CustomerEvent, state: ContactState) -> ContactState:
    """The state after an event; an older event never overwrites what a newer one said."""
    at = to_ms(event.occurred_at)
    match event:
        case Touchpoint() | Identify() if event.contact is not None:
            return learn(state, Profile(event.contact, at, {}))
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
            older = {name: to_ms(at) for name, at in event.older.items()}
            return replace(
                learn(state, Profile(event.contact, to_ms(event.updated_at), older)),
                unsubscribed=event.unsubscribed or state.unsubscribed,
                bounced=event.bounced or state.bounced,
                answered=latest_of(state.answered, event.answered),
                declined=latest_of(state.declined, event.declined),
                asked=latest_of(state.asked, event.asked),
                recent=latest_of(state.recent, event.recent, MOST),
                merged=latest_of(state.merged, event.merged),
                merged_into=event.merged_into or state.merged_into,
                merged_at=to_ms(event.merged_at) if event.merged_at else state.merged_at,
            )
        case SurveyRequest(state="due", reminds=None):
            return asked(state, event.survey_id, event.request_id, to_ms(event.due_at))
        case Attempt(reminds=None):
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


def reminding(state: ContactState, survey_id: str, sent: int) -> ContactState:
    """The state while the reminder of an invitation waits; that of an older one is none any more."""
    return replace(state, reminders=_latest(state.reminders, survey_id, sent))


def reminded(state: ContactState, survey_id: str, sent: int) -> ContactState:
    """The state once the reminder of an invitation is settled; that of a newer one still waits."""
    if state.reminders.get(survey_id) != sent:
        return state
    return replace(state, reminders={key: at for key, at in state.reminders.items() if key != survey_id})


def waits(request: SurveyRequest, state: ContactState) -> bool:
    """Whether a request that was offered is still open: nothing came of it yet, and the customer may be asked.

    What waited for an id that was merged into another waits for that one, whose state knows what came of it.
    """
    came = max(instants.get(request.survey_id, 0) for instants in (state.answered, state.declined))
    return not (state.unsubscribed or state.merged_into) and came < to_ms(request.due_at)


def refuses(request: SurveyRequest, state: ContactState) -> str | None:
    """Why a request is not sent although it was decided: what has been heard from the customer since."""
    if state.unsubscribed:
        return "the customer has unsubscribed"
    if state.contact.consent.get(request.channel) is False:
        return f"the customer has refused {request.channel}"
    if request.channel == "mail" and request.contact.email and came_back(request.contact.email, state):
        return "the address has come back"
    return None


def learn(state: ContactState, news: Profile) -> ContactState:
    """An older event never overwrites what a newer one said, field by field."""
    contact, updated_at, older = learned(state.profile, news)
    return replace(state, contact=contact, updated_at=updated_at, older=older)


def record(customer_id: str, state: ContactState) -> ContactRecord:
    """What outlives the state. Who was asked what the requests tell, but not under another id."""
    return ContactRecord(
        customer_id=customer_id,
        updated_at=from_ms(state.updated_at),
        contact=state.contact,
        older=times(state.older),
        unsubscribed=state.unsubscribed,
        bounced=state.bounced,
        answered=times(state.answered),
        declined=times(state.declined),
        asked=times(state.asked) if state.merged else {},
        recent=times(state.recent) if state.merged else {},
        merged=times(state.merged),
        merged_into=state.merged_into,
        merged_at=from_ms(state.merged_at) if state.merged_into else None,
    )


def times(instants: dict[str, int]) -> dict[str, Time]:
    """The same as an event tells them."""
    return {name: from_ms(at) for name, at in instants.items()} if instants else {}


def latest_of(instants: dict[str, int], more: dict[str, Time], keep: int = MANY) -> dict[str, int]:
    """The later of two instants (ms) for each key; the newest few of all."""
    for key, time in more.items():
        instants = _latest(instants, key, to_ms(time), keep)
    return instants


def _latest(times: dict[str, int], key: str, at: int, keep: int = MANY) -> dict[str, int]:
    """The newest few: a producer may name surveys without end, and a contact has to stay publishable."""
    times = {**times, key: max(at, times.get(key, 0))}
    return times if len(times) <= keep else dict(sorted(times.items(), key=itemgetter(1))[-keep:])
