"""The card that a site shows: a page of another origin, in a real browser, with a policy and styles of its own."""

import gzip
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.real import axe
from tests.real.livenps import Livenps
from tests.real.wait import until
from tests.web.api import Api
from tests.web.conftest import EASE, QUESTION, SITE_SECRET, WAITING_TWO
from tests.web.shop import Shop
from web.pending import SCRIPT

PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 800}


@pytest.fixture
def customer() -> str:
    """Somebody whom no other test knows."""
    return f"c-{uuid4().hex}"


@pytest.fixture
def address(shop: Shop, program: Livenps, customer: str) -> str:
    """The shop's page for a customer who is signed in."""
    return shop.page(program.url, customer, SITE_SECRET)


async def bought(api: Api, survey: str, customer: str, **fields: Any) -> None:
    """Let something happen that a survey is due for."""
    reply = await api.post("/v1/touchpoints", {"event": f"event of {survey}", "customer_id": customer, **fields})
    assert reply.status_code == 202
    sent = {"name": "survey_deliveries_total", "survey": survey, "channel": "web", "outcome": "sent"}
    await until(lambda: api.metric(**sent), timeout=20, message="it waits")


@pytest.fixture
async def waits(api: Api, waiting: str, customer: str) -> str:
    """The id of a survey that waits for the customer."""
    await bought(api, waiting, customer)
    return waiting


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


async def stays_away(page: Page) -> None:
    """Nothing is shown once the server was asked."""
    assert await page.evaluate("livenps.check()") is False
    await expect(dialog(page)).to_have_count(0)


async def test_answered_by_keyboard_and_not_shown_again(api: Api, waits: str, page: Page, address: str) -> None:
    await page.goto(address)
    card = dialog(page)
    await expect(card).to_have_accessible_name(QUESTION)
    assert await page.get_by_label("Search").evaluate("element => element === document.activeElement")
    await expect(page.get_by_role("status")).to_have_text(QUESTION)
    await page.keyboard.press("Tab")
    await expect(card.get_by_role("button", name="Not now, thanks")).to_be_focused()
    await page.keyboard.press("Tab")
    scores = card.get_by_role("group", name=QUESTION)
    await expect(scores).to_have_accessible_description("0 = Not at all likely 10 = Extremely likely")
    for _ in range(3):
        await page.keyboard.press("ArrowRight")
    await expect(scores.get_by_role("radio", name="3", exact=True)).to_be_checked()
    await page.keyboard.press("Enter")

    words = card.get_by_role("textbox", name="What went wrong?")
    await expect(card.get_by_role("heading", name="What went wrong?")).to_be_focused()
    await api.counted(waits, 0, 0, 1)  # at once
    await words.focus()
    await page.keyboard.type("/slow <b>delivery</b>")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    for name, times in (("The <i>price</i>", 3), ("The speed", 1)):
        await card.get_by_role("group", name=name).get_by_role("radio", name="1", exact=True).focus()
        await page.keyboard.press("Space")
        for _ in range(times - 1):
            await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await card.get_by_role("radio", name="The <i>price</i>").press("Space")
    await page.keyboard.press("Enter")
    await expect(card.get_by_role("heading", name="Which price were fair?")).to_be_focused()
    await card.get_by_role("button", name="No thanks").press("Enter")
    for name in ("The speed", "Something else"):
        await card.get_by_role("checkbox", name=name).press("Space")
    await card.get_by_role("button", name="Send").press("Enter")
    await expect(card.get_by_role("heading", name="Thank you")).to_be_focused()
    assert await page.evaluate("shortcuts") == 0  # the site's, which typing in the card is none of

    (comment,) = await until(lambda: comments(api, waits), message="the words are shown")
    assert (comment["score"], comment["comment"]) == (3, "/slow <b>delivery</b>")
    await page.keyboard.press("Escape")
    await expect(card).to_have_count(0)
    await expect(page.get_by_label("Search")).to_be_focused()
    await stays_away(page)
    await page.reload()
    await stays_away(page)
    await api.counted(waits, 0, 0, 1)


async def comments(api: Api, survey: str) -> list[dict[str, Any]]:
    async with api.live(survey=survey) as snapshots:
        found: list[dict[str, Any]] = (await anext(snapshots)).get("comments", [])
        return found


@pytest.mark.parametrize("way", ["cross", "Escape"])
async def test_what_is_closed_stays_away_on_every_device(
    api: Api, waits: str, page: Page, browser: Browser, address: str, way: str
) -> None:
    await page.goto(address)
    cross = dialog(page).get_by_role("button", name="Not now, thanks")
    await (cross.click() if way == "cross" else cross.press("Escape"))
    await expect(dialog(page)).to_have_count(0)
    await stays_away(page)
    await page.reload()
    await stays_away(page)
    other = await browser.new_page()
    await other.goto(address)
    await until(lambda: away(other), message="it waits on no other device")
    await api.counted(waits, 0, 0, 0)


async def away(page: Page) -> bool:
    await page.reload()
    await page.wait_for_function("window.livenps")
    return await page.evaluate("livenps.check()") is False


async def test_what_is_closed_stays_away_where_the_server_was_not_told(
    waits: str, page: Page, address: str
) -> None:
    await page.route("**/decline", lambda route: route.abort())
    await page.goto(address)
    await dialog(page).get_by_role("button", name="Not now, thanks").click()
    await page.reload()
    await stays_away(page)


async def test_an_answer_that_does_not_arrive_can_be_sent_again(
    api: Api, waits: str, page: Page, address: str
) -> None:
    await page.goto(address)
    await page.route("**/v1/pending/*", lambda route: route.abort())
    await dialog(page).get_by_role("radio", name="9").check(force=True)
    await dialog(page).get_by_role("button", name="Send").click()
    await expect(dialog(page).get_by_role("alert")).to_have_text("That did not work. Please try again.")
    await page.unroute("**/v1/pending/*")
    await dialog(page).get_by_role("button", name="Send").click()
    await expect(dialog(page).get_by_role("heading", name="What do you like most?")).to_be_visible()
    await api.counted(waits, 1, 0, 0)


async def test_what_cannot_be_answered_any_more_goes(waits: str, page: Page, address: str) -> None:
    await page.goto(address)
    over: dict[str, Any] = {
        "status": 410,
        "json": {"errors": [{"path": "", "message": "over"}]},
        "headers": {"access-control-allow-origin": "*"},
    }
    await page.route("**/v1/pending/*", lambda route: route.fulfill(**over))
    await dialog(page).get_by_role("radio", name="9").check(force=True)
    await dialog(page).get_by_role("button", name="Send").click()
    await expect(dialog(page)).to_have_count(0)


async def test_a_single_page_app_says_who_is_there_and_when_to_look(
    api: Api, shop: Shop, program: Livenps, waiting: str, customer: str, page: Page
) -> None:
    await page.goto(shop.page(program.url))
    await page.wait_for_function("window.livenps")
    visitor = await page.evaluate("livenps.visitor")
    assert visitor.startswith("visitor-")
    await stays_away(page)
    await bought(api, waiting, visitor)
    assert await page.evaluate("livenps.check()") is True
    await expect(dialog(page)).to_be_visible()
    assert await page.evaluate("livenps.check()") is True
    await expect(dialog(page)).to_have_count(1)

    signature = shop.page(program.url, customer, SITE_SECRET).rpartition("=")[2]
    signed_in = f"livenps.identify('{customer}', '{signature}')"
    assert await page.evaluate(signed_in) is False  # nothing waits for the customer
    await expect(dialog(page)).to_have_count(0)
    assert await page.evaluate("livenps.identify()") is True
    await page.reload()
    assert await page.evaluate("livenps.visitor") == visitor
    await expect(dialog(page)).to_be_visible()
    await dialog(page).get_by_role("radio", name="10").check(force=True)
    await dialog(page).get_by_role("button", name="Send").click()
    await api.counted(waiting, 1, 0, 0)


async def test_who_has_a_wrong_signature_is_shown_nothing(
    waits: str, shop: Shop, program: Livenps, customer: str, page: Page
) -> None:
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if line.type == "warning" else None)
    await page.goto(shop.page(program.url, customer, "another secret"))
    await page.wait_for_function("window.livenps")
    await stays_away(page)
    assert "livenps: expected a signature that shows that it is this customer" in complaints


async def test_a_page_of_another_origin_is_shown_nothing(waits: str, shop: Shop, page: Page, address: str) -> None:
    await page.goto(address.replace("127.0.0.1", "localhost", 1))
    await page.wait_for_function("window.livenps")
    await stays_away(page)


@pytest.fixture(params=[("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE), ("dark", PHONE)], ids=str)
async def screen(request: pytest.FixtureRequest, browser: Browser) -> AsyncIterator[Page]:
    scheme, viewport = request.param
    context = await browser.new_context(color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    yield await context.new_page()
    await context.close()


async def test_everybody_can_use_it_on_every_screen(waits: str, screen: Page, address: str) -> None:
    await screen.goto(address)
    card = dialog(screen)
    await expect(card).to_be_visible()
    await sound(screen)
    await card.get_by_role("radio", name="2").check(force=True)
    for heading in (
        "What went wrong?",
        "How good were these?",
        "What bothered you most?",
        "What should we work on?",
    ):
        await card.get_by_role("button", name="Send").click()
        await expect(card.get_by_role("heading", name=heading)).to_be_visible()
        await sound(screen)
    await card.get_by_role("button", name="Send").click()
    await expect(card.get_by_role("heading", name="Thank you")).to_be_visible()
    await sound(screen)


async def sound(page: Page) -> None:
    """No violation inside the card, nothing too small for a thumb, nothing outside of the screen."""
    assert [one for one in await axe.violations(page) if "livenps-card" in one] == []
    for target in await dialog(page).locator("label.score, label.option, button").all():
        box = await target.bounding_box()
        assert box
        assert box["height"] >= 44, await target.inner_text()
        assert box["width"] >= 44, await target.inner_text()
    box = await dialog(page).bounding_box()
    assert box
    assert page.viewport_size
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= page.viewport_size["width"]
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= page.viewport_size["height"]


async def test_it_is_written_from_right_to_left_where_the_language_is(
    api: Api, shop: Shop, program: Livenps, customer: str, page: Page, address: str
) -> None:
    await bought(api, "waiting-spoken", customer, contact={"name": "Ann", "locale": "ar"})
    await page.goto(address)
    card = dialog(page)
    await expect(card).to_be_visible()
    await expect(card).to_have_css("direction", "rtl")
    await expect(card).to_have_accessible_name("ما مدى احتمال أن توصي بنا لصديق أو زميل؟")
    first, last = [await card.get_by_role("radio", name=name, exact=True).bounding_box() for name in ("0", "5")]
    assert first
    assert last
    assert first["x"] > last["x"]
    await sound(page)


async def test_a_second_score_is_asked_like_the_first(api: Api, customer: str, page: Page, address: str) -> None:
    ease = await api.counts(EASE)
    await bought(api, WAITING_TWO, customer)
    await page.goto(address)
    card = dialog(page)
    await expect(card.get_by_role("radio")).to_have_count(5)
    await card.get_by_role("radio", name="5").check(force=True)
    await card.get_by_role("button", name="Send").click()
    second = card.get_by_role("group", name="How easy was it?")
    await expect(second.get_by_role("radio")).to_have_count(7)
    await expect(second).to_have_accessible_description("1 = Strongly disagree 7 = Strongly agree")
    await sound(page)
    await second.get_by_role("radio", name="7").check(force=True)
    await card.get_by_role("button", name="Send").click()
    await expect(card.get_by_role("heading", name="Thank you")).to_be_focused()
    await api.counted(EASE, ease[0] + 1, *ease[1:])
    await api.counted(WAITING_TWO, 1, 0, 0)


def test_the_script_is_small() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes())) < 10_000


async def test_every_site_may_load_the_script(api: Api) -> None:
    reply = await api.client.get("/livenps.js", headers={"origin": "https://any.example"})
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert reply.headers["cross-origin-resource-policy"] == "cross-origin"
    assert reply.content == SCRIPT.read_bytes()
