"""By which channels of a survey a contact may be asked: where there is an address and consent, their own first."""

from __future__ import annotations

from streams.events import Channel
from surveys import reasons
from surveys.contacts import ContactState
from surveys.phone import e164
from surveys.survey import Asking, Survey


def reach(survey: Survey, asking: Asking, state: ContactState) -> tuple[Channel, ...]:
    """The channels in the order in which they are tried; none where ``unreachable`` says why."""
    found = [one for one in survey.channels if _addressed(one, state) and _allowed(one, asking, state)]
    if len(found) > 1:
        found.sort(key=lambda channel: channel != state.contact.channel)
    return tuple(found)


def unreachable(survey: Survey, asking: Asking, state: ContactState) -> str | None:
    """Why no channel of the survey reaches a contact, None where one does."""
    if reach(survey, asking, state):
        return None
    addressed = any(_addressed(channel, state) for channel in survey.channels)
    return reasons.NO_CONSENT if addressed else reasons.NO_ADDRESS


def _addressed(channel: Channel, state: ContactState) -> bool:
    match channel:
        case "mail":
            return bool(state.address)
        case "sms":
            return e164(state.contact.phone) is not None
        case "link":
            return False  # who has it comes by it; nobody is sent it
        case _:
            return True


def _allowed(channel: Channel, asking: Asking, state: ContactState) -> bool:
    """A no is a no; some channels need a yes."""
    return state.contact.consent.get(channel, channel not in asking.opt_in)
