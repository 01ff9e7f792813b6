"""The survey page in the customer's language, whichever way that is written."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.real import axe
from tests.real.livenps import Livenps
from tests.real.receiver import Receiver
from tests.web.api import Api, invitations

HTML = re.compile(r'<html lang="([^"]+)" dir="([^"]+)">')


@pytest.fixture
def invite(api: Api, receiver: Receiver, spoken: str) -> Callable[..., Any]:
    """The link to a survey in English, German and Arabic, for a customer whose locale is told."""

    async def invite(locale: str | None = None, **fields: Any) -> str:
        return await api.invited(receiver, spoken, contact={"locale": locale, "name": "<b>Ann</b>"}, **fields)

    return invite


@pytest.mark.parametrize(
    ("locale", "browser", "language", "send"),
    [
        ("de_AT", "ar", "de", "Absenden"),
        ("fr", "de-CH,de;q=0.9,en;q=0.1", "de", "Absenden"),  # French is not spoken here
        (None, "fr,ar;q=0.5", "ar", "إرسال"),
        (None, "fr", "en", "Send"),
        ("en", "de", "en", "Send"),
    ],
)
async def test_the_contacts_language_then_the_browsers_then_the_surveys(
    api: Api, invite: Callable[..., Any], locale: str | None, browser: str, language: str, send: str
) -> None:
    link = await invite(locale)
    api.client.headers["accept-language"] = browser
    direction = "rtl" if language == "ar" else "ltr"
    for reply in (await api.client.get(link), await api.client.post(link, data={"score": "5"})):
        assert HTML.findall(reply.text) == [(language, direction)]
        assert f">{send}</button>" in reply.text
    refused = await api.client.post(link, data={"score": "11"})
    assert HTML.findall(refused.text) == [(language, direction)]


async def test_questions_and_options_are_translated(api: Api, invite: Callable[..., Any]) -> None:
    link = await invite("de")
    page = await api.client.post(link, data={"score": "2"})
    assert "Was ist schiefgegangen?" in page.text
    page = await api.client.post(f"{link}/comment")
    assert "Was war der Grund?" in page.text
    assert "Der Preis" in page.text
    page = await api.client.post(f"{link}/why", data={"why": "price"})
    assert "Oh." in page.text


async def test_the_invitation_speaks_the_contacts_language(invite: Callable[..., Any], receiver: Receiver) -> None:
    await invite("de", customer_id="hans-of-the-tests")
    [body] = invitations(receiver, "hans-of-the-tests")
    assert (body["language"], body["subject"]) == ("de", "Eine Frage, zehn Sekunden")


async def test_who_has_a_broken_link_reads_it_in_the_browsers_language(api: Api) -> None:
    reply = await api.client.get("/s/forged", headers={"accept-language": "fr-CA"})
    assert HTML.findall(reply.text) == [("fr", "ltr")]
    assert "Ce lien ne fonctionne pas" in reply.text


async def test_arabic_is_written_from_right_to_left(
    program: Livenps, invite: Callable[..., Any], page: Page
) -> None:
    await page.set_viewport_size({"width": 375, "height": 700})
    await page.goto(f"{program.url}{await invite('ar')}?score=3")
    first, last = (page.locator("label.score", has_text=re.compile(f"^\\s*{n}\\s*$")) for n in (0, 5))
    left, right = await last.bounding_box(), await first.bounding_box()
    assert left
    assert right
    assert left["x"] < right["x"]
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await axe.violations(page) == []
    await page.get_by_role("button", name="إرسال").click()
    await page.get_by_role("textbox").fill("بطيء")
    await page.get_by_role("button", name="إرسال").click()
    await expect(page.get_by_role("radio")).to_have_count(2)
    assert await axe.violations(page) == []


async def test_a_browser_that_wants_german_gets_it(
    program: Livenps, invite: Callable[..., Any], browser: Browser
) -> None:
    context = await browser.new_context(locale="de-DE")
    page = await context.new_page()
    await page.goto(f"{program.url}{await invite()}")
    await expect(page.get_by_role("button", name="Absenden")).to_be_visible()
    await context.close()


async def test_the_page_is_personal_and_shows_markup_as_text(api: Api, invite: Callable[..., Any]) -> None:
    link = await invite(properties={"product": "{{ brand }} <script>"})
    await api.client.post(link, data={"score": "10"})
    page = await api.client.get(f"{link}/thanks")
    assert "Thank you, &lt;b&gt;Ann&lt;/b&gt;, for the {{ brand }} &lt;script&gt;!" in page.text
