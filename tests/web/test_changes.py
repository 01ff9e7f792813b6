"""GET /v1/changes: what changed and why, and what the watch has gathered."""

import time
from typing import Any

import httpx
import pytest

from scoring.segments import Series
from streams.watch import Reading
from tests.conftest import Serve
from tests.real.wait import until
from tests.web.api import Api
from web.changes import evidence

DAY_S = 86_400


async def changes(api: Api, survey: str) -> dict[str, Any]:
    reply = await api.client.get("/v1/changes", params={"survey": survey})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def test_the_parts_of_a_change_add_up_to_it(api: Api, survey: str) -> None:
    for at, pro, free in ((time.time() - 10 * DAY_S, (56, 14, 0), (15, 0, 15)), (None, (26, 14, 0), (26, 10, 24))):
        for plan, (promoters, passives, detractors) in (("pro", pro), ("free", free)):
            scores = [10] * promoters + [8] * passives + [0] * detractors
            fields: dict[str, Any] = {"answered_at": at} if at else {}
            await api.answer(survey, *scores, attributes={"plan": plan}, **fields)
    await api.counted(survey, 52, 24, 24)
    found = await changes(api, survey)
    assert (found["survey"], found["window"], found["reference_window"]) == (survey, "24h", "30d")
    total, plan = found["total"], found["dimensions"]["plan"]
    assert (total["score"], total["reference"]) == (pytest.approx(28), pytest.approx(56))
    assert (total["n"], total["reference_n"]) == (100, 100)
    assert total["change"] == pytest.approx(-28)
    assert 0 < total["p"] < 0.05
    assert plan["within"] + plan["mix"] == pytest.approx(total["change"])
    pro = plan["segments"]["pro"]
    assert (pro["score"], pro["reference"]) == (pytest.approx(65), pytest.approx(80))
    assert (pro["n"], pro["reference_n"]) == (40, 70)
    parts = [part for one in plan["segments"].values() for part in (one["within"], one["mix"])]
    assert sum(parts) == pytest.approx(total["change"])
    assert found["dimensions"]["region"] == {"within": None, "mix": None, "mix_moved": False, "segments": {}}
    assert await api.metric(
        "nps_segment_change_within", survey=survey, dimension="plan", segment="pro"
    ) == pytest.approx(pro["within"])


async def test_the_mix_moved(api: Api, survey: str) -> None:
    past = time.time() - 10 * DAY_S
    await api.answer(survey, *[10] * 70, attributes={"plan": "pro"}, answered_at=past)
    await api.answer(survey, *[0] * 30, attributes={"plan": "free"}, answered_at=past)
    await api.answer(survey, *[10] * 30, attributes={"plan": "pro"})
    await api.answer(survey, *[0] * 70, attributes={"plan": "free"})
    await api.counted(survey, 30, 0, 70)
    plan = (await changes(api, survey))["dimensions"]["plan"]
    assert plan["mix_moved"] is True
    assert (plan["within"], plan["mix"]) == (0, pytest.approx(-80))


async def test_nothing_to_compare(api: Api, survey: str) -> None:
    total = (await changes(api, survey))["total"]
    assert total == {
        "score": None,
        "n": 0,
        "reference": None,
        "reference_n": 0,
        "change": None,
        "p": None,
        "evidence": None,
    }
    await api.answer(survey, *[9] * 29)
    await api.counted(survey, 29, 0, 0)
    total = (await changes(api, survey))["total"]
    assert (total["score"], total["n"], total["change"], total["p"]) == (100, 29, None, None)


async def test_the_evidence_of_a_watched_segment(serve: Serve) -> None:
    """A baseline of 100 answers is set, then everybody is angry."""
    watched = [{"survey": "support", "dimension": "plan", "segments": ["pro"]}, {"survey": "support"}]
    program = serve({"watch": {"series": watched, "learn": 100, "learn_for": "0s"}})
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=10) as client:
        api = Api(client)
        await api.answer("support", *[10] * 200, *[0] * 10, attributes={"plan": "pro"})
        await api.counted("support", 200, 0, 10)

        async def gathered() -> dict[str, Any]:
            found = await changes(api, "support")
            one: dict[str, Any] = found["dimensions"]["plan"]["segments"]["pro"]["evidence"]
            return one

        before = await until(gathered, timeout=20, message="the baseline is learned")
        assert (before["flagged"], before["drop_alarmed"]) == ([], False)
        await api.answer("support", *[0] * 400, attributes={"plan": "pro"})

        async def flagged() -> bool:
            return (await gathered())["flagged"] == ["drop"]

        await until(flagged, timeout=20, message="the drop stands out")
        after = await gathered()
        assert after["drop"] >= after["threshold"]
        assert after["drop_alarmed"] is True


def reading(drop: float, rise: float = 0) -> Reading:
    return Reading(50, drop, rise, 100, drop_alarmed=drop >= 100, rise_alarmed=rise >= 100)


def test_two_that_reach_half_of_their_thresholds_stand_out_together() -> None:
    watched = {Series(name): one for name, one in (("a", reading(50)), ("b", reading(0, 55)), ("c", reading(33)))}
    found = evidence(watched)
    assert [found[Series(name)]["flagged"] for name in "abc"] == [["drop"], ["rise"], []]
    assert found[Series("b")]["rise"] == 55
    alone = evidence({Series("a"): reading(99), Series("b"): reading(1)})
    assert [one["flagged"] for one in alone.values()] == [[], []]
    assert evidence({}) == {}
