"""POST /v1/touchpoints and /v1/responses: all of a request is written, or nothing."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import pytest

from tests.real.receiver import Receiver
from tests.real.wait import until
from tests.web.api import Api, invitations

MIB = 1 << 20


async def refused(api: Api, path: str, body: Any, status: int = 400) -> list[dict[str, Any]]:
    reply = await api.post(path, body)
    assert reply.status_code == status, reply.text
    errors: list[dict[str, Any]] = reply.json()["errors"]
    assert all(error.keys() == {"index", "path", "message"} for error in errors)
    return errors


async def test_one_answer_and_its_defaults(api: Api, survey: str) -> None:
    before = time.time()
    reply = await api.post("/v1/responses", {"survey_id": survey, "score": 9, "comment": "good"})
    assert reply.status_code == 202
    accepted = reply.json()
    assert accepted["accepted"] == 1
    (response_id,) = accepted["ids"]
    assert response_id
    await api.counted(survey, 1, 0, 0)
    async with api.live(survey=survey) as snapshots:
        (comment,) = (await anext(snapshots))["comments"]
    assert comment["response_id"] == response_id
    answered = datetime.fromisoformat(comment["answered_at"]).timestamp()
    assert before - 1 <= answered <= time.time()


async def test_an_array_in_its_order(api: Api, survey: str) -> None:
    ids = [f"{survey}-{number}" for number in range(3)]
    items = [{"survey_id": survey, "score": s, "response_id": id_} for s, id_ in zip((0, 7, 10), ids, strict=True)]
    reply = await api.post("/v1/responses", items)
    assert reply.json() == {"accepted": 3, "ids": ids}
    await api.counted(survey, 1, 1, 1)


async def test_a_thousand_answers_are_taken_and_one_more_is_not(api: Api, survey: str) -> None:
    items = [{"survey_id": survey, "score": number % 11} for number in range(1_000)]
    (error,) = await refused(api, "/v1/responses", [*items, items[0]])
    assert error == {"index": 0, "path": "$", "message": "Expected 1 to 1000 items, got 1001"}
    reply = await api.post("/v1/responses", items)
    assert len(set(reply.json()["ids"])) == 1_000
    await api.counted(survey, 181, 182, 637)


async def test_a_thousand_touchpoints(api: Api, survey: str) -> None:
    event = f"event of {survey}"
    items = [{"event": event, "customer_id": f"{survey}-{n % 7}", "event_id": str(n)} for n in range(1_000)]
    reply = await api.post("/v1/touchpoints", items)
    assert reply.json()["ids"] == [item["event_id"] for item in items]
    total = {"name": "survey_touchpoints_total", "event": event}
    await until(lambda: equals(api, 1_000, **total), message="all touchpoints are counted")


async def equals(api: Api, expected: float, name: str, **labels: str) -> bool:
    return await api.metric(name, **labels) == expected


async def test_an_answer_shows_within_a_second(api: Api, survey: str) -> None:
    delays = []
    for n in range(1, 6):
        sent = time.monotonic()
        await api.answer(survey, 10)
        await api.counted(survey, n, 0, 0)
        delays.append(time.monotonic() - sent)
    assert median(delays) < 1


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/touchpoints"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[]", "Expected 1 to 1000 items, got 0"),
        ("", "Input data was truncated"),
        ("{", "Input data was truncated"),
        ("5", "Expected `object`, got `int`"),
        ("[5]", "Expected `object`, got `int`"),
        ("null", "Expected `object`, got `null`"),
        (b"\xff\xfe", "malformed"),
        ("[" * 100_000, "recursion"),
        ('{"a":' * 100_000, "recursion"),
    ],
)
async def test_a_body_that_is_no_list_of_objects(api: Api, path: str, body: str | bytes, message: str) -> None:
    (error,) = await refused(api, path, body)
    assert (error["index"], error["path"]) == (0, "$")
    assert message in error["message"]


@pytest.mark.parametrize(
    "score", ["11", "-1", "6.5", '"9"', "null", "true", "NaN", "-Infinity", "{}", "[9]", "1e99"]
)
async def test_no_score_but_0_to_10_and_nothing_of_its_request_counts(api: Api, survey: str, score: str) -> None:
    good = json.dumps({"survey_id": survey, "score": 10})
    bad = f'{{"survey_id": "{survey}", "score": {score}}}'
    (error,) = await refused(api, "/v1/responses", bad)
    assert (error["index"], error["path"]) == (0, "$.score")
    assert "`int`" in error["message"]
    (error,) = await refused(api, "/v1/responses", f"[{good}, {bad}, {good}]")
    assert (error["index"], error["path"]) == (1, "$.score")
    await api.answer(survey, 0)
    await api.counted(survey, 0, 0, 1)


@pytest.mark.parametrize(("metric", "lowest", "highest"), [("csat", 1, 5), ("ces", 1, 7)])
async def test_a_score_outside_the_surveys_scale_is_refused(
    api: Api, survey_of: Callable[[str], str], metric: str, lowest: int, highest: int
) -> None:
    survey = survey_of(metric)
    good = {"survey_id": survey, "score": highest}
    for score in (lowest - 1, highest + 1):
        (error,) = await refused(api, "/v1/responses", [good, {"survey_id": survey, "score": score}])
        message = f"Expected a score from {lowest} to {highest} ({metric}), got {score}"
        assert error == {"index": 1, "path": "$.score", "message": message}
    await api.answer(survey, lowest)
    await api.counted(survey, 0, 0, 1)


async def test_nan_anywhere_refuses_the_request(api: Api, survey: str) -> None:
    (error,) = await refused(
        api, "/v1/responses", f'{{"survey_id": "{survey}", "score": 9, "attributes": {{"age": NaN}}}}'
    )
    assert error["path"].startswith("$.attributes")
    (error,) = await refused(api, "/v1/responses", f'{{"survey_id": "{survey}", "score": 9, "unknown": NaN}}')
    assert "malformed" in error["message"]


async def test_the_first_wrong_field_of_each_item(api: Api, survey: str) -> None:
    good = {"survey_id": survey, "score": 9}
    errors = await refused(
        api,
        "/v1/responses",
        [
            {**good, "survey_id": "nobody's"},
            good,
            {"score": 9},
            {"survey_id": survey},
            {**good, "comment": "x" * 10_001},
            {**good, "attributes": {"": 1}},
            {**good, "attributes": {"plan": ["pro"]}},
            {**good, "response_id": None},
            {**good, "version": 2},
            {**good, "type": "touchpoint"},
            5,
        ],
    )
    assert [(error["index"], error["path"]) for error in errors] == [
        (0, "$.survey_id"),
        (2, "$.survey_id"),
        (3, "$.score"),
        (4, "$.comment"),
        (5, "$.attributes"),
        (6, "$.attributes[...]"),
        (7, "$.response_id"),
        (8, "$.version"),
        (9, "$.type"),
        (10, "$"),
    ]
    assert survey in errors[0]["message"]
    assert "nobody's" in errors[0]["message"]


async def test_the_first_wrong_field_of_a_touchpoint(api: Api) -> None:
    good = {"event": "Order Delivered", "customer_id": "ann"}
    errors = await refused(
        api,
        "/v1/touchpoints",
        [
            {"event": "Order Delivered"},
            {"customer_id": "ann"},
            {**good, "customer_id": ""},
            {**good, "contact": {"email": 5}},
            {**good, "contact": "ann@example.com"},
            {**good, "occurred_at": "yesterday"},
            good,
        ],
    )
    assert [(error["index"], error["path"]) for error in errors] == [
        (0, "$.customer_id"),
        (1, "$.event"),
        (2, "$.customer_id"),
        (3, "$.contact.email"),
        (4, "$.contact"),
        (5, "$.occurred_at"),
    ]


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/touchpoints"])
async def test_a_body_over_a_mebibyte(api: Api, survey: str, path: str) -> None:
    good = {"survey_id": survey, "score": 9, "event": "x", "customer_id": "ann", "padding": ""}
    good["padding"] = "x" * (MIB - len(json.dumps(good)))
    reply = await api.post(path, good)
    assert reply.status_code == 202
    good["padding"] = f"{good['padding']}x"
    (error,) = await refused(api, path, good, status=413)
    assert error["message"] == "the body is larger than 1048576 bytes"


@pytest.mark.parametrize("field", ["answered_at", "updated_at"])
async def test_times_are_rfc_3339_or_unix_seconds_and_not_of_the_future(api: Api, survey: str, field: str) -> None:
    now = datetime.now(UTC)
    for at in (now - timedelta(minutes=2), now + timedelta(minutes=4)):
        await api.answer(survey, 9, **{field: at.isoformat()})
        await api.answer(survey, 9, **{field: at.timestamp()})
    for future in (now + timedelta(minutes=6), now + timedelta(days=365)):
        for written in (future.isoformat(), future.timestamp()):
            (error,) = await refused(api, "/v1/responses", {"survey_id": survey, "score": 0, field: written})
            assert error["path"] == f"$.{field}"
            assert "at most 5 minutes in the future" in error["message"]
    for wrong in ("2026-03-01T12:00:00", "01/03/26", -1, 1e300, True, "9999-12-31T23:59:59-12:00"):
        (error,) = await refused(api, "/v1/responses", {"survey_id": survey, "score": 0, field: wrong})
        assert error["path"] == f"$.{field}"
    await api.counted(survey, 4, 0, 0)


async def test_an_answer_counts_when_it_was_given(api: Api, survey: str) -> None:
    yesterday = datetime.now(UTC) - timedelta(hours=30)
    await api.answer(survey, 9, answered_at=yesterday.isoformat())
    await until(lambda: found(api, survey, "7d"), message="the answer counts")
    assert await api.counts(survey) == (0, 0, 0)


async def found(api: Api, survey: str, window: str) -> bool:
    answers: int = (await api.scores(survey, window=window))["n"]
    return answers == 1


async def test_a_future_touchpoint_is_refused(api: Api) -> None:
    touchpoint = {"event": "x", "customer_id": "ann", "occurred_at": time.time() + 400}
    (error,) = await refused(api, "/v1/touchpoints", touchpoint)
    assert error["path"] == "$.occurred_at"


async def test_a_repeated_response_id_counts_once_and_its_newest_version(api: Api, survey: str) -> None:
    for score in (10, 10, 10, 8, 2):
        await api.answer(survey, score, response_id=f"{survey}-one")
    await api.counted(survey, 0, 0, 1)
    total = {group: await responses_total(api, survey, group) for group in ("promoter", "passive", "detractor")}
    assert total == {"promoter": 1, "passive": 0, "detractor": 0}


async def responses_total(api: Api, survey: str, group: str) -> float | None:
    return await api.metric("nps_responses_total", survey=survey, group=group)


async def test_a_repeated_event_id_of_a_customer_counts_once(api: Api, receiver: Receiver, survey: str) -> None:
    event = f"event of {survey}"
    for event_id in ("e1", "e1", "e1", "e2"):  # one customer's events stay in their order
        await api.post("/v1/touchpoints", {"event": event, "customer_id": survey, "event_id": event_id})
    total = {"name": "survey_touchpoints_total", "event": event}
    await until(lambda: equals(api, 2, **total), message="both touchpoints are counted")
    decisions = {"name": "survey_decisions_total", "survey": survey}
    assert await equals(api, 1, decision="asked", reason="triggered", **decisions)
    assert await equals(api, 1, decision="not_asked", reason="quiet_period_survey", **decisions)
    sent = await until(lambda: invitations(receiver, survey), message="the link arrives")
    assert len(sent) == 1


async def test_a_visitor_becomes_a_customer(api: Api, receiver: Receiver, survey: str) -> None:
    """What is told of the visitor afterwards is decided, and sent, as the customer's."""
    event = f"event of {survey}"
    visitor, customer = f"{survey}-visitor", f"{survey}-customer"
    told = [
        {"type": "identify", "customer_id": visitor, "contact": {"name": "Ann"}},
        {"type": "merge", "customer_id": visitor, "into": customer},
        {"type": "touchpoint", "customer_id": visitor, "event": event},
    ]
    assert (await api.post("/v1/events", told)).json()["accepted"] == 3
    (sent,) = await until(lambda: invitations(receiver, customer), message="the customer's link arrives")
    assert sent["customer_id"] == customer
    assert invitations(receiver, visitor) == []
    decisions = {"name": "survey_decisions_total", "survey": survey}
    assert await equals(api, 1, decision="not_asked", reason="merged", **decisions)


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ({"customer_id": "ann"}, "$.type"),
        ({"type": "answered", "customer_id": "ann", "survey_id": "nps"}, "$.type"),
        ({"type": "merge", "customer_id": "ann"}, "$.into"),
        ({"type": "merge", "customer_id": "ann", "into": "ann"}, "$.into"),
        ({"type": "unsubscribed", "customer_id": "ann", "occurred_at": 9e12}, "$.occurred_at"),
    ],
)
async def test_an_event_that_says_too_little_or_what_cannot_be(api: Api, event: dict[str, Any], path: str) -> None:
    (error,) = await refused(api, "/v1/events", event)
    assert error["path"] == path


async def test_the_content_type_does_not_matter(api: Api, survey: str) -> None:
    reply = await api.client.post("/v1/responses", content=json.dumps({"survey_id": survey, "score": 9}))
    assert reply.status_code == 202
