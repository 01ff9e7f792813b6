"""Records to events."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.codec import MAX_BYTES, Codec, Headers
from streams.errors import BadRecord
from streams.events import CUSTOMER_EVENTS, Event, Response, Touchpoint, Unsubscribed, encode
from streams.times import from_ms
from tests.make import NOW, answer, on, touchpoint

RESPONSES = Codec([Response])
CUSTOMERS = Codec(CUSTOMER_EVENTS)
STRUCTURED: Headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
ANSWER = {"response_id": "r1", "survey_id": "nps", "score": 9}
BAD_SCORES = ["11", "-1", "6.5", '"9"', "null", "true", "{}", "[]", "9.0", "1e400", '"NaN"', "1" + "0" * 5_000]


def binary(kind: str, **attributes: str) -> Headers:
    """The headers of a CloudEvent in binary mode."""
    named = {"ce_specversion": "1.0", "ce_type": kind} | {f"ce_{name}": text for name, text in attributes.items()}
    return [(name, text.encode()) for name, text in named.items()]


def structured(kind: str, data: Any, **attributes: str) -> bytes:
    return json.dumps({"specversion": "1.0", "type": kind, "data": data, **attributes}).encode()


def refused(codec: Codec, value: bytes | None, headers: Headers = ()) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        codec.decode(value, headers)
    return caught.value


# plain JSON


def test_a_topic_of_one_type_needs_no_type() -> None:
    assert RESPONSES.decode(json.dumps(ANSWER).encode()) == answer()


@pytest.mark.parametrize("event", [touchpoint(), on(Unsubscribed)], ids=lambda event: type(event).__name__)
def test_a_topic_of_several_types_goes_by_the_type(event: Event) -> None:
    assert CUSTOMERS.decode(encode(event)) == event


def test_the_first_type_of_a_topic_is_the_default() -> None:
    plain = {"event_id": "e1", "event": "Order Delivered", "customer_id": "c1", "occurred_at": NOW / 1000}
    event = CUSTOMERS.decode(json.dumps(plain).encode())
    assert isinstance(event, Touchpoint)
    assert event.occurred_at == NOW / 1000


@pytest.mark.parametrize("codec", [RESPONSES, Codec([Response, Touchpoint])], ids=["one type", "several"])
def test_unknown_fields_are_tolerated(codec: Codec) -> None:
    more = {"new_field": {"deep": [1, 2]}, "answers": {"why": "price"}}
    assert codec.decode(json.dumps({**ANSWER, **more}).encode()) == answer(answers={"why": "price"})


@pytest.mark.parametrize("headers", [(), [("traceparent", b"00-abc")], [("content-type", b"application/json")]])
def test_other_headers_do_not_matter(headers: Headers) -> None:
    assert RESPONSES.decode(json.dumps(ANSWER).encode(), headers) == answer()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "malformed"),
        (b"score=9", "malformed"),
        (b'{"score": 9', "malformed"),
        (b'{"score": 11, "version": 3, "x": ', "malformed"),
        (b"\xff\xfe", "malformed"),
        (b'{"response_id": "\\ud800", "survey_id": "nps", "score": 9}', "malformed"),
        (b'{"x": ' + b"[" * 100_000, "malformed"),
        (b"[]", "invalid"),
        (b"9", "invalid"),
        (b"{}", "invalid"),
        (b'{"type": 5}', "invalid"),
        (b'{"type": "telemetry"}', "unknown_type"),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.parametrize("codec", [RESPONSES, CUSTOMERS], ids=["one type", "several"])
def test_what_cannot_be_read_is_refused_with_a_reason(codec: Codec, value: bytes | None, reason: str) -> None:
    assert refused(codec, value).reason == reason


def test_text_that_is_not_utf_8_is_malformed() -> None:
    assert refused(RESPONSES, b'{"response_id": "\xff", "survey_id": "nps", "score": 9}').reason == "malformed"


def test_another_topics_type_is_unknown_here() -> None:
    assert refused(RESPONSES, encode(touchpoint())).reason == "unknown_type"
    assert refused(CUSTOMERS, encode(answer())).reason == "unknown_type"


@pytest.mark.parametrize("version", [0, 2, 99])
def test_an_unknown_major_version_is_refused(version: int) -> None:
    plain = json.dumps({**ANSWER, "type": "response", "version": version}).encode()
    assert refused(RESPONSES, plain).reason == "unknown_version"
    customer = json.dumps({**json.loads(encode(touchpoint())), "version": version}).encode()
    assert refused(CUSTOMERS, customer).reason == "unknown_version"


def test_a_record_as_large_as_allowed_is_read_and_one_byte_more_is_refused() -> None:
    padded = json.dumps(ANSWER).encode().ljust(MAX_BYTES)
    assert RESPONSES.decode(padded) == answer()
    assert refused(RESPONSES, padded + b" ").reason == "too_large"


# scores


@pytest.mark.parametrize("score", range(11))
def test_every_score_of_the_scale_is_read(score: int) -> None:
    assert RESPONSES.decode(json.dumps({**ANSWER, "score": score}).encode()) == answer(score)


@pytest.mark.parametrize("score", BAD_SCORES, ids=lambda score: score[:6])
@pytest.mark.parametrize("mode", ["plain", "binary", "structured"])
def test_any_other_score_is_refused_by_name(mode: str, score: str) -> None:
    value = f'{{"response_id": "r1", "survey_id": "nps", "score": {score}}}'
    headers: Headers = ()
    if mode == "binary":
        headers = binary("livenps.response.v1")
    if mode == "structured":
        headers = STRUCTURED
        value = f'{{"specversion": "1.0", "type": "livenps.response.v1", "data": {value}}}'
    error = refused(RESPONSES, value.encode(), headers)
    assert error.reason == "invalid"
    assert "`$.score`" in error.detail


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_know_is_malformed_with_its_place(word: str) -> None:
    error = refused(RESPONSES, b'{"score": %s}' % word.encode())
    assert error.reason == "malformed"
    assert "byte 1" in error.detail


# CloudEvents


def test_binary_mode_is_read() -> None:
    data = json.dumps({"event": "Order Delivered", "customer_id": "c1"}).encode()
    headers = binary("livenps.touchpoint.v1", id="e1", time="2026-03-01T12:00:00Z", source="/shop")
    assert CUSTOMERS.decode(data, headers) == touchpoint()


def test_structured_mode_is_read() -> None:
    data = {"event": "Order Delivered", "customer_id": "c1"}
    value = structured("livenps.touchpoint.v1", data, id="e1", time="2026-03-01T12:00:00Z", source="/shop")
    assert CUSTOMERS.decode(value, STRUCTURED) == touchpoint()


def test_id_and_time_of_a_response_come_from_the_cloud_event_too() -> None:
    value = structured(
        "livenps.response.v1", {"survey_id": "nps", "score": 9}, id="r1", time="2026-03-01T12:00:00Z"
    )
    assert RESPONSES.decode(value, STRUCTURED) == answer(answered_at=from_ms(NOW))


def test_the_datas_own_id_and_time_win() -> None:
    data = json.loads(encode(touchpoint("own")))
    value = structured("livenps.touchpoint.v1", data, id="e9", time="2020-01-01T00:00:00Z")
    assert CUSTOMERS.decode(value, STRUCTURED) == touchpoint("own")


def test_header_names_are_read_in_any_case() -> None:
    headers = [(name.upper(), text) for name, text in binary("livenps.unsubscribed.v1", id="e1")]
    data = json.dumps({"customer_id": "c1", "occurred_at": "2026-03-01T12:00:00Z"}).encode()
    assert CUSTOMERS.decode(data, headers) == on(Unsubscribed)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("livenps.response.v2", "unknown_version"),
        ("livenps.response.v0", "unknown_version"),
        ("livenps.touchpoint.v1", "unknown_type"),
        ("livenps.telemetry.v1", "unknown_type"),
        ("livenps.response", "unknown_type"),
        ("com.example.order", "unknown_type"),
    ],
)
@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_cloud_events_of_another_type_or_version_are_refused(mode: str, kind: str, reason: str) -> None:
    if mode == "binary":
        error = refused(RESPONSES, json.dumps(ANSWER).encode(), binary(kind))
    else:
        error = refused(RESPONSES, structured(kind, ANSWER), STRUCTURED)
    assert error.reason == reason


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (b"[]", binary("livenps.response.v1"), "invalid"),
        (b"{", binary("livenps.response.v1"), "malformed"),
        (b"{}", [("ce_type", b"\xff")], "malformed"),
        (b'{"version": 2, "score": 9}', binary("livenps.response.v1"), "unknown_version"),
        (structured("livenps.response.v1", [1]), STRUCTURED, "invalid"),
        (b'{"type": "livenps.response.v1", "data": {}}', STRUCTURED, "invalid"),
        (b'{"specversion": "1.0", "type": 5, "data": {}}', STRUCTURED, "invalid"),
        (structured("", ANSWER), STRUCTURED, "unknown_type"),
        (b"nothing", STRUCTURED, "malformed"),
        (b'{"x": ' + b"[" * 100_000, STRUCTURED, "malformed"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_broken_cloud_event_is_refused(value: bytes, headers: Headers, reason: str) -> None:
    assert refused(RESPONSES, value, headers).reason == reason


@pytest.mark.parametrize("value", [None, b""])
@pytest.mark.parametrize("name", ["content-type", "ce_type", "traceparent"])
def test_a_header_without_a_value_is_no_header(name: str, value: bytes | None) -> None:
    """Kafka allows it, and the client hands it on as None."""
    assert RESPONSES.decode(json.dumps(ANSWER).encode(), [(name, value)]) == answer()


# whatever comes


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
values = st.one_of(
    st.none(),
    st.binary(),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(
        st.sampled_from(
            ["type", "version", "score", "response_id", "specversion", "data", "occurred_at", "event"]
        ),
        json_values | st.sampled_from(["response", "livenps.response.v1", "1.0", 1]),
    ).map(lambda value: json.dumps(value).encode()),
)
headers_of_any_kind = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "ce_type", "ce_id", "ce_time", "x"]),
        st.none()
        | st.binary()
        | st.sampled_from([STRUCTURED[0][1], b"livenps.response.v1", b"livenps.touchpoint.v1"]),
    ),
    max_size=3,
)


@given(st.sampled_from([RESPONSES, CUSTOMERS]), values, headers_of_any_kind)
@example(CUSTOMERS, b'{"type": "touchpoint"}', [])
def test_whatever_comes_is_an_event_or_a_bad_record(codec: Codec, value: bytes | None, headers: Any) -> None:
    read: Event | BadRecord
    try:
        read = codec.decode(value, headers)
    except BadRecord as bad:
        read = bad
    if isinstance(read, BadRecord):
        assert read.reason in {"empty", "too_large", "malformed", "invalid", "unknown_type", "unknown_version"}
        assert read.detail
    else:
        assert codec.decode(encode(read)) == read
