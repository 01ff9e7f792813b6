"""A survey that asks for a second score, which counts in a survey of its own."""

import httpx
from playwright.async_api import Page, expect

from tests.real import axe
from tests.real.livenps import Livenps
from tests.real.receiver import Receiver
from tests.web.api import Api
from tests.web.conftest import EASE, TWO_SCORES


async def send(api: Api, path: str, **form: str) -> str:
    """Send a form, and return the last part of the path that it leads to."""
    reply = await api.client.post(path, data=form)
    assert reply.status_code == 200, reply.text
    return reply.url.path.rpartition("/")[2]


async def test_both_scores_count_and_change_together(api: Api, receiver: Receiver) -> None:
    ease = await api.counts(EASE)
    satisfied = await api.counts(TWO_SCORES)
    link = await api.invited(receiver, TWO_SCORES, customer_id="second-1")
    assert await send(api, link, score="5") == "comment"
    assert await send(api, f"{link}/comment") == "easy"
    assert await send(api, f"{link}/easy", easy="2") == "hard"
    await api.counted(TWO_SCORES, satisfied[0] + 1, *satisfied[1:])
    await api.counted(EASE, *ease[:2], ease[2] + 1)
    assert await send(api, f"{link}/easy", easy="7") == "thanks"
    await api.counted(EASE, ease[0] + 1, *ease[1:])
    assert await send(api, f"{link}/easy") == "thanks", "it is changed, and not taken back"
    assert await send(api, link, score="1") == "comment"
    await api.counted(TWO_SCORES, *satisfied[:2], satisfied[2] + 1)
    await api.counted(EASE, ease[0] + 1, *ease[1:])


async def test_a_score_that_the_scale_does_not_have_is_refused(api: Api, receiver: Receiver) -> None:
    link = await api.invited(receiver, TWO_SCORES, customer_id="second-2")
    await send(api, link, score="3")
    reply: httpx.Response = await api.client.post(f"{link}/easy", data={"easy": "0"})
    assert reply.status_code == 400


async def test_it_is_asked_like_the_first(api: Api, receiver: Receiver, program: Livenps, page: Page) -> None:
    link = await api.invited(receiver, TWO_SCORES, customer_id="second-3")
    await send(api, link, score="4")
    await page.goto(f"{program.url}{link}/easy")
    await expect(page.get_by_role("heading", name="How easy was it?")).to_be_visible()
    await expect(page.get_by_text("1 = Strongly disagree")).to_be_visible()
    assert await axe.violations(page) == []
    await page.get_by_role("radio", name="6").press("Space")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
