"""Which dead letters there are, which can be replayed, and as which record."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.codec import Codec
from streams.dead_letters import ADVICE, Letters, Place, escaped, readable, unfit
from streams.events import DeadLetter, Replayed, Response, encode
from streams.letters import MAX_PAYLOAD, dead_letter
from streams.times import DAY, from_ms
from streams.topics import RESPONSES, TOUCHPOINTS, topics
from tests.make import NOW, answer

TOPICS = topics(prefix="shop.")
ANSWERS, CUSTOMERS = TOPICS[RESPONSES].name, TOPICS[TOUCHPOINTS].name


def letter(
    offset: int = 0,
    *,
    topic: str = ANSWERS,
    partition: int = 0,
    reason: str = "unknown_survey",
    payload: bytes | None = encode(answer()),
    at: int = NOW,
    **fields: Any,
) -> DeadLetter:
    fields.setdefault("key", b"r1")
    return dead_letter(topic, partition, offset, reason, "a detail", payload, at, **fields)


def replayed(offset: int | None, id_: str = f"{ANSWERS}:0:0") -> Replayed:
    return Replayed(letter=id_, at=from_ms(NOW + DAY), offset=offset)


def log(*events: DeadLetter | Replayed) -> Letters:
    letters = Letters(TOPICS.values())
    for offset, event in enumerate(events):
        letters.add(Place(0, offset), event)
    return letters


def offsets(letters: Letters, *selection: Any) -> list[int]:
    return [entry.offset for entry in letters.select(*selection)]


def test_newest_first_and_repeats_once() -> None:
    letters = log(letter(0), letter(1, at=NOW + 2), letter(0, at=NOW + 9), letter(2, at=NOW + 1))
    assert offsets(letters) == [1, 2, 0]


def test_records_of_other_partitions_and_topics_are_no_repeats() -> None:
    letters = log(letter(), letter(partition=1), letter(topic=CUSTOMERS))
    assert {entry.id for entry in letters.select()} == {f"{ANSWERS}:0:0", f"{ANSWERS}:1:0", f"{CUSTOMERS}:0:0"}


def test_selected_by_role_reason_and_time() -> None:
    letters = log(
        letter(0, at=NOW - DAY),
        letter(1, reason="error"),
        letter(2, topic=CUSTOMERS),
        letter(3, topic="stranger"),
    )
    assert offsets(letters, RESPONSES) == [1, 0]
    assert offsets(letters, None, "unknown_survey") == [3, 2, 0]
    assert offsets(letters, None, None, NOW) == [3, 2, 1]
    assert offsets(letters, None, None, NOW + 1) == []
    assert offsets(letters, TOUCHPOINTS, "unknown_survey", NOW) == [2]


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "open"),
        ([replayed(None)], "interrupted"),
        ([replayed(None), replayed(7)], "replayed"),
        ([replayed(None), replayed(7), replayed(None)], "replayed"),  # somebody's who was too late
        ([replayed(None), replayed(7), letter(7)], "failed again"),
        ([replayed(None), letter(0)], "interrupted"),
        ([replayed(7, f"{ANSWERS}:1:0")], "open"),
    ],
)
def test_what_has_become_of_a_letter(events: list[DeadLetter | Replayed], state: str) -> None:
    letters = log(letter(), *events)
    entry = letters.find(f"{ANSWERS}:0:0")
    assert entry is not None
    assert letters.state(entry) == state
    choice = letters.choose([entry], again=False)
    assert ([entry] if state == "open" else [], [] if state == "open" else [entry]) == (
        choice.chosen,
        choice.before,
    )
    assert letters.choose([entry], again=True).chosen == [entry]


def test_a_replay_whose_letter_is_gone_is_none_of_ours() -> None:
    assert log(replayed(7)).select() == []


def test_chosen_once_each_and_oldest_first() -> None:
    letters = log(letter(2), letter(0), letter(1, reason="empty", payload=None))
    first, second, unfit = (letters.find(f"{ANSWERS}:0:{offset}") for offset in (2, 0, 1))
    assert first
    assert second
    assert unfit
    choice = letters.choose([second, unfit, first, second], again=True)
    assert (choice.chosen, choice.before, choice.unfit) == ([first, second], [], [unfit])


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (letter(), ""),
        (letter(payload=b"x" * MAX_PAYLOAD), ""),
        (letter(payload=b"x" * (MAX_PAYLOAD + 1)), "only the first 262,144 bytes of its payload are kept"),
        (letter(payload=None, reason="empty"), "the record had no value"),
        (letter(topic="survey.responses"), "its topic 'survey.responses' is none of this configuration"),
        (letter(partition=4), "its topic has no partition 4"),
        (letter(partition=-1), "its topic has no partition -1"),
        (
            letter(payload=b"{", key=None),
            "its key is not known, and a compacted topic takes no record without one",
        ),
        (letter(payload=b'{"response_id":7}', key=None), "its key is not known, and a compacted topic"),
        (letter(payload=b'{"response_id":""}', key=None), "its key is not known, and a compacted topic"),
        (letter(payload=b"[" * 100_000, key=None), "its key is not known, and a compacted topic"),
        (letter(payload=b"\xff", key=None), "its key is not known, and a compacted topic"),
        (letter(payload=b"{", key=None, topic=CUSTOMERS), ""),
    ],
)
def test_what_cannot_be_replayed(given: DeadLetter, why: str) -> None:
    (entry,) = log(given).select()
    assert entry.unfit.startswith(why)
    assert bool(entry.unfit) is bool(why)


@pytest.mark.parametrize(("size", "whole"), [(MAX_PAYLOAD - 1, True), (MAX_PAYLOAD, False)])
def test_an_old_letter_that_is_as_long_as_can_be_may_be_cut(size: int, whole: bool) -> None:
    old = msgspec.structs.replace(letter(payload=b"x" * size), size=None)
    assert bool(unfit(old, TOPICS[RESPONSES])) is not whole


def test_the_record_is_what_it_was() -> None:
    cloud = Response(response_id="r1", survey_id="nps", score=9)
    headers = [("ce_type", b"livenps.response.v1"), ("ce_id", b"r1")]
    given = letter(partition=3, payload=b'{"survey_id":"nps","score":9}', headers=headers, key=b"\xff")
    record = log(given).record(given)
    assert (record.topic, record.partition, record.key) == (ANSWERS, 3, b"\xff")
    assert Codec([Response]).decode(record.value, record.headers) == cloud


def test_the_key_of_an_old_letter_is_what_its_topic_is_keyed_by() -> None:
    old = letter(key=None, payload=encode(answer(response_id="ä")))
    assert log(old).record(old).key == "ä".encode()
    broken = letter(key=None, payload=b"{", topic=CUSTOMERS)
    assert log(broken).record(broken).key is None


def test_the_summary() -> None:
    letters = log(letter(0), letter(1), letter(2, topic="stranger"), letter(3), replayed(9, f"{ANSWERS}:0:3"))
    assert letters.summary(letters.select()) == {
        (RESPONSES, "unknown_survey", "open"): 2,
        (RESPONSES, "unknown_survey", "replayed"): 1,
        ("stranger", "unknown_survey", "open"): 1,
    }


@pytest.mark.parametrize("reason", ADVICE)
def test_advice_is_a_sentence(reason: str) -> None:
    assert ADVICE[reason].endswith(".")
    assert escaped(ADVICE[reason]) == ADVICE[reason]


def test_bytes_for_people() -> None:
    assert readable("Très bien 👍".encode()) == ("text", "Très bien 👍")
    assert readable(b"\x00\xff") == ("hex", "00ff")
    assert readable(b"") == ("text", "")


@given(st.text())
def test_no_text_does_anything_to_a_terminal(text: str) -> None:
    assert escaped(text).isprintable()


def test_printable_text_stays_as_it_is() -> None:
    assert escaped('{"comment": "Très bien 👍 \\n [red]"}') == '{"comment": "Très bien 👍 \\n [red]"}'
    assert escaped("a\x1b[2J\r\n\u202eb\x9b") == r"a\x1b[2J\r\n\u202eb\x9b"
