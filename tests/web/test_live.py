"""The live page and its stream: what counts is there at once, and changes come without asking."""

import asyncio
import re
from collections.abc import Callable

import pytest
from playwright.async_api import Page, expect

from scoring.scales import SCALES
from tests.real.livenps import Livenps
from tests.real.receiver import Receiver
from tests.web.api import Api


async def test_the_first_snapshot_comes_at_once_and_the_next_with_a_change(api: Api, survey: str) -> None:
    await api.answer(survey, 9, attributes={"plan": "pro"})
    await api.counted(survey, 1, 0, 0)
    async with asyncio.timeout(10), api.live(survey=survey, window="7d") as snapshots:
        async with asyncio.timeout(1):
            first = await anext(snapshots)
        assert (first["survey"], first["window"], first["kept"]) == (survey, "7d", True)
        assert {"id": survey, "title": f"<b>{survey}</b>", "metric": "nps"} in first["surveys"]
        assert [first["scores"][window]["n"] for window in first["windows"]] == [1] * 6
        assert first["segments"]["plan"]["pro"]["n"] == 1
        await api.answer(survey, 0)
        while (await anext(snapshots))["scores"]["all"]["n"] != 2:
            pass


async def test_the_funnel_and_the_reasons(api: Api, receiver: Receiver, survey: str) -> None:
    who = {"attributes": {"plan": "pro", "age": 30, "shoe": 43}}
    link = await api.invited(receiver, survey, customer_id=survey, contact=who)
    await api.client.get(link)
    await api.client.post(link, data={"score": "9"})
    await api.post("/v1/touchpoints", {"event": f"event of {survey}", "customer_id": survey})
    expected = {"touchpoints": 2, "asked": 1, "delivered": 1, "opened": 1, "answered": 1}
    async with asyncio.timeout(10), api.live(survey=survey) as snapshots:
        while (snapshot := await anext(snapshots))["funnel"] != expected:
            pass
    assert snapshot["responded"]["24h"] == {"invited": 1, "answered": 1, "ratio": 1.0}
    assert await api.metric("survey_response_ratio", survey=survey, window="24h") == 1
    assert snapshot["invited"] == {"plan": {"pro": [1, 1]}, "region": {}, "age": {"25-34": [1, 1]}}
    assert snapshot["reasons"] == [{"decision": "not_asked", "reason": "quiet_period_survey", "count": 1}]


async def test_the_page_says_how_many_of_those_invited_have_answered(
    program: Livenps, api: Api, receiver: Receiver, survey: str, page: Page
) -> None:
    await page.goto(f"{program.url}/?survey={survey}&window=24h")
    await expect(page.locator("#responded")).to_be_hidden()
    links = [await api.invited(receiver, survey, customer_id=f"{survey}-{number}") for number in range(2)]
    for link in links:
        await api.client.get(link)
    await api.client.post(links[0], data={"score": "9"})
    said = "Of 2 invited in the last 24 hours, 50.0 % have answered."
    await expect(page.locator("#responded")).to_have_text(said)
    steps = ["Asked100.0 % of touchpoints2", "Sent100.0 % of asked2", "Opened100.0 % of sent2"]
    await expect(page.locator("#funnel li")).to_have_text(["Touchpoints2", *steps, "Answered50.0 % of sent1"])


async def test_what_is_gone_from_the_configuration_falls_back(api: Api) -> None:
    async with api.live(survey="gone", window="2h") as snapshots:
        first = await anext(snapshots)
    assert (first["survey"], first["window"]) == ("post-purchase", "24h")


async def test_the_page_follows_without_a_reload(program: Livenps, api: Api, survey: str, page: Page) -> None:
    await page.goto(f"{program.url}/?survey={survey}&window=24h")
    await expect(page.locator("#title")).to_have_text(f"<b>{survey}</b>")
    await expect(page.locator("#score")).to_have_text("–")
    await expect(page.locator("#score-interval")).to_have_text("No answers yet")
    await page.evaluate("window.loaded = 'once'")

    words = "<img src=x onerror=alert(1)> good"
    await api.answer(survey, 10, comment=words, attributes={"plan": "<i>pro</i>"})
    await expect(page.locator("#score-n")).to_have_text("n = 1 answer")
    await expect(page.locator("#score")).to_have_text("100")
    await expect(page.locator("#score-interval")).to_have_text("95 % interval −48 to 98")
    await expect(page.locator("#score-remark")).to_have_text("too few answers")
    await expect(page.locator("#comments .comment")).to_have_text(words)
    await expect(page.locator("#segment-rows th .name")).to_have_text("<i>pro</i>")
    assert await page.locator("#comments img, #segment-rows i, #title b").count() == 0

    await api.answer(survey, *[10] * 20, *[8] * 10, *[0] * 10)
    await expect(page.locator("#score-n")).to_have_text("n = 41 answers")
    await expect(page.locator("#score")).to_have_text("27")
    await expect(page.locator("#score-remark")).to_be_hidden()
    assert await page.evaluate("window.loaded") == "once"


@pytest.mark.parametrize(
    ("metric", "answers", "shown", "groups", "formula"),
    [
        (
            "csat",
            [5] * 25 + [3] * 5 + [1] * 10,
            {"score": "62 %", "score-interval": "95 % interval 47 % to 75 %"},
            ["Satisfied4–561.9 %26", "Neutral311.9 %5", "Dissatisfied1–226.2 %11"],
            "Satisfied 4–5, neutral 3, dissatisfied 1–2. Score: % satisfied.",
        ),
        (
            "ces",
            [7] * 25 + [4] * 5 + [1] * 10,
            {"score": "5.1", "score-interval": "95 % interval 4.2 to 5.8"},
            ["Easy5–761.9 %26", "Neutral411.9 %5", "Difficult1–326.2 %11"],
            "Easy 5–7, neutral 4, difficult 1–3. Score: mean of the answers, more is easier.",
        ),
    ],
)
async def test_the_page_shows_a_survey_on_its_scale(
    program: Livenps,
    api: Api,
    survey_of: Callable[[str], str],
    page: Page,
    metric: str,
    answers: list[int],
    shown: dict[str, str],
    groups: list[str],
    formula: str,
) -> None:
    survey, scale = survey_of(metric), SCALES[metric]
    await api.answer(survey, *answers, attributes={"plan": "pro"})
    await api.answer(survey, scale.highest, comment="words")
    await api.answer(survey, scale.lowest, comment="other words")
    await page.goto(f"{program.url}/?survey=post-purchase&window=24h")  # the page comes from an NPS
    await expect(page.locator("#formula")).to_contain_text("Promoters 9–10")
    await page.locator("#survey").select_option(survey)
    await expect(page.locator("#score-n")).to_have_text("n = 42 answers")
    await expect(page.locator("#subtitle")).to_have_text(f"{scale.title}, last 24 hours")
    await expect(page.locator("#formula")).to_have_text(formula)
    worst, best = (f"{end:g}{scale.symbol}" for end in scale.ends)
    name = re.compile(f"^On a scale from {worst} to {best}: ")
    await expect(page.locator("#gauge").get_by_role("img", name=name)).to_be_visible()
    ticks = page.locator("#gauge text")
    await expect(ticks.first).to_have_text(worst)
    await expect(ticks.last).to_have_text(best)
    for place, text in shown.items():
        await expect(page.locator(f"#{place}")).to_have_text(text)
    await expect(page.locator("#groups > div")).to_have_text(groups)
    swatches = page.locator("#groups .swatch")
    assert [await swatches.nth(n).get_attribute("class") for n in range(3)] == [
        "swatch best",
        "swatch middle",
        "swatch worst",
    ]
    badges = page.locator("#comments .badge")
    await expect(page.locator("#comments .best")).to_have_text(str(scale.highest))
    await expect(page.locator("#comments .worst")).to_have_text(str(scale.lowest))
    await expect(badges).to_have_count(2)


async def test_another_survey_is_a_choice_away(program: Livenps, api: Api, survey: str, page: Page) -> None:
    await api.answer(survey, 9)
    await api.counted(survey, 1, 0, 0)
    await page.goto(program.url)
    await expect(page.locator("#title")).to_have_text("After a purchase")
    await page.locator("#survey").select_option(survey)
    await expect(page.locator("#score-n")).to_have_text("n = 1 answer")
    await page.get_by_role("button", name="7d", exact=True).click()
    await expect(page.locator("#subtitle")).to_have_text("Net Promoter Score, last 7 days")
    assert page.url.endswith(f"/?survey={survey}&window=7d")
