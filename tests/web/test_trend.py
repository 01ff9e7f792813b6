"""GET /v1/trend: points over a window, and the band since something was done."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.real.wait import until
from tests.web.api import Api


async def trend(api: Api, survey: str, **query: str) -> dict[str, Any]:
    reply = await api.client.get("/v1/trend", params={"survey": survey, **query})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def test_points_and_the_band_since_a_marker(api: Api, survey: str) -> None:
    now = time.time()
    await api.answer(survey, 0, 0, 9, attributes={"plan": "pro"}, answered_at=now - 10 * 3_600)
    marked = await api.post("/v1/markers", {"title": "release", "at": now - 5 * 3_600, "survey_id": survey})
    [marker] = marked.json()["ids"]
    await api.answer(survey, 10, 9, attributes={"plan": "free"}, answered_at=now - 3 * 3_600)
    await api.counted(survey, 3, 0, 2)

    async def known() -> bool:
        return bool((await api.client.get("/v1/timeline", params={"survey": survey})).json()["markers"])

    await until(known, message="the marker is known")
    found = await trend(api, survey, window="24h", since=marker)
    assert (found["survey"], found["window"], found["dimension"], found["segment"]) == (survey, "24h", "", "")
    starts = [datetime.fromisoformat(one["at"]) for one in found["points"]]
    steps = {later - earlier for earlier, later in pairwise(starts[1:])}
    assert steps == {timedelta(hours=3)}, "five answers are few"
    answered = [one for one in found["points"] if one["n"]]
    assert [(one["n"], one["groups"]["promoter"]) for one in answered] == [(3, 1), (2, 2)]
    assert all(one["lower"] < one["upper"] for one in answered)
    assert datetime.fromisoformat(found["since"]["at"]).timestamp() == pytest.approx(now - 5 * 3_600, abs=0.01)
    [point] = found["since"]["points"]
    assert (point["score"], point["n"]) == (100, 2)
    assert point["lower"] < 100 <= point["upper"]
    assert (found["since"]["before"]["score"], found["since"]["before"]["n"]) == (pytest.approx(-100 / 3), 3)
    assert (found["since"]["after"]["score"], found["since"]["after"]["n"]) == (100, 2)
    change = found["since"]["change"]
    assert (change["points"], change["lower"], change["upper"]) == (pytest.approx(400 / 3), None, None)
    pro = await trend(api, survey, window="24h", dimension="plan", segment="pro")
    assert [one["n"] for one in pro["points"] if one["n"]] == [3]
    assert pro["since"] is None


async def test_since_the_newest_marker(api: Api, survey: str) -> None:
    """It lies ahead a little: other tests set markers of all surveys, and none is newer."""
    at = time.time() + 200
    await api.post("/v1/markers", {"title": survey, "at": at, "survey_id": survey})

    async def known() -> bool:
        markers = (await api.client.get("/v1/timeline", params={"survey": survey})).json()["markers"]
        return survey in [one["title"] for one in markers]

    await until(known, message="the marker is known")
    since = (await trend(api, survey, window="24h", since="newest"))["since"]
    assert datetime.fromisoformat(since["at"]).timestamp() == pytest.approx(at, abs=0.01)
    assert since["points"] == []


async def test_a_change_that_is_more_than_chance(api: Api, survey: str) -> None:
    now = time.time()
    await api.answer(survey, *[10] * 200, *[0] * 20, answered_at=now - 10 * 3_600)
    await api.answer(survey, *[10] * 20, *[0] * 200, answered_at=now - 3 * 3_600)
    await api.counted(survey, 220, 0, 220)
    since = datetime.fromtimestamp(now - 5 * 3_600, UTC).isoformat()
    change = (await trend(api, survey, since=since))["since"]["change"]
    assert change["points"] == pytest.approx(-200 * 180 / 220)
    assert change["lower"] < change["points"] < change["upper"] < 0


async def test_nothing_was_answered(api: Api, survey: str) -> None:
    since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    found = await trend(api, survey, window="7d", since=since)
    assert {one["score"] for one in found["points"]} == {None}
    assert found["since"]["points"] == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"window": "all"}, "window: expected one of 1h, 24h"),
        ({"dimension": "plan"}, "expected both, or neither"),
        ({"dimension": "gone", "segment": "x"}, "dimension: expected one of plan"),
        ({"since": "yesterday"}, "since: expected the id of a marker, or a time"),
        ({"since": "2026-03-01T12:00:00"}, "with its zone"),
        ({"since": "0001-01-01T00:00:00Z"}, "since: expected the id of a marker, or a time"),
        ({"since": "2001-01-01T00:00:00Z"}, "a time within the window, from "),
    ],
)
async def test_what_cannot_be_asked(api: Api, query: dict[str, str], message: str) -> None:
    reply = await api.client.get("/v1/trend", params=query)
    assert reply.status_code == 400
    assert message in reply.json()["errors"][0]["message"]
