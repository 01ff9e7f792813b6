"""Further questions on the survey page: one after the other, each answer written as it is given."""

import asyncio
import json
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.real import axe, records
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.receiver import Receiver
from tests.real.wait import until
from tests.web.api import Api
from tests.web.conftest import Versions


@pytest.fixture
async def link(api: Api, receiver: Receiver, asking: str) -> str:
    return await api.invited(receiver, asking)


async def step(api: Api, path: str, data: Any = None) -> str:
    """Send a form, and return the last part of the path that it leads to."""
    reply = await api.client.post(path, data=data)
    assert reply.status_code == 200, reply.text
    return reply.url.path.rpartition("/")[2]


async def test_every_answer_is_written_at_once_and_each_version_is_complete(
    api: Api, asking: str, link: str, versions: Versions
) -> None:
    assert await step(api, link, {"score": "3"}) == "comment"
    assert await step(api, f"{link}/comment", {"comment": "slow"}) == "drivers"
    assert await step(api, f"{link}/drivers", {"drivers.price": "4", "drivers.speed": "1"}) == "reason"
    assert await step(api, f"{link}/reason", {"reason": "price"}) == "fair"
    assert await step(api, f"{link}/fair", {"fair": "9.99"}) == "next"
    assert await step(api, f"{link}/next", {"next": ["speed", "price"]}) == "thanks"
    drivers = {"drivers.price": 4, "drivers.speed": 1}
    found = await versions(asking)
    assert [one.get("answers", {}) for one in found] == [
        {},
        {},
        drivers,
        drivers | {"reason": "price"},
        drivers | {"reason": "price", "fair": "9.99"},
        drivers | {"reason": "price", "fair": "9.99", "next": ["price", "speed"]},
    ]
    assert [one.get("comment", "") for one in found] == ["", *["slow"] * 5]
    assert {(one["response_id"], one["score"], one["answered_at"]) for one in found} == {
        (found[0]["response_id"], 3, found[0]["answered_at"])
    }
    await api.counted(asking, 0, 0, 1)


async def test_who_is_happy_is_not_asked_what_bothered_them(api: Api, link: str) -> None:
    assert await step(api, link, {"score": "10"}) == "comment"
    assert await step(api, f"{link}/comment") == "drivers"
    assert await step(api, f"{link}/drivers") == "next"
    assert (await api.client.get(f"{link}/reason")).url.path == link
    assert await step(api, f"{link}/next") == "thanks"


async def test_who_goes_back_and_changes_the_score_leaves_no_answer_behind_that_nobody_asked_for(
    api: Api, asking: str, link: str, versions: Versions
) -> None:
    await step(api, link, {"score": "3"})
    await step(api, f"{link}/reason", {"reason": "price"})
    await step(api, f"{link}/fair", {"fair": "1"})
    await step(api, f"{link}/next", {"next": "other"})
    await step(api, link, {"score": "9"})
    *_, last = await versions(asking)
    assert (last["score"], last["answers"]) == (9, {"next": ["other"]})
    assert await step(api, f"{link}/reason", {"reason": "speed"}) == link.rpartition("/")[2]
    await step(api, link, {"score": "2"})
    *_, last = await versions(asking)
    assert last["answers"] == {"reason": "price", "fair": "1", "next": ["other"]}
    await api.counted(asking, 0, 0, 1)


async def test_a_double_click_counts_once(api: Api, asking: str, link: str) -> None:
    forms = [api.client.post(link, data={"score": "9"}) for _ in range(4)]
    assert {reply.status_code for reply in await asyncio.gather(*forms)} == {200}
    await step(api, f"{link}/next", {"next": "other"})
    await api.counted(asking, 1, 0, 0)
    assert await api.metric("nps_responses_total", survey=asking, group="promoter") == 1


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("drivers", {"drivers.price": "6"}),
        ("drivers", {"drivers.speed": "<script>"}),
        ("reason", {"reason": "bribe"}),
        ("reason", {"reason": ["price", "speed"]}),
        ("next", {"next": ["price", ""]}),
    ],
)
async def test_what_was_not_offered_is_refused_and_not_written(
    api: Api, asking: str, link: str, versions: Versions, path: str, form: dict[str, Any]
) -> None:
    await step(api, link, {"score": "3"})
    reply = await api.client.post(f"{link}/{path}", data=form)
    assert reply.status_code == 400
    assert "Please choose from the answers shown." in reply.text
    assert "<script" not in reply.text
    assert len(await versions(asking)) == 1
    assert (await api.client.get(f"{link}/{path}")).status_code == 200


async def test_a_file_in_place_of_words_says_nothing(api: Api, asking: str, link: str, versions: Versions) -> None:
    await step(api, link, {"score": "3"})
    reply = await api.client.post(f"{link}/comment", files={"comment": ("words.txt", b"slow")})
    assert reply.status_code == 200
    assert [one.get("comment", "") for one in await versions(asking)] == ["", ""]
    reply = await api.client.post(link, files={"score": ("score.txt", b"9")})
    assert reply.status_code == 400


async def test_looking_at_a_question_writes_nothing(api: Api, asking: str, link: str, versions: Versions) -> None:
    await step(api, link, {"score": "3"})
    for path in ("", "/comment", "/drivers", "/reason?reason=price", "/next", "/thanks"):
        assert (await api.client.get(f"{link}{path}")).status_code == 200
        head = await api.client.head(f"{link}{path}")
        assert (head.status_code, head.content) == (200, b"")
    assert len(await versions(asking)) == 1


async def test_by_keyboard_from_the_score_to_the_thanks(
    program: Livenps, asking: str, link: str, page: Page, versions: Versions
) -> None:
    await page.goto(f"{program.url}{link}?score=2")
    assert await axe.violations(page) == []
    await page.get_by_role("radio", name="2").press("Enter")
    await expect(page.get_by_role("textbox", name="What went wrong?")).to_be_visible()
    assert await axe.violations(page) == []
    await page.get_by_role("button", name="No thanks").press("Enter")

    price = page.get_by_role("group", name="The <i>price</i>")
    await expect(price).to_have_accessible_description("1 = Poor 5 = Excellent")
    assert await axe.violations(page) == []
    await price.get_by_role("radio", name="1").focus()
    for _ in range(3):
        await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")

    reasons = page.get_by_role("group", name="What bothered you most?")
    await expect(reasons.get_by_role("radio")).to_have_count(3)
    assert await axe.violations(page) == []
    await reasons.get_by_role("radio", name="The speed").press("Space")
    await page.keyboard.press("Enter")

    works = page.get_by_role("group", name="What should we work on?")
    await expect(works).to_have_accessible_description("Choose all that apply.")
    assert await axe.violations(page) == []
    for name in ("The speed", "Something else"):
        await works.get_by_role("checkbox", name=name).press("Space")
    await page.go_back()
    await expect(reasons.get_by_role("radio", name="The speed")).to_be_checked()
    await page.go_forward()
    for name in ("The speed", "Something else"):
        await works.get_by_role("checkbox", name=name).set_checked(True)
    await page.get_by_role("button", name="Send").press("Enter")
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert await axe.violations(page) == []
    *_, last = await until(lambda: versions(asking), message="the answers are on the topic")
    assert last["answers"] == {"drivers.price": 4, "reason": "speed", "next": ["speed", "other"]}


@pytest.mark.parametrize("width", [320, 1280])
async def test_whatever_is_pressed_is_large_enough_for_a_thumb(
    program: Livenps, link: str, page: Page, width: int
) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    await page.goto(f"{program.url}{link}")
    for path in ("", "/drivers", "/reason", "/next"):
        if path:
            await page.goto(f"{program.url}{link}{path}")
        targets = page.locator("label.score, label.option, button")
        for target in await targets.all():
            box = await target.bounding_box()
            assert box
            assert box["height"] >= 44, await target.inner_text()
            assert box["width"] >= (24 if width < 360 else 44), await target.inner_text()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if not path:
            await page.get_by_role("radio", name="2").check()
            await page.get_by_role("button", name="Send").click()


async def test_the_last_page_is_worded_for_the_group(api: Api, receiver: Receiver, spoken: str) -> None:
    link = await api.invited(receiver, spoken, contact={"name": "Ann"})
    await step(api, link, {"score": "0"})
    page = await api.client.get(f"{link}/thanks")
    assert "We will do better." in page.text


@pytest.fixture
def declined(kafka: Kafka, prefix: str) -> Versions:
    async def read(survey: str) -> list[dict[str, Any]]:
        found = await records.read(kafka.bootstrap, f"{prefix}touchpoints")
        events = [json.loads(record.value) for record in found if record.value]
        return [one for one in events if one["type"] == "declined" and one["survey_id"] == survey]

    return read


async def test_not_now_is_told_once_and_answering_stays_possible(
    program: Livenps, api: Api, receiver: Receiver, asking: str, page: Page, declined: Versions
) -> None:
    link = await api.invited(receiver, asking, customer_id="who-declines")
    for method in (api.client.get, api.client.head):
        assert (await method(f"{link}/decline")).status_code == 200
    assert await declined(asking) == []
    await page.goto(f"{program.url}{link}")
    await page.get_by_role("button", name="Not now, thanks").click()
    await expect(page.get_by_role("heading", name="All right")).to_be_visible()
    assert await axe.violations(page) == []
    await page.goto(f"{program.url}{link}/decline")
    assert await axe.violations(page) == []
    await page.get_by_role("button", name="Not now, thanks").click()
    await expect(page.get_by_role("heading", name="All right")).to_be_visible()
    await api.client.post(f"{link}/unsubscribe")
    await api.came(asking, opened=1, declined=1, unsubscribed=1)
    first, second = await declined(asking)
    assert first["customer_id"] == "who-declines"
    assert first["event_id"] == second["event_id"]  # of which the customer lane takes one
    await step(api, link, {"score": "9"})
    await api.counted(asking, 1, 0, 0)


async def test_who_has_answered_declines_nothing(api: Api, asking: str, link: str, declined: Versions) -> None:
    await step(api, link, {"score": "9"})
    page = await api.client.get(link)
    assert "Not now, thanks" not in page.text
    for method in (api.client.get, api.client.post):
        assert (await method(f"{link}/decline")).url.path == link
    assert await declined(asking) == []
