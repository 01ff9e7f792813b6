"""What is known of a contact, field by field: the newest word on each one counts, in whatever order words come."""

from __future__ import annotations

from operator import attrgetter
from typing import NamedTuple

from streams.events import Contact, Scalar

MANY = 100  # attributes: the bound of an event, so that a contact stays publishable
FIELDS = ("email", "phone", "name", "locale", "timezone", "account_id", "role", "channel")
ATTRIBUTE = "attributes."  # and its name: an attribute may be called like a field
CONSENT = "consent."  # and the channel

Word = tuple[int, Scalar]  # when (ms), and what


class Profile(NamedTuple):
    """A contact as it was told at ``updated_at`` (ms); ``older`` are fields last told before, and when."""

    contact: Contact
    updated_at: int
    older: dict[str, int]


def learned(known: Profile, news: Profile) -> Profile:
    """Both together. Of two words of one time that of ``news`` counts; an empty field says nothing."""
    if news.updated_at >= known.updated_at and not news.older and _says_all(news.contact, known.contact):
        return news  # nearly always
    words = _words(known)
    for name, word in _words(news).items():
        if name not in words or word[0] >= words[name][0]:
            words[name] = word
    return _profile(words, max(known.updated_at, news.updated_at))


def until(profile: Profile, at: int) -> Profile:
    """What was told before ``at`` (ms), but for what was told anew since."""
    words = {name: word for name, word in _words(profile).items() if word[0] < at}
    return _profile(words, max((told for told, _ in words.values()), default=0))


def _profile(words: dict[str, Word], updated_at: int) -> Profile:
    """A profile of these words, with as many attributes as an event may have, the newest."""
    attributes = {name: word for name, word in words.items() if name.startswith(ATTRIBUTE)}
    if len(attributes) > MANY:
        attributes = dict(sorted(attributes.items(), key=lambda one: -one[1][0])[:MANY])
    kept = {name: word for name, word in words.items() if name in attributes or not name.startswith(ATTRIBUTE)}
    own = {name: kept[name][1] for name in FIELDS if name in kept}
    consent = {name.removeprefix(CONSENT): word[1] for name, word in kept.items() if name.startswith(CONSENT)}
    contact = Contact(
        **own,  # type: ignore[arg-type]
        consent=consent,  # type: ignore[arg-type]
        attributes={name.removeprefix(ATTRIBUTE): value for name, (_, value) in attributes.items()},
    )
    return Profile(contact, updated_at, {name: at for name, (at, _) in kept.items() if at < updated_at})


def _says_all(news: Contact, known: Contact) -> bool:
    """Whether no field is left of what was known."""
    told, before = _own(news), _own(known)
    if "" in told or not known.attributes.keys() <= news.attributes.keys():
        return False
    own = not any(before) or all(new or not old for new, old in zip(told, before, strict=True))
    return own and known.consent.keys() <= news.consent.keys()


def _words(profile: Profile) -> dict[str, Word]:
    contact, updated_at, older = profile
    told: dict[str, Scalar] = {name: value for name, value in zip(FIELDS, _own(contact), strict=True) if value}
    told |= {CONSENT + channel: given for channel, given in contact.consent.items()}
    told |= {ATTRIBUTE + name: value for name, value in contact.attributes.items()}
    return {name: (older.get(name, updated_at), value) for name, value in told.items()}


_own = attrgetter(*FIELDS)
