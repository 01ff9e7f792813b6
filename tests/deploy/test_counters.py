"""Windows out of the counters, by a real Prometheus, beside the windows that the real program keeps."""

import json
from functools import partial
from typing import Any

import httpx
import pytest

from tests.conftest import RunPart, Serve
from tests.deploy.files import DEPLOY, load
from tests.real.livenps import Livenps
from tests.real.prometheus import Prometheus
from tests.real.wait import until

RULES: dict[str, Any] = load(DEPLOY / "prometheus" / "rules" / "counters.yml")


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


async def holds(prometheus: Prometheus, expression: str) -> None:
    """Wait until a comparison finds a sample."""
    await until(partial(prometheus.query, expression), message=expression)


async def test_they_agree_within_the_error_of_extrapolation(program: Livenps, prometheus: Prometheus) -> None:
    totals = 'nps_responses_total{survey="support",group="%s"}'
    of_segment = 'nps_segment_responses_total{survey="support",dimension="plan",segment="pro",group="%s"}'
    # Stretched by at most 1.1 scrape intervals at each end.
    off = "abs({recorded} - {n}) <= {n} * 2 * 1.1 / (scalar(count_over_time({counter}[1h])) - 1)"

    counter = totals % "promoter"
    await holds(prometheus, f"count_over_time({counter}[1h]) > 2 and {counter} == 0")
    # The series of a segment begins with its first answers, which no increase can see.
    answer(program, *[10] * 6, *[7] * 2, *[3] * 2)
    counter = of_segment % "detractor"
    await holds(prometheus, f"count_over_time({counter}[1h]) > 2 and {counter} == 2")
    for part in range(1, 5):
        answer(program, *[9] * 25, *[8] * 15, *[0] * 10)
        kept = 'nps_window_responses{survey="support",window="24h",group="promoter"}'
        await holds(prometheus, f"{kept} == {6 + 25 * part}")

    for window in ("1h", "24h", "7d"):
        for group, n in (("promoter", 106), ("passive", 62), ("detractor", 42)):
            kept = f'nps_window_responses{{survey="support",window="{window}",group="{group}"}}'
            await holds(prometheus, f"{kept} == {n}")
            recorded = f'survey_group:nps_responses:increase{{survey="support",window="{window}",group="{group}"}}'
            await holds(prometheus, off.format(recorded=recorded, n=n, counter=totals % group))
        for group, n in (("promoter", 100), ("passive", 60), ("detractor", 40)):
            recorded = (
                "survey_dimension_segment_group:nps_segment_responses:increase"
                f'{{survey="support",dimension="plan",segment="pro",window="{window}",group="{group}"}}'
            )
            await holds(prometheus, off.format(recorded=recorded, n=n, counter=of_segment % group))
        # All groups of a survey began at 0 and are stretched alike, so of the score nothing is off.
        of = f'{{survey="support",window="{window}"}}'
        await holds(prometheus, f"abs(survey:nps_score:increase{of} - ignoring (instance) nps_score{of}) < 1e-9")
