"""Windows out of the counters, by a real Prometheus, beside the windows that the real program keeps."""

import json
from typing import Any

import httpx
import pytest

from tests.conftest import RunPart, Serve
from tests.deploy.files import DEPLOY, load
from tests.real.livenps import Livenps
from tests.real.prometheus import Prometheus
from tests.real.wait import until

RULES: dict[str, Any] = load(DEPLOY / "prometheus" / "rules" / "counters.yml")
WINDOWS = ("1h", "24h", "7d")
GROUPS = ("promoter", "passive", "detractor")


def answer(program: Livenps, *scores: int) -> None:
    body = [{"survey_id": "support", "score": score, "attributes": {"plan": "pro"}} for score in scores]
    httpx.post(f"{program.url}/v1/responses", json=body, trust_env=False).raise_for_status()


@pytest.fixture
def program(serve: Serve) -> Livenps:
    return serve()


@pytest.fixture
def prometheus(program: Livenps, run_part: RunPart) -> Prometheus:
    """It evaluates the rules with each scrape, not in their own time."""
    groups = [{"name": group["name"], "rules": group["rules"]} for group in RULES["groups"]]
    target = program.url.removeprefix("http://")
    return run_part(Prometheus.scraping([target], rules=json.dumps({"groups": groups})))


async def one(prometheus: Prometheus, expression: str) -> float:
    """The value of an expression with one sample; NaN without."""
    found = await prometheus.query(expression)
    assert len(found) < 2, found
    return float(found[0]["value"][1]) if found else float("nan")


async def test_they_agree_within_the_error_of_extrapolation(program: Livenps, prometheus: Prometheus) -> None:
    kept = 'nps_window_responses{survey="support",window="24h",group="%s"}'
    counter = 'nps_responses_total{survey="support",group="promoter"}'
    of_segment = 'nps_segment_responses_total{dimension="plan",segment="pro",group="detractor"}'
    await until(lambda: prometheus.query(f"count_over_time({counter}[1h]) > 2 and {counter} == 0"))

    # The series of a segment begins with its first answers, which no increase can see.
    first = [10] * 6 + [7] * 2 + [3] * 2
    answer(program, *first)
    await until(lambda: prometheus.query(f"count_over_time({of_segment}[1h]) > 2 and {of_segment} == 2"))
    for part in range(4):
        answer(program, *[9] * 25, *[8] * 15, *[0] * 10)
        await until(lambda n=31 + 25 * part: prometheus.query(f"{kept % 'promoter'} == {n}"))
    n = {group: await one(prometheus, kept % group) for group in GROUPS}
    assert n == {"promoter": 106, "passive": 62, "detractor": 42}

    async def off(expected: float, counted: str, recorded: str) -> float:
        """By how much of what is allowed the recorded count is off: 1.1 scrape intervals at each end."""
        samples = await one(prometheus, f"count_over_time({counted}[1h])")
        return abs(await one(prometheus, recorded) - expected) / (expected * 2 * 1.1 / (samples - 1))

    for window in WINDOWS:
        for group in GROUPS:
            recorded = f'survey_group:nps_responses:increase{{survey="support",window="{window}",group="{group}"}}'

            async def agrees(group: str = group, recorded: str = recorded) -> bool:
                return await off(n[group], counter, recorded) <= 1

            await until(agrees, message=recorded)

        of = f'{{survey="support",window="{window}"}}'
        # All groups began at 0 and are stretched alike, so of the score nothing is off.
        difference = f"abs(survey:nps_score:increase{of} - ignoring (instance) nps_score{of}) < 1e-9"
        await until(lambda query=difference: prometheus.query(query), message=difference)

    recorded = (
        "survey_dimension_segment_group:nps_segment_responses:increase"
        '{survey="support",dimension="plan",segment="pro",window="24h",group="detractor"}'
    )

    async def agrees_but_for_the_first() -> bool:
        return await off(n["detractor"] - 2, of_segment, recorded) <= 1

    await until(agrees_but_for_the_first, message=recorded)
