"""A survey that whoever has its plain link may answer."""

import asyncio
import json
import re

import pytest
from playwright.async_api import Page, expect

from tests.real import axe, records
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.receiver import Receiver
from tests.web.api import Api
from tests.web.conftest import OPEN

LINK = f"/l/{OPEN}"


async def form(api: Api, link: str = LINK) -> dict[str, str]:
    """What a look at the page gives to send."""
    reply = await api.client.get(link)
    assert reply.status_code == 200
    [visit] = re.findall(r'name="visit" value="([^"]+)"', reply.text)
    return {"visit": visit}


async def test_each_look_takes_one_answer_however_often_it_is_sent(api: Api, kafka: Kafka, prefix: str) -> None:
    good, neutral, bad = await api.counts(OPEN)
    link = f"{LINK}?plan=pro&nonsense=1"
    first, second = await form(api, link), await form(api, link)
    await asyncio.gather(*(api.client.post(link, data=first | {"score": "5"}) for _ in range(3)))
    reply = await api.client.post(link, data=second | {"score": "1"})
    assert reply.url.path.endswith("/comment")
    assert (await api.client.post(reply.url.path, data={"comment": "dark"})).status_code == 200
    await api.counted(OPEN, good + 1, neutral, bad + 1)
    found = [json.loads(one.value) for one in await records.read(kafka.bootstrap, f"{prefix}survey.responses")]
    answers = [one for one in found if one["survey_id"] == OPEN and one.get("attributes")]
    newest = {one["response_id"]: (one["score"], one.get("comment")) for one in answers}
    assert sorted(newest.values(), key=str) == [(1, "dark"), (5, None)]
    assert {(one["channel"], one.get("customer_id"), str(one["attributes"])) for one in answers} == {
        ("link", None, "{'plan': 'pro'}")
    }


async def test_looking_counts_nothing(api: Api) -> None:
    before = await api.counts(OPEN)
    for method in ("GET", "HEAD"):
        assert (await api.client.request(method, f"{LINK}?score=5")).status_code == 200
    await api.client.post(LINK, data=await form(api) | {"score": "5"})
    await api.counted(OPEN, before[0] + 1, *before[1:])


@pytest.mark.parametrize("link", ["/l/post-purchase", "/l/nothing", "/l/<script>"])
async def test_other_surveys_have_no_plain_link(api: Api, link: str) -> None:
    for reply in (await api.client.get(link), await api.client.post(link, data={"score": "5"})):
        assert reply.status_code == 404
        assert "<script" not in reply.text


@pytest.mark.parametrize("data", [{"score": "5"}, {"score": "5", "visit": "forged"}])
async def test_a_form_that_no_look_gave(api: Api, data: dict[str, str]) -> None:
    assert (await api.client.post(LINK, data=data)).status_code == 404


async def test_who_was_invited_to_another_survey_does_not_answer_it_here(
    api: Api, receiver: Receiver, kafka: Kafka, prefix: str, survey: str
) -> None:
    """Their link's token is signed by us too, and their survey has another scale."""
    link = await api.invited(receiver, survey)
    token = link.rpartition("/")[2]
    assert (await api.client.post(LINK, data={"visit": token, "score": "5"})).status_code == 404
    assert (await api.client.post(link, data={"score": "10"})).status_code == 200
    found = [json.loads(one.value) for one in await records.read(kafka.bootstrap, f"{prefix}survey.responses")]
    [sent] = [body["request_id"] for body in receiver.bodies if body["link"].endswith(link)]
    assert [one["score"] for one in found if one["response_id"] == sent] == [10]


async def test_a_score_that_is_none_is_asked_for_again(api: Api) -> None:
    reply = await api.client.post(LINK, data=await form(api) | {"score": "9"})
    assert reply.status_code == 400
    assert 'name="visit"' in reply.text


async def test_by_keyboard(program: Livenps, page: Page) -> None:
    await page.goto(f"{program.url}{LINK}")
    assert await axe.violations(page) == []
    await expect(page.get_by_role("button", name="Not now, thanks")).to_have_count(0)
    await page.get_by_role("radio", name="5").press("Space")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Wonderful!")).to_be_visible()
