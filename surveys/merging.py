"""Two ids of one person: the one is merged into the other, which takes over its history.

They may lie on different partitions, so the history travels as an event, and events of the merged id follow it.
Everything is idempotent: a history that is taken in again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from streams.events import CustomerEvent, Merge, Merged, Verdict
from surveys import reasons
from surveys.contacts import ContactState, latest_of, times
from surveys.decide import request_id
from surveys.profile import Profile, learned
from surveys.survey import MOST

LONGEST = 100  # ids that a history may pass through: the bound of the event


def refusal(event: Merge | Merged, state: ContactState) -> str | None:
    """Why a merge is not done, None where it is. One that was done before may be told again.

    Merges under way at the same time can close a circle that nobody saw before: then a history comes back.
    """
    match event:
        case Merge() if event.into == event.customer_id:
            return "a customer cannot be merged into itself"
        case Merge() if event.into in state.merged:
            return f"{event.into} was merged into {event.customer_id} before"
        case Merge() if state.merged_into not in ("", event.into):
            return f"{event.customer_id} was merged into {state.merged_into} before"
        case Merged() if event.path[0] == event.customer_id:
            return f"{' > '.join(event.path[:5])} > {event.customer_id} is a circle of merges"
        case Merged() if state.merged_into and len(event.path) >= LONGEST:
            return f"it came through {LONGEST} ids"
    return None


def refused(event: Merge | Merged, state: ContactState) -> ContactState:
    """The state after a merge that is not done: whose own history has come back stays on its own."""
    own = isinstance(event, Merged) and event.path[0] == event.customer_id
    return replace(state, merged_into="", merged_at=0) if own else state


def leave(event: Merge, state: ContactState, at: int) -> tuple[ContactState, Merged]:
    """The state of the merged id from ``at`` (ms, the log's time) on, and what it leaves to the other one."""
    history = Merged(
        event_id=f"merged:{request_id('', event.customer_id, event.event_id)}",
        customer_id=event.into,
        occurred_at=event.occurred_at,
        path=[event.customer_id],
        contact=state.contact,
        unsubscribed=state.unsubscribed,
        bounced=state.bounced,
        asked=times(state.asked),
        recent=times(state.recent),
        answered=times(state.answered),
        declined=times(state.declined),
        merged=times(state.merged),
    )
    # Told again it stays the time of the first: from there on events go to the other id.
    return replace(
        state, merged_into=event.into, merged_at=state.merged_at or at, pending={}, reminders={}
    ), history


def take_in(event: Merged, state: ContactState) -> ContactState:
    """The state with another id's history: the later time of each survey, so that the longer quiet holds.

    The contact's fields only fill in what is not known, and count as older than any event's; but a channel that
    was refused under either id stays refused.
    """
    contact, updated_at, older = learned(Profile(event.contact, 0, {}), state.profile)
    refused = {channel: False for channel, given in event.contact.consent.items() if not given}
    return replace(
        state,
        contact=replace(contact, consent={**contact.consent, **refused}),
        updated_at=updated_at,
        older=older,
        unsubscribed=state.unsubscribed or event.unsubscribed,
        bounced=state.bounced or event.bounced,
        asked=latest_of(state.asked, event.asked),
        recent=latest_of(state.recent, event.recent, MOST),
        answered=latest_of(state.answered, event.answered),
        declined=latest_of(state.declined, event.declined),
        merged=latest_of(state.merged, {**event.merged, **dict.fromkeys(event.path, event.occurred_at)}),
    )


def moved(surveys: Iterable[str]) -> list[Verdict]:
    """What the record of a merged id says of an event, which is decided under the other id."""
    return [Verdict(survey_id=id_, decision="not_asked", reason=reasons.MERGED) for id_ in surveys]


def forwarded(event: CustomerEvent, customer_id: str) -> CustomerEvent:
    """The same event of another id; a history remembers through which ids it came."""
    if isinstance(event, Merged):
        return replace(event, customer_id=customer_id, path=[*event.path, event.customer_id])
    return replace(event, customer_id=customer_id)
