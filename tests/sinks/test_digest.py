"""A digest as people read it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from html import unescape
from typing import Literal

import pytest
from playwright.async_api import Browser

from scoring.board import Board
from scoring.digest import digest
from scoring.segments import Dimension, Dimensions, Series
from scoring.tally import merge
from scoring.windows import DEFAULT_WINDOWS
from sinks.digest import Report
from surveys.survey import Survey
from tests.make import NOW

WINDOWS = {window.name: window for window in DEFAULT_WINDOWS}
PLAN = Dimensions((Dimension("plan"),))
NASTY = "<b>*pro*</b> [x](y) | `z`"
SURVEYS = [
    Survey(id="nps", title="After <a> purchase"),
    Survey(id="quiet", title="Quiet"),
    Survey(id="happy", title="Happy", metric="csat"),
]


def histogram(promoters: int, passives: int, detractors: int) -> list[int]:
    return [detractors, *[0] * 6, passives, 0, 0, promoters]


@pytest.fixture
def report() -> Report:
    now: Mapping[Series, list[int]] = {
        Series("nps", "plan", NASTY): histogram(90, 8, 2),
        Series("nps", "plan", "free"): histogram(10, 20, 70),
        Series("nps", "plan", "same"): histogram(50, 25, 25),
        Series("nps", "plan", "few"): histogram(9, 0, 0),
    }
    before = {series: histogram(100, 50, 50) for series in now}
    recent = {Series("nps"): merge(now.values()), **now, Series("happy"): [0, 0, 0, 0, 20, 20, 0, 0, 0, 0, 0]}
    older = {Series("nps"): merge(before.values()), **before, Series("happy"): [0, 1, 0, 0, 4, 0, 0, 0, 0, 0, 0]}
    whole = {one: merge([recent[one], older[one]]) for one in recent}
    board = Board(NOW, {"7d": recent, "30d": whole, "all": whole})
    surveys = {survey.id: survey for survey in SURVEYS}
    scales = {id_: survey.scale for id_, survey in surveys.items()}
    found = digest(board, scales, PLAN, WINDOWS["7d"], WINDOWS["30d"])
    return Report("Ann & Bob", NOW, "7d", "30d", [(surveys[one.survey], one) for one in found])


def test_it_says_what_moved_with_what_it_stands_on(report: Report) -> None:
    text = report.markdown()
    assert "**Net Promoter Score 20** (10 to 30, 309 answers)" in text
    assert "It was 25 before: no more than chance." in text
    assert text.startswith("# Ann \\& Bob: how customers felt in the last 7 days")
    assert "the rest of the last 30 days" in text
    assert "### Good news" in text
    assert r"rose by 63 to 88 (77 to 94, 100 answers)" in text
    assert "- plan **free** fell by 85 to -60 (-71 to -45, 100 answers)." in text
    assert "Nobody has answered." in text
    assert "**Customer Satisfaction Score 100 %**" in text
    assert "It was 80 % before; with so few answers that says little." in text
    assert "few |" not in text, "nine answers are not ranked"


def test_names_from_outside_are_shown_as_they_are(report: Report) -> None:
    assert r"\<b\>\*pro\*\</b\> \[x\]\(y\) \| \`z\`" in report.markdown()
    html = report.html()
    assert "<b>" not in html
    assert NASTY in unescape(html)
    assert "After &lt;a&gt; purchase" in html
    assert "Ann &amp; Bob" in html


def test_the_text_of_a_mail(report: Report) -> None:
    text = report.text()
    assert text.startswith("Ann & Bob: how customers felt in the last 7 days\nAs of 2026-03-01T12:00:00Z, ")
    assert "AFTER <A> PURCHASE\n\nNet Promoter Score 20 (10 to 30, 309 answers).\n" in text
    assert "It was 25 before: no more than chance." in text
    assert f"\nGood news\n- plan {NASTY} rose by 63 to 88 (77 to 94, 100 answers)." in text
    assert "\nWorth a look\n- plan free fell by 85 to -60" in text
    assert f"\nBest and lowest\n- plan {NASTY}: 88 (77 to 94, 100 answers)\n- plan free: -60 " in text
    assert "Customer Satisfaction Score 100 %" in text
    assert "It was 80 % before; with so few answers that says little." in text


def test_a_name_with_line_breaks_is_one_line(report: Report) -> None:
    wrapped = replace(
        report, brand="Our\r\nBcc: shop", surveys=[(Survey(id="a", title="A\nB"), report.surveys[0][1])]
    )
    assert wrapped.title == "Our Bcc: shop: how customers felt in the last 7 days"
    assert "\nA B\n" in wrapped.text()


def test_a_page_loads_nothing(report: Report) -> None:
    html = report.html()
    for word in ("http:", "https:", "<script", "<link", "<img", "url("):
        assert word not in html


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_page_fits_a_phone_and_its_colours_are_those_of_the_reader(
    browser: Browser, report: Report, scheme: Literal["light", "dark"]
) -> None:
    context = await browser.new_context(viewport={"width": 360, "height": 700}, color_scheme=scheme)
    page = await context.new_page()
    await page.set_content(report.html().replace("free", "f" * 200))
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    text = await page.evaluate("getComputedStyle(document.body).color")
    assert text == {"light": "rgb(0, 0, 0)", "dark": "rgb(255, 255, 255)"}[scheme]


def test_the_facts_are_json(report: Report) -> None:
    facts = json.loads(json.dumps(report.facts()))
    [nps, quiet, happy] = facts["surveys"]
    assert (nps["survey"], nps["n"], nps["moved"]) == ("nps", 309, False)
    assert [line["segment"] for line in nps["good_news"]] == [NASTY]
    assert [line["segment"] for line in nps["worth_a_look"]] == ["free"]
    assert (quiet["score"], quiet["before"]) == (None, None)
    assert (happy["metric"], happy["score"], happy["before"], happy["p"]) == ("csat", 100, 80, None)
