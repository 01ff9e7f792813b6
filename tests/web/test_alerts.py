"""/v1/alerts, /v1/markers and /v1/timeline: what fired, why, and what people did."""

import time
from typing import Any
from uuid import uuid4

import pytest

from tests.real.wait import until
from tests.web.api import Api

DAY_S = 86_400
ZERO = "0001-01-01T00:00:00Z"
START = "2026-11-22T09:00:00.123Z"


def notification(*alerts: dict[str, Any]) -> dict[str, Any]:
    """A body as Alertmanager 0.25 sends it."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="NpsDrop"}',
        "truncatedAlerts": 0,
        "status": alerts[0]["status"] if alerts else "firing",
        "receiver": "livenps",
        "groupLabels": {"alertname": "NpsDrop"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": list(alerts),
    }


def fired(survey: str, fingerprint: str = "", ends: str = ZERO, **labels: str) -> dict[str, Any]:
    return {
        "status": "firing" if ends == ZERO else "resolved",
        "labels": {"alertname": "NpsDrop", "severity": "page", "survey": survey, **labels},
        "annotations": {"summary": f"NPS of {survey} dropped"},
        "startsAt": START,
        "endsAt": ends,
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": fingerprint or uuid4().hex[:16],
    }


async def incidents(api: Api, **query: str) -> list[dict[str, Any]]:
    reply = await api.client.get("/v1/timeline", params=query)
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["incidents"]
    return found


async def opened(api: Api, survey: str, number: int = 1) -> list[dict[str, Any]]:
    """Wait until a survey has so many incidents."""

    async def there() -> list[dict[str, Any]]:
        found = await incidents(api, survey=survey)
        return found if len(found) == number else []

    found: list[dict[str, Any]] = await until(there, message=f"{survey} has {number} incidents")
    return found


async def test_an_alert_opens_an_incident_with_what_explains_it_and_resolves_it(api: Api, survey: str) -> None:
    """Most answers came from pro in the past; now pro scores less, and more come from free."""
    past = time.time() - 10 * DAY_S
    await api.answer(survey, *[10] * 6, *[0] * 2, attributes={"plan": "pro"}, answered_at=past)
    await api.answer(survey, *[10] * 1, *[0] * 1, attributes={"plan": "free"}, answered_at=past)
    await api.answer(survey, *[10] * 1, *[0] * 3, attributes={"plan": "pro"}, comment="<b>slow</b>")
    await api.answer(survey, *[10] * 2, *[0] * 2, attributes={"plan": "free"})
    await api.counted(survey, 3, 0, 5)
    await until(lambda: _commented(api, survey), message="the comments are there")
    alert = fired(survey)
    reply = await api.post("/v1/alerts", notification(alert))
    assert reply.status_code == 202, reply.text
    assert reply.json() == {"accepted": 1, "ids": [alert["fingerprint"]]}
    [incident] = await opened(api, survey)
    assert incident["resolved_at"] is None
    assert incident["opened_at"] == START
    assert incident["labels"] == alert["labels"]
    assert incident["annotations"] == alert["annotations"]
    why = incident["explanation"]
    assert (why["window"], why["score"], why["n"]) == ("24h", -25, 8)
    assert (why["reference_window"], why["reference"]) == ("30d", 40)
    [pro, free] = why["segments"]
    assert (pro["dimension"], pro["segment"], pro["score"], pro["n"]) == ("plan", "pro", -50, 4)
    assert pro["within"] < 0
    assert (free["segment"], free["score"]) == ("free", 0)
    moved = sum(part["within"] + part["mix"] for part in (pro, free))
    assert moved == pytest.approx(why["score"] - why["reference"])
    assert "mix_moved" not in why
    assert {one["comment"] for one in why["comments"]} == {"<b>slow</b>"}

    assert await incidents(api, survey=survey, status="resolved") == []
    await api.post(
        "/v1/alerts", notification({**fired(survey, alert["fingerprint"], ends="2026-11-22T10:00:00Z")})
    )
    await until(lambda: incidents(api, survey=survey, status="resolved"), message="it is resolved")
    [resolved] = await incidents(api, survey=survey)
    assert resolved == {**incident, "resolved_at": "2026-11-22T10:00:00Z"}
    assert await incidents(api, survey=survey, status="open") == []


async def _commented(api: Api, survey: str) -> bool:
    async with api.live(survey=survey) as snapshots:
        return len((await anext(snapshots))["comments"]) == 4


async def test_what_alertmanager_tells_again_opens_nothing_more(api: Api, survey: str) -> None:
    alert, other = fired(survey), fired(survey, dimension="plan", segment="<pro>")
    for body in (notification(alert), notification(alert, other), notification(other)):
        assert (await api.post("/v1/alerts", body)).status_code == 202
    found = await opened(api, survey, 2)
    assert {one["labels"].get("segment") for one in found} == {None, "<pro>"}


async def test_an_alert_of_no_survey_is_an_incident_without_an_explanation(api: Api) -> None:
    name = f"Livenps{uuid4().hex}"
    alert = fired("")
    alert["labels"] = {"alertname": name, "severity": "ticket"}
    await api.post("/v1/alerts", notification(alert))

    async def there() -> list[dict[str, Any]]:
        return [one for one in await incidents(api, status="open") if one["labels"]["alertname"] == name]

    [incident] = await until(there, message="it is there")
    assert incident["explanation"] is None


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ("{", "$", "truncated"),
        ("[]", "$", "Expected `object`, got `array`"),
        ("{}", "$.version", "missing required field"),
        ({**notification(), "version": "3"}, "$.version", "Invalid enum value '3'"),
        (notification(fired("s", ends="0001-01-02T00:00:00Z")), "$.alerts[0]", "ends_at: Expected a time between"),
        (notification({**fired("s"), "startsAt": "today"}), "$.alerts[0].startsAt", "Invalid RFC3339"),
        (notification({**fired("s"), "labels": {"a": 1}}), "$.alerts[0].labels[...]", "Expected `str`"),
        (notification({**fired("s"), "fingerprint": ""}), "$.alerts[0].fingerprint", "length >= 1"),
    ],
)
async def test_a_body_that_is_not_alertmanagers(api: Api, body: Any, path: str, message: str) -> None:
    reply = await api.post("/v1/alerts", body)
    assert reply.status_code == 400
    [error] = reply.json()["errors"]
    assert error["path"] == path
    assert message in error["message"]


async def test_more_alerts_than_one_body_may_hold(api: Api) -> None:
    reply = await api.post("/v1/alerts", notification(*[fired("s")] * 1_001))
    assert reply.status_code == 400
    assert "at most 1,000 alerts" in reply.json()["errors"][0]["message"]


@pytest.mark.parametrize("query", [{"status": "new"}, {"survey": "gone"}])
async def test_a_choice_that_is_none_is_refused(api: Api, query: dict[str, str]) -> None:
    reply = await api.client.get("/v1/timeline", params=query)
    assert reply.status_code == 400
    assert "expected one of" in reply.json()["errors"][0]["message"]


async def test_markers(api: Api, survey: str) -> None:
    title = f"release <{uuid4().hex}>"
    for body in (
        {"title": title},
        [{"title": title, "survey_id": survey, "at": START, "url": "https://a.example/1"}],
    ):
        reply = await api.post("/v1/markers", body)
        assert reply.status_code == 202, reply.text

    async def there() -> list[dict[str, Any]]:
        reply = await api.client.get("/v1/timeline", params={"survey": survey})
        found = [one for one in reply.json()["markers"] if one["title"] == title]
        return found if len(found) == 2 else []

    [newer, older] = await until(there, message="both are there")
    assert "survey_id" not in newer
    assert (older["survey_id"], older["url"]) == (survey, "https://a.example/1")
    others = (await api.client.get("/v1/timeline", params={"survey": "relationship"})).json()["markers"]
    assert [one["marker_id"] for one in others if one["title"] == title] == [newer["marker_id"]]


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ({}, "$.title", "missing required field"),
        ({"title": "r", "survey_id": "gone"}, "$.survey_id", "got 'gone'"),
        ({"title": "r", "at": "2099-01-01T00:00:00Z"}, "$.at", "at most 5 minutes in the future"),
        ({"title": "r", "url": "javascript:alert(1)"}, "$.url", "regex"),
    ],
)
async def test_a_marker_that_is_none(api: Api, body: Any, path: str, message: str) -> None:
    reply = await api.post("/v1/markers", body)
    assert reply.status_code == 400
    [error] = reply.json()["errors"]
    assert error["path"] == path
    assert message in error["message"]
