"""GET /v1/scores: its exact shape, its filters, and what it says where there is nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.make import groups
from tests.scoring.scores import adjusted_wald
from tests.web.api import Api

SCALE = {
    "metric": "nps",
    "title": "Net Promoter Score",
    "formula": "% promoters − % detractors",
    "answers": [0, 10],
    "ends": [-100, 100],
    "digits": 0,
    "symbol": "",
    "groups": [
        {"name": "promoter", "label": "promoters", "answers": [9, 10]},
        {"name": "passive", "label": "passives", "answers": [7, 8]},
        {"name": "detractor", "label": "detractors", "answers": [0, 6]},
    ],
}
EMPTY = {"metric": "nps", "score": None, "lower": None, "upper": None, "n": 0, "groups": groups()}


def score(promoters: int, passives: int, detractors: int) -> dict[str, Any]:
    """A score as the API shows it: counts, and unrounded points."""
    n = promoters + passives + detractors
    lower, upper = adjusted_wald(promoters, detractors, n)
    return {
        "metric": "nps",
        "score": 100 * (promoters - detractors) / n,
        "lower": lower,
        "upper": upper,
        "n": n,
        "groups": groups(promoters, passives, detractors),
    }


async def test_the_exact_shape(api: Api, survey: str) -> None:
    await api.answer(survey, 10, 9, 8, attributes={"plan": "pro", "region": "eu", "age": 25})
    await api.answer(survey, 7, 0, attributes={"plan": "free", "age": 70, "other": "not configured"})
    await api.answer(survey, 6)
    await api.counted(survey, 2, 2, 2)
    scores = await api.scores(survey, window="7d")
    as_of = datetime.fromisoformat(scores.pop("as_of"))
    assert datetime.now(UTC) - timedelta(seconds=2) < as_of <= datetime.now(UTC)
    eu, free = score(2, 1, 0), score(0, 1, 1)
    assert scores == {
        "survey": survey,
        "window": "7d",
        "scale": SCALE,
        **score(2, 2, 2),
        "segments": {
            "plan": {"pro": eu, "free": free},
            "region": {"eu": eu},
            "age": {"25-34": eu, "65+": free},
            "plan x region": {"pro|eu": eu},
        },
    }


@pytest.mark.parametrize(
    ("metric", "answers", "score", "groups", "ends"),
    [
        ("csat", [1, 3, 4, 5], 50, {"satisfied": 2, "neutral": 1, "dissatisfied": 1}, [0, 100]),
        ("ces", [1, 4, 6, 7], 4.5, {"easy": 2, "neutral": 1, "difficult": 1}, [1, 7]),
    ],
)
async def test_a_survey_is_scored_on_its_scale(
    api: Api,
    survey_of: Callable[[str], str],
    metric: str,
    answers: list[int],
    score: float,
    groups: dict[str, int],
    ends: list[float],
) -> None:
    survey, plan = survey_of(metric), {"plan": "pro"}
    await api.answer(survey, *answers, attributes=plan)
    await api.counted(survey, *groups.values())
    found = await api.scores(survey)
    for one in (found, found["segments"]["plan"]["pro"]):
        assert (one["metric"], one["score"], one["n"], one["groups"]) == (metric, score, 4, groups)
        assert list(one["groups"]) == list(groups), "best first"
        assert ends[0] <= one["lower"] < score < one["upper"] <= ends[1]
    scale = found["scale"]
    assert (scale["metric"], scale["ends"]) == (metric, ends)
    assert [group["name"] for group in scale["groups"]] == list(groups)
    assert scale["answers"] == [scale["groups"][-1]["answers"][0], scale["groups"][0]["answers"][1]]
    assert await api.metric(f"{metric}_score", survey=survey, window="24h") == score
    assert await api.metric("nps_score", survey=survey, window="24h") is None


async def test_one_answer_is_a_score_and_none_is_not(api: Api, survey: str) -> None:
    scores = await api.scores(survey)
    del scores["as_of"]
    nothing: dict[str, Any] = {"plan": {}, "region": {}, "age": {}, "plan x region": {}}
    assert scores == {"survey": survey, "window": "24h", "scale": SCALE, **EMPTY, "segments": nothing}
    await api.answer(survey, 9)
    await api.counted(survey, 1, 0, 0)
    scores = await api.scores(survey)
    assert (scores["score"], scores["n"]) == (100, 1)
    assert scores["lower"] < scores["upper"] <= 100


@pytest.mark.parametrize("dimension", ["plan", "plan x region"])
async def test_one_dimension(api: Api, survey: str, dimension: str) -> None:
    await api.answer(survey, 9, attributes={"plan": "pro", "region": "eu"})
    await api.counted(survey, 1, 0, 0)
    segments = (await api.scores(survey, dimension=dimension))["segments"]
    assert list(segments) == [dimension]
    assert [one["n"] for one in segments[dimension].values()] == [1]


async def test_one_segment(api: Api, survey: str) -> None:
    await api.answer(survey, 9, attributes={"plan": "pro"})
    await api.answer(survey, 3, attributes={"plan": "free"})
    await api.counted(survey, 1, 0, 1)
    for segment, n, score in (("pro", 1, 100), ("free", 1, -100), ("none", 0, None)):
        found = (await api.scores(survey, dimension="plan", segment=segment))["segments"]
        assert list(found["plan"]) == [segment]
        assert (found["plan"][segment]["n"], found["plan"][segment]["score"]) == (n, score)


@pytest.mark.parametrize(
    ("age", "windows"),
    [
        (timedelta(), {"1h", "24h", "7d", "30d", "90d", "all"}),
        (timedelta(hours=2), {"24h", "7d", "30d", "90d", "all"}),
        (timedelta(days=8), {"30d", "90d", "all"}),
        (timedelta(days=100), {"all"}),
    ],
)
async def test_the_windows(api: Api, survey: str, age: timedelta, windows: set[str]) -> None:
    await api.answer(survey, 9, answered_at=(datetime.now(UTC) - age).isoformat(), response_id=f"{survey}-1")
    await api.answer(survey, 9, 9)  # comes later, and is now
    await api.counted(survey, *((3, 0, 0) if "24h" in windows else (2, 0, 0)))
    found = {name for name in ("1h", "24h", "7d", "30d", "90d", "all") if await n(api, survey, name) == 3}
    assert found == windows


async def n(api: Api, survey: str, window: str) -> int:
    answers: int = (await api.scores(survey, window=window))["n"]
    return answers


async def test_the_defaults_are_the_first_survey_and_24_hours(api: Api) -> None:
    scores = (await api.client.get("/v1/scores")).json()
    assert (scores["survey"], scores["window"]) == ("post-purchase", "24h")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"survey": "nobody's"}, "survey: expected one of post-purchase, relationship, survey-00, "),
        ({"window": "2h"}, "window: expected one of 1h, 24h, 7d, 30d, 90d, all"),
        ({"survey": ""}, "survey: expected one of "),
        ({"window": ""}, "window: expected one of "),
        ({"dimension": ""}, "dimension: expected one of "),
        ({"segment": "pro"}, "segment: expected a dimension too"),
        ({"dimension": "colour"}, "dimension: expected one of plan, region, age, plan x region"),
    ],
)
async def test_what_there_is_not_is_answered_with_what_there_is(
    api: Api, query: dict[str, str], message: str
) -> None:
    reply = await api.client.get("/v1/scores", params=query)
    assert reply.status_code == 400
    (error,) = reply.json()["errors"]
    assert error["message"].startswith(message)
