"""The event types: their schemas, and how they are written."""

import json
from typing import Any, get_args

import jsonschema_rs
import msgspec
import pytest

from streams.codec import Codec
from streams.events import (
    CUSTOMER_EVENTS,
    EVENTS,
    Alert,
    Answered,
    Ask,
    Attempt,
    Baseline,
    Bounced,
    Claim,
    Contact,
    ContactRecord,
    CustomerEvent,
    DeadLetter,
    DecisionRecord,
    Declined,
    Event,
    Explanation,
    FollowUp,
    Grant,
    Identify,
    Increment,
    Marker,
    Merge,
    Merged,
    Remark,
    Replayed,
    Response,
    SegmentChange,
    SurveyRequest,
    Touchpoint,
    Unsubscribed,
    Verdict,
    encode,
    schema,
    tag,
)
from streams.times import from_ms
from tests.make import NOW, on

AT = from_ms(NOW)
ANN = Contact(
    email="ann@example.com",
    phone="+49 30 1",
    name="Ann",
    locale="de",
    timezone="Europe/Berlin",
    account_id="a-1",
    role="user",
    attributes={"age": 30},
)
VALUES: dict[str, Any] = {"text": "x", "number": 1.5, "whole": 3, "yes": True, "nothing": None}

# One event of every type with every field set.
FULL: list[Event] = [
    Touchpoint(event_id="e", event="Order", customer_id="c", occurred_at=AT, properties=VALUES, contact=ANN),
    on(Identify, contact=ANN),
    on(Answered, survey_id="nps"),
    on(Declined, survey_id="nps"),
    on(Unsubscribed),
    on(Bounced, email="ann@example.com"),
    on(Ask, survey_id="nps"),
    on(Merge, into="c2"),
    on(
        Merged,
        path=["visitor"],
        contact=ANN,
        unsubscribed=True,
        bounced="ann@example.com",
        asked={"nps": AT},
        recent={"r": AT},
        answered={"nps": AT},
        declined={"nps": AT},
        merged={"visitor-2": AT},
    ),
    SurveyRequest(
        request_id="r",
        survey_id="nps",
        customer_id="c",
        channel="mail",
        state="due",
        decided_at=AT,
        due_at=AT,
        contact=ANN,
        properties=VALUES,
        weight=5.0,
    ),
    DecisionRecord(
        decision_id="d",
        customer_id="c",
        event_id="e",
        event="Order",
        decided_at=AT,
        verdicts=[Verdict(survey_id="nps", decision="scheduled", reason="delay", request_id="r", due_at=AT)],
        settles="r",
    ),
    ContactRecord(
        customer_id="c",
        updated_at=AT,
        contact=ANN,
        older={"email": AT},
        unsubscribed=True,
        bounced="ann@example.com",
        answered={"nps": AT},
        declined={"nps": AT},
        asked={"nps": AT},
        recent={"r": AT},
        merged={"visitor": AT},
        merged_into="c2",
        merged_at=AT,
    ),
    Attempt(
        request_id="r", survey_id="nps", customer_id="c", channel="mail", outcome="failed", at=AT, reason="refused"
    ),
    Response(
        response_id="r",
        survey_id="nps",
        score=9,
        customer_id="c",
        comment="Très bien 👍",
        answers=VALUES,
        attributes=VALUES,
        answered_at=AT,
        updated_at=AT,
        channel="web",
    ),
    Claim(response_id="r", survey_id="nps", customer_id="c"),
    Grant(response_id="r", survey_id="nps", customer_id="c", code="SAVE-10", at=AT),
    Increment(
        survey_id="nps",
        dimension="plan",
        segment="pro",
        source="survey.responses:3",
        scores=[0, 10],
        offsets=[6, 7],
    ),
    Baseline(
        survey_id="nps",
        dimension="plan",
        segment="pro",
        answers=[0, 0, 1, 0, 0, 0, 0, 0, 90, 400],
        days=30,
        set_at=AT,
        set_by="ann",
        reason="release",
    ),
    FollowUp(response_id="r", survey_id="nps", customer_id="c", action="call back", at=AT),
    Alert(
        alert_id="a",
        status="resolved",
        labels={"alertname": "NpsDrop"},
        annotations={"summary": "NPS fell"},
        starts_at=AT,
        ends_at=AT,
        explanation=Explanation(
            as_of=AT,
            window="24h",
            score=20.0,
            n=50,
            reference_window="30d",
            reference=None,
            segments=[SegmentChange(dimension="plan", segment="pro", within=-4.5, mix=0.0, score=None, n=3)],
            mix_moved=["region"],
            comments=[Remark(response_id="r", score=3, comment="slow", answered_at=AT)],
        ),
    ),
    Marker(marker_id="m", title="release 4.2", at=AT, survey_id="nps", url="https://example.com/4.2"),
    DeadLetter(
        topic="t",
        partition=0,
        offset=1,
        reason="invalid",
        detail="d",
        payload=b"\x00\xff",
        at=AT,
        key=b"r",
        headers={"ce_type": b"livenps.response.v1"},
        size=3,
    ),
    Replayed(letter="t:0:1", at=AT, offset=2),
]
KINDS = {tag(type(event)): event for event in FULL}


def test_every_type_is_covered_here_and_customer_events_are_all_in_their_union() -> None:
    assert list(KINDS) == [tag(kind) for kind in EVENTS]
    assert set(get_args(CustomerEvent)) == set(CUSTOMER_EVENTS)


@pytest.mark.parametrize("kind", EVENTS, ids=tag)
def test_every_type_has_a_valid_schema(kind: type[Event]) -> None:
    published = schema(kind)
    jsonschema_rs.meta.validate(published)
    assert published["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert published["title"] == tag(kind)


@pytest.mark.parametrize("name", KINDS)
def test_an_encoded_event_reads_back_and_fits_its_schema(name: str) -> None:
    event = KINDS[name]
    encoded = encode(event)
    assert Codec([type(event)]).decode(encoded) == event
    assert Codec(EVENTS).decode(encoded) == event
    assert json.loads(encoded)["type"] == name
    jsonschema_rs.Draft202012Validator(schema(type(event))).validate(json.loads(encoded))


@pytest.mark.parametrize("name", KINDS)
def test_the_schema_refuses_what_the_codec_refuses(name: str) -> None:
    event = KINDS[name]
    validator = jsonschema_rs.Draft202012Validator(schema(type(event)))
    complete = json.loads(encode(event))
    required: list[str] = [field.name for field in msgspec.structs.fields(event) if field.required]
    assert required
    for field in required:
        lacking = {key: value for key, value in complete.items() if key != field}
        assert not validator.is_valid(lacking)
        with pytest.raises(msgspec.ValidationError, match=field):
            msgspec.json.decode(json.dumps(lacking), type=type(event))


def test_defaults_are_not_written() -> None:
    written = json.loads(encode(Response(response_id="r", survey_id="nps", score=0)))
    assert written == {"type": "response", "response_id": "r", "survey_id": "nps", "score": 0}


def test_a_dead_letter_carries_its_payload_as_base64() -> None:
    assert json.loads(encode(KINDS["dead_letter"]))["payload"] == "AP8="


def test_a_dead_letter_from_before_keys_were_kept_is_read() -> None:
    old = (
        b'{"type":"dead_letter","topic":"t","partition":0,"offset":1,"reason":"invalid","detail":"d",'
        b'"payload":"AP8=","at":"2026-03-01T12:00:00Z"}'
    )
    letter = Codec([DeadLetter, Replayed]).decode(old)
    assert isinstance(letter, DeadLetter)
    assert (letter.payload, letter.key, letter.headers, letter.size) == (b"\x00\xff", b"", {}, None)
