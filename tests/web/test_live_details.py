"""What the live page tells beside the score: trend, what was done, what fired, what changed and why, segments."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.conftest import Serve
from tests.real.axe import violations
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.receiver import Receiver
from tests.real.wait import until
from tests.web.api import Api
from tests.web.conftest import running
from tests.web.test_alerts import fired, notification

HOUR_S = 3_600
DAY_S = 24 * HOUR_S
EVIL = "<img src=x onerror=alert(1)>"
CHANGED = "No change that is more than chance"


@pytest.fixture(scope="module")
def program(kafka: Kafka, receiver: Receiver) -> Iterator[Livenps]:
    """A program for these tests alone: markers of all surveys, which others set, would be among those shown."""
    with running(kafka, receiver, f"details-{uuid4().hex[:10]}.") as program:
        yield program


async def opened(program: Livenps, page: Page, survey: str, window: str = "24h") -> None:
    await page.goto(f"{program.url}/?survey={survey}&window={window}")
    await expect(page.locator("#content")).to_be_visible()


async def marked(api: Api, survey: str, title: str, hours: float, **fields: Any) -> None:
    """Mark something so many hours ago, and wait until it is known."""
    body = {"title": title, "at": time.time() - hours * HOUR_S, "survey_id": survey, **fields}
    assert (await api.post("/v1/markers", body)).status_code == 202

    async def known() -> bool:
        markers = (await api.client.get("/v1/timeline", params={"survey": survey})).json()["markers"]
        return title in [one["title"] for one in markers]

    await until(known, message="the marker is known")


async def test_the_trend_with_what_was_done_and_what_fired(
    program: Livenps, api: Api, survey: str, page: Page
) -> None:
    await api.answer(survey, *[10] * 40, *[0] * 10, answered_at=time.time() - 20 * HOUR_S)
    await api.answer(survey, *[10] * 40, *[0] * 10, answered_at=time.time() - 3 * HOUR_S)
    await api.counted(survey, 80, 0, 20)
    await marked(api, survey, "old", 30)
    await marked(api, survey, EVIL, 10, url="https://example.com/release")
    alert = fired(survey, severity="page") | {
        "startsAt": datetime.fromtimestamp(time.time() - HOUR_S, UTC).isoformat()
    }
    alert["annotations"] |= {
        "runbook_url": "javascript:alert(1)",
        "dashboard_url": "https://example.com/dashboard",
    }
    assert (await api.post("/v1/alerts", notification(alert))).status_code == 202
    await opened(program, page, survey)

    events = page.locator("#events li")
    await expect(events).to_have_count(2)  # what is not in the window is not told
    await expect(events.nth(0)).to_contain_text(f"1{EVIL}")
    await expect(events.nth(0).get_by_role("link", name=f"More about {EVIL}")).to_have_attribute(
        "href", "https://example.com/release"
    )
    await expect(events.nth(1)).to_contain_text(f"2NPS of {survey} dropped")
    await expect(events.nth(1)).to_contain_text("still open")
    await expect(page.locator("#trend .flag")).to_have_count(2)
    await expect(page.locator("#trend .dot")).to_have_count(2)
    name = "Score over time: at first 60, now 60, between 60 and 60"
    await expect(page.get_by_role("img", name=name)).to_be_visible()

    await page.get_by_text("The trend as a table").click()
    answered = page.locator("#trend-rows tr").filter(has_text="60")
    await expect(answered).to_have_count(2)

    incident = page.locator("#incidents li").filter(has_text=f"NPS of {survey} dropped")
    await expect(incident.get_by_role("link")).to_have_count(1)
    await expect(incident.get_by_role("link", name="Dashboard")).to_have_attribute(
        "href", "https://example.com/dashboard"
    )
    assert await page.locator("main img, a[href^='javascript']").count() == 0


async def test_since_the_newest_marker_and_since_a_time(
    program: Livenps, api: Api, survey: str, page: Page
) -> None:
    await api.answer(survey, *[10] * 200, *[0] * 20, answered_at=time.time() - 20 * HOUR_S)
    await api.answer(survey, *[10] * 200, *[0] * 20, answered_at=time.time() - 8 * HOUR_S)
    await api.answer(survey, *[10] * 20, *[0] * 200, answered_at=time.time() - 1.5 * HOUR_S)
    await api.counted(survey, 420, 0, 240)
    await marked(api, survey, "checkout", 10)
    await marked(api, survey, "release", 3)
    await opened(program, page, survey)
    verdict, detail = page.locator("#since-verdict"), page.locator("#since-detail")
    await expect(page.locator("#since-what")).to_contain_text("Since release, ")
    await expect(verdict).to_have_text("Fell by 164 points: more than chance")
    await expect(detail).to_contain_text("82 before, −82 since. The true change lies between −")
    await expect(detail).to_contain_text("(before 440 answers, since 220 answers).")

    await page.get_by_role("combobox", name="Change since").select_option("checkout")
    await expect(page.locator("#since-what")).to_contain_text("Since checkout, ")
    await expect(verdict).to_have_text("Fell by 82 points: more than chance")

    await page.get_by_role("combobox", name="Change since").select_option("a time of your choice")
    chosen = datetime.fromtimestamp(time.time() - 14 * HOUR_S).strftime("%Y-%m-%dT%H:%M")
    await page.get_by_label("Moment to compare with").fill(chosen)
    await expect(detail).to_contain_text("(before 220 answers, since 440 answers).")
    chosen = datetime.fromtimestamp(time.time() - 3 * DAY_S).strftime("%Y-%m-%dT%H:%M")
    await page.get_by_label("Moment to compare with").fill(chosen)
    await expect(verdict).to_have_text("Not in this window")
    await page.get_by_role("button", name="7d", exact=True).click()
    await expect(verdict).to_have_text("Nothing to compare with")


async def test_since_a_marker_that_changed_nothing(program: Livenps, api: Api, survey: str, page: Page) -> None:
    await api.answer(survey, *[10] * 60, *[8] * 20, *[0] * 20, answered_at=time.time() - 8 * HOUR_S)
    await api.answer(survey, *[10] * 11, *[0] * 9, answered_at=time.time() - 2 * HOUR_S)
    await api.counted(survey, 71, 20, 29)
    await opened(program, page, survey)
    verdict = page.locator("#since-verdict")
    await expect(verdict).to_have_text("Nothing was marked in this window")
    await marked(api, survey, "release", 5)
    await expect(verdict).to_have_text("Too early to tell", timeout=20_000)
    await expect(page.locator("#since-detail")).to_contain_text("it takes 30 answers on each side")
    await api.answer(survey, *[10] * 49, *[0] * 31, answered_at=time.time() - 2 * HOUR_S)
    await expect(verdict).to_have_text(CHANGED, timeout=20_000)
    await expect(page.locator("#since-detail")).to_contain_text("40 before, 20 since.")


async def test_what_changed_and_why(program: Livenps, api: Api, survey: str, page: Page) -> None:
    """The mix moved: nobody says anything else than before, but more of those answer who always say so."""
    past = time.time() - 10 * DAY_S
    for plan, score, before, after in (("<i>pro</i>", 10, 70, 30), ("free", 0, 30, 70)):
        await api.answer(survey, *[score] * before, attributes={"plan": plan}, answered_at=past)
        await api.answer(survey, *[score] * after, attributes={"plan": plan, "age": 30})
    await api.counted(survey, 30, 0, 70)
    await opened(program, page, survey)
    await expect(page.locator("#change-headline")).to_have_text(
        "−40 in the last 24 hours, 40 in the rest of the last 30 days: "
        "it fell by 80 points, which is unlikely to be chance (p < 0.001 at one look)."
    )
    cause = page.locator("#change-cause")
    await expect(cause).to_have_text(
        "The mix moved: −80 from how many of each answered, 0 from what the segments of plan answered."
    )
    rows = page.locator("#change-rows tr")
    await expect(rows).to_have_text(["<i>pro</i>100 → 1000−40", "free−100 → −1000−40"])
    await expect(page.locator("#change-dimensions button")).to_have_text(["plan"])


async def test_nothing_to_compare_yet(program: Livenps, api: Api, survey: str, page: Page) -> None:
    await opened(program, page, survey)
    await expect(page.locator("#change-headline")).to_have_text("There are no answers to compare yet.")
    await expect(page.locator("#change-parts")).to_be_hidden()
    await expect(page.locator("#trend-missing")).to_have_text("No answers in this window.")
    await expect(page.locator("#score-meaning")).to_have_text(
        "The score shows with the first answer of this window."
    )
    await api.answer(survey, 10)
    await expect(page.locator("#score-meaning")).to_have_text(
        "1 answer cannot tell the score of all customers: it may be anything from −48 to 98."
    )
    await api.answer(survey, *[10] * 39)
    await expect(page.locator("#score-meaning")).to_contain_text(
        "If everybody had answered, the score would lie from 84 to 100, in 19 of 20 such cases. Everybody agrees"
    )


@pytest.fixture
def many(serve: Serve) -> Livenps:
    """A program that shows a thousand segments of one dimension, and watches one."""
    watched = [{"survey": "support", "dimension": "plan", "segments": ["plan-0007"]}]
    return serve(
        {
            "dimensions": {"plan": {"limit": 1_000}},
            "watch": {"series": watched, "learn": 100, "learn_for": "0s"},
        }
    )


UPDATES = 5
UPDATED = f"""() => new Promise((done) => {{
  let left = {UPDATES};
  const observer = new MutationObserver(() => --left || done(observer.disconnect()));
  observer.observe(document.getElementById("as-of"), {{ childList: true }});
}})"""


async def cpu_of_an_update(page: Page) -> float:
    """Seconds of the page's main thread, scripts and layout, for one of some updates."""
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})

    async def spent() -> float:
        metrics = (await session.send("Performance.getMetrics"))["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    before = await spent()
    await page.evaluate(UPDATED)
    return (await spent() - before) / UPDATES


async def test_a_thousand_segments(many: Livenps, page: Page) -> None:
    async with httpx.AsyncClient(base_url=many.url, trust_env=False, timeout=20) as client:
        api = Api(client)
        names = [f"plan-{number:04}" for number in range(1_000)]
        body = [
            {"survey_id": "support", "score": score, "attributes": {"plan": name}}
            for name in names
            for score in (10, 0, 8)
        ]
        body += [{"survey_id": "support", "score": 10, "attributes": {"plan": "plan-0007"}} for _ in range(120)]
        for start in range(0, len(body), 1_000):
            assert (await api.post("/v1/responses", body[start : start + 1_000])).status_code == 202
        await api.counted("support", 1_120, 1_000, 1_000)
        await opened(many, page, "support")
        rows = page.locator("#segment-rows tr")
        await expect(rows).to_have_count(12)
        await expect(page.locator("#segment-page")).to_have_text("1 to 12 of 1,000")
        await expect(rows.first).to_contain_text("% of an alarm", timeout=20_000)  # what is watched comes first
        await expect(rows.first).to_contain_text("plan-0007")

        await page.get_by_role("button", name="Segment", exact=True).focus()
        await page.keyboard.press("Enter")
        column = page.locator("th[data-column='segment']")
        await expect(column).to_have_attribute("aria-sort", "ascending")
        await expect(rows.first).to_contain_text("plan-0000")
        await page.keyboard.press("Enter")
        await expect(column).to_have_attribute("aria-sort", "descending")
        await expect(rows.first).to_contain_text("plan-0999")
        await page.get_by_role("button", name="Next").click()
        await expect(page.locator("#segment-page")).to_have_text("13 to 24 of 1,000")
        await expect(rows.first).to_contain_text("plan-0987")
        await page.get_by_label("Find a segment").fill("0042")
        await expect(rows).to_have_count(1)
        await expect(page.locator("#segment-pages")).to_be_hidden()
        await page.get_by_label("Find a segment").fill("nobody's")
        await expect(page.locator("#no-segment-found")).to_be_visible()
        await page.get_by_label("Find a segment").fill("")

        assert await page.locator("*").count() < 1_500
        cpu = await cpu_of_an_update(page)
        print(f"\nan update of a thousand segments takes {1_000 * cpu:.0f} ms of the page's thread")
        assert cpu < 0.1


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_is_in_anybodys_way(
    program: Livenps, api: Api, survey: str, page: Page, width: int, scheme: Any
) -> None:
    """axe finds nothing, and a phone need not be scrolled sideways."""
    past = time.time() - 10 * DAY_S
    await api.answer(survey, *[10] * 30, *[0] * 10, attributes={"plan": "pro", "region": "eu"}, answered_at=past)
    await api.answer(
        survey, *[10] * 20, *[8] * 20, attributes={"plan": "a" * 80, "region": "eu"}, comment="w" * 200
    )
    await api.counted(survey, 20, 20, 0)
    await marked(api, survey, "m" * 100, 10)
    alert = fired(survey, uuid4().hex[:16], severity="ticket")
    assert (await api.post("/v1/alerts", notification(alert))).status_code == 202
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.set_viewport_size({"width": width, "height": 800})
    await opened(program, page, survey)
    await expect(page.locator("#events li")).not_to_have_count(0)
    await expect(page.locator("#change-rows tr")).not_to_have_count(0)
    await expect(page.locator("#incidents li")).not_to_have_count(0)
    await page.get_by_text("The trend as a table").click()
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    animated = "(one) => getComputedStyle(one).animationName !== 'none'"
    assert await page.evaluate(f"[...document.querySelectorAll('*')].filter({animated}).length") == 0


async def test_it_prints_on_two_pages_without_controls(
    program: Livenps, api: Api, survey: str, page: Page
) -> None:
    for plan in "abcdefghijklmn":
        await api.answer(survey, 10, 8, 0, attributes={"plan": plan, "region": plan}, comment="Late again. " * 5)
    await api.counted(survey, 14, 14, 14)
    await page.emulate_media(media="print", color_scheme="dark")
    await opened(program, page, survey)
    await expect(page.locator("#comments li").first).to_be_visible()
    assert await page.locator("select:visible, input:visible, summary:visible").count() == 0
    assert await page.locator("button:visible").count() == 5, "the columns' names"
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    pages = (await page.pdf(format="A4")).count(b"/Type /Page\n")
    assert 1 <= pages <= 2
