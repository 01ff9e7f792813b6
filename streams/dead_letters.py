"""Dead letters as an operator meets them: which there are, which can be replayed, and as which record.

No I/O: whoever reads the topic adds what it holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec

from streams.events import DeadLetter, Replayed
from streams.letters import MAX_PAYLOAD, letter_id
from streams.times import to_ms
from streams.topics import Topic

SHORT = 200  # of a detail, as far as a list shows it

State = Literal["open", "replayed", "failed again", "interrupted"]

ADVICE = {
    "malformed": "It is no JSON in UTF-8: have the sender corrected and the record sent again.",
    "invalid": "A field is missing or holds what is not taken: have the sender corrected and the record sent "
    "again; replay it only where a newer livenps takes it.",
    "unknown_type": "This topic carries no events of its type: have the sender write it where it belongs.",
    "unknown_version": "Its sender is newer than this livenps: upgrade livenps, then replay it.",
    "empty": "It has no value, so there is nothing to replay: have the sender write whole events.",
    "too_large": "It was too large to be read and to be kept: have the sender write less and send it again.",
    "future": "It names a time in the future: have the sender's clock corrected; replay it once that time has "
    "come.",
    "timestamp": "The record's own time is none up to now: `livenps topics check` has to find LogAppendTime; "
    "then replay it.",
    "unknown_survey": "Its survey was not configured: configure it, restart livenps, then replay it; "
    "or have the sender name the right survey_id.",
    "merge": "The two ids cannot be one, see the detail: have the sender merge into the customer's own id; "
    "replaying it changes nothing.",
    "template": "The survey's words use a value that this customer lacks: give it a default in the wording, "
    "restart livenps, then replay it within a day.",
    "error": "A rule of livenps failed on it, which is a bug: report the detail, upgrade livenps, then replay it.",
    "delivery": "Delivery failed unexpectedly, see its log; replayed, it is sent only where no attempt was begun.",
}
OTHERWISE = "This livenps does not know the reason; the one that wrote it may be newer."


class Place(NamedTuple):
    """Where a letter stands on the dead letters' own topic."""

    partition: int
    offset: int


class Replay(NamedTuple):
    """When a letter was replayed, and where its record stands now; None where no word of that came."""

    at: int
    offset: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One letter without its payload, so that many fit into memory. ``unfit`` tells why it cannot be replayed."""

    id: str
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    at: int
    place: Place
    unfit: str


class Record(NamedTuple):
    """What is put back on a topic."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(slots=True)
class Choice:
    """What is to be replayed, oldest first, and what of the selection is not."""

    chosen: list[Entry] = field(default_factory=list)
    before: list[Entry] = field(default_factory=list)
    unfit: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What a replay did, by letter: the new ids of records, and why others were not put back."""

    replayed: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class Letters:
    """Every letter once, however often it was published, and what was replayed."""

    def __init__(self, topics: Iterable[Topic]) -> None:
        self._topics = {topic.name: topic for topic in topics}
        self._entries: dict[str, Entry] = {}
        self._replays: dict[str, Replay] = {}

    def add(self, place: Place, event: DeadLetter | Replayed) -> None:
        """Take in one record of the dead letters' topic."""
        if isinstance(event, Replayed):
            if event.offset is not None or event.letter not in self._replays:
                self._replays[event.letter] = Replay(to_ms(event.at), event.offset)
            return
        id_ = id_of(event)
        if id_ not in self._entries:
            self._entries[id_] = self._entry(id_, place, event)

    def find(self, id_: str) -> Entry | None:
        return self._entries.get(id_)

    def select(self, role: str | None = None, reason: str | None = None, since: int = 0) -> list[Entry]:
        """The letters of a topic's role, with a reason, from an instant (ms) on; newest first."""
        found = [
            entry
            for entry in self._entries.values()
            if entry.at >= since and reason in (None, entry.reason) and role in (None, self.role(entry))
        ]
        return sorted(found, key=lambda entry: (entry.at, entry.place), reverse=True)

    def choose(self, entries: Iterable[Entry], *, again: bool) -> Choice:
        """Of a selection what can be replayed; what was replayed before only where that is wanted ``again``."""
        choice = Choice()
        for entry in sorted(set(entries), key=lambda entry: entry.place):
            if entry.unfit:
                choice.unfit.append(entry)
            elif self.replay(entry) is not None and not again:
                choice.before.append(entry)
            else:
                choice.chosen.append(entry)
        return choice

    def replay(self, entry: Entry) -> Replay | None:
        return self._replays.get(entry.id)

    def state(self, entry: Entry) -> State:
        """What has become of a letter."""
        replay = self.replay(entry)
        if replay is None:
            return "open"
        if replay.offset is None:
            return "interrupted"
        again = letter_id(entry.topic, entry.partition, replay.offset)
        return "failed again" if again in self._entries else "replayed"

    def role(self, entry: Entry) -> str:
        """The role of a letter's topic; its name where this configuration has no such topic."""
        topic = self._topics.get(entry.topic)
        return topic.role if topic else entry.topic

    def summary(self, entries: Iterable[Entry]) -> Counter[tuple[str, str, State]]:
        """How many there are, by the topic's role, reason and state."""
        return Counter((self.role(entry), entry.reason, self.state(entry)) for entry in entries)

    def record(self, letter: DeadLetter) -> Record:
        """What is put back for a letter that is fit: on the partition it came from, under the key it had."""
        key = _key(letter, self._topics[letter.topic])
        return Record(letter.topic, letter.partition, key, letter.payload, list(letter.headers.items()))

    def _entry(self, id_: str, place: Place, letter: DeadLetter) -> Entry:
        return Entry(
            id=id_,
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
            reason=letter.reason,
            detail=letter.detail[:SHORT],
            at=to_ms(letter.at),
            place=place,
            unfit=unfit(letter, self._topics.get(letter.topic)),
        )


def id_of(letter: DeadLetter) -> str:
    return letter_id(letter.topic, letter.partition, letter.offset)


def unfit(letter: DeadLetter, topic: Topic | None) -> str:
    """Why a letter cannot be replayed to its topic; empty where it can."""
    if topic is None:
        return f"its topic {letter.topic!r} is none of this configuration"
    if not 0 <= letter.partition < topic.partitions:
        return f"its topic has no partition {letter.partition}"
    if letter.reason == "empty":
        return "the record had no value"
    if cut(letter):
        return f"only the first {len(letter.payload):,} bytes of its payload are kept"
    if topic.retention is None and _key(letter, topic) is None:
        return "its key is not known, and a compacted topic takes no record without one"
    return ""


def cut(letter: DeadLetter) -> bool:
    """Whether the payload is not the whole value."""
    kept = len(letter.payload)
    return kept >= MAX_PAYLOAD if letter.size is None else kept < letter.size


def readable(data: bytes) -> tuple[Literal["text", "hex"], str]:
    """Bytes for people: UTF-8 as it is, all else in hexadecimal."""
    try:
        return "text", data.decode()
    except UnicodeDecodeError:
        return "hex", data.hex()


def escaped(text: str) -> str:
    """A text that does nothing to a terminal: what is not printable is written as Python would."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _key(letter: DeadLetter, topic: Topic) -> bytes | None:
    """The record's key; where the letter has none, the field of its payload that the topic is keyed by."""
    if letter.key:
        return letter.key
    try:
        value = _object.decode(letter.payload).get(topic.key)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value.encode() if isinstance(value, str) and value else None


_object = msgspec.json.Decoder(dict[str, Any])
