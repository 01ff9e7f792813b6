"""The survey page behind a personal link: looking never counts, an answer counts once."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from markupsafe import escape
from playwright.async_api import Page, expect
from redis.asyncio import Redis as Client

from tests.conftest import Serve
from tests.real.livenps import Livenps
from tests.real.receiver import Receiver
from tests.real.redis import Redis
from tests.real.wait import until
from tests.web.api import Api
from tests.web.conftest import QUESTION

RADIO = re.compile(r'<input type="radio" name="score" value="(\d+)" required( checked)?>')


@pytest.fixture
async def link(api: Api, receiver: Receiver, survey: str) -> str:
    """The path of an invitation to this test's survey."""
    return await api.invited(receiver, survey, properties={"plan": "pro", "region": "eu"})


async def scored(api: Api, link: str, score: int) -> None:
    """Send a score, which leads on to the open question."""
    reply = await api.client.post(link, data={"score": str(score)})
    assert (reply.status_code, reply.url.path) == (200, f"{link}/comment")


async def comments(api: Api, survey: str) -> list[dict[str, Any]]:
    """Those that the live page shows first; none where it can show nothing yet."""
    async with api.live(survey=survey) as snapshots:
        found: list[dict[str, Any]] = (await anext(snapshots)).get("comments", [])
        return found


async def test_the_page_asks_for_a_score(api: Api, link: str) -> None:
    reply = await api.client.get(link)
    assert reply.status_code == 200
    assert RADIO.findall(reply.text) == [(str(score), "") for score in range(11)]
    assert escape(QUESTION) in reply.text
    assert "<script" not in reply.text
    assert "Ann &amp; &lt;Bob&gt;" in reply.text
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("metric", "scores", "low", "high"),
    [
        ("csat", range(1, 6), "1 = Very dissatisfied", "5 = Very satisfied"),
        ("ces", range(1, 8), "1 = Strongly disagree", "7 = Strongly agree"),
    ],
)
async def test_the_page_has_the_scores_of_the_surveys_scale(
    api: Api, receiver: Receiver, survey_of: Callable[[str], str], metric: str, scores: range, low: str, high: str
) -> None:
    survey = survey_of(metric)
    link = await api.invited(receiver, survey)
    page = await api.client.get(link)
    assert RADIO.findall(page.text) == [(str(score), "") for score in scores]
    assert low in page.text
    assert high in page.text
    for wrong in (scores[0] - 1, scores[-1] + 1):
        assert not any(
            checked for _, checked in RADIO.findall((await api.client.get(f"{link}?score={wrong}")).text)
        )
        refused = await api.client.post(link, data={"score": str(wrong)})
        assert refused.status_code == 400
        assert f"Please choose a number from {scores[0]} to {scores[-1]}." in refused.text
    await scored(api, link, scores[-1])
    await api.counted(survey, 1, 0, 0)


async def test_a_score_in_the_link_is_chosen_and_not_sent(api: Api, link: str) -> None:
    reply = await api.client.get(link, params={"score": "9"})
    assert [score for score, checked in RADIO.findall(reply.text) if checked] == ["9"]
    assert "You picked 9. It counts once you press Send." in reply.text


@pytest.mark.parametrize("score", ["11", "-1", "x", "", "9.0", "<script>"])
async def test_no_other_score_can_be_chosen(api: Api, link: str, score: str) -> None:
    page = await api.client.get(link, params={"score": score})
    assert page.status_code == 200
    assert not any(checked for _, checked in RADIO.findall(page.text))
    refused = await api.client.post(link, data={"score": score})
    assert refused.status_code == 400
    assert "Please choose a number from 0 to 10." in refused.text
    assert "<script" not in refused.text
    assert (await api.client.get(link)).status_code == 200  # the link is still good


async def test_looking_counts_nothing_and_sending_counts(api: Api, survey: str, link: str) -> None:
    for path in (link, f"{link}?score=9"):
        assert (await api.client.get(path)).status_code == 200
        head = await api.client.head(path)
        assert (head.status_code, head.content) == (200, b"")
    await scored(api, link, 3)
    await api.counted(survey, 0, 0, 1)
    # What the looks had counted would be older versions of this same answer.
    assert await api.metric("nps_responses_total", survey=survey, group="detractor") == 1
    assert await api.metric("nps_responses_total", survey=survey, group="promoter") == 0
    answered = {"name": "survey_answered_total", "survey": survey}
    await until(lambda: api.metric(**answered), message="the customer is known to have answered")


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"purpose": "prefetch"}),
        ("GET", {"sec-purpose": "prefetch"}),
        ("GET", {"sec-purpose": "prefetch;prerender"}),
    ],
)
async def test_an_invitation_is_opened_once_and_not_by_what_looks_ahead(
    api: Api, survey: str, link: str, method: str, headers: dict[str, str]
) -> None:
    await api.came(survey)
    assert (await api.client.request(method, link, headers=headers)).status_code == 200
    await api.client.post(f"{link}/decline")  # by what is counted later it is seen that nothing was before
    await api.came(survey, declined=1)
    for path in (link, f"{link}?score=9", link):
        assert (await api.client.get(path)).status_code == 200
    await api.client.post(f"{link}/unsubscribe")
    await api.came(survey, opened=1, declined=1, unsubscribed=1)


async def test_the_answer_carries_the_segments_of_the_touchpoint(api: Api, survey: str, link: str) -> None:
    await scored(api, link, 9)
    await api.counted(survey, 1, 0, 0)
    segments = (await api.scores(survey))["segments"]
    assert {name: list(values) for name, values in segments.items()} == {
        "plan": ["pro"],
        "region": ["eu"],
        "age": [],
        "plan x region": ["pro|eu"],
    }


@pytest.mark.parametrize(
    ("score", "question"),
    [
        (10, "Wonderful! What do you like most?"),
        (8, "Thank you. What would make it a 10?"),
        (0, "We are sorry to hear that. What went wrong?"),
    ],
)
async def test_the_open_question_is_worded_for_the_group(api: Api, link: str, score: int, question: str) -> None:
    reply = await api.client.post(link, data={"score": str(score)})
    assert escape(question) in reply.text


@pytest.mark.parametrize(
    ("metric", "score", "question", "group"),
    [
        ("csat", 5, "What did you like most?", "satisfied"),
        ("csat", 3, "What would have made it better?", "neutral"),
        ("csat", 1, "What went wrong?", "dissatisfied"),
        ("ces", 7, "What helped you most?", "easy"),
        ("ces", 4, "What would have made it easier?", "neutral"),
        ("ces", 2, "What made it hard?", "difficult"),
    ],
)
async def test_the_open_question_and_the_comment_have_the_group_of_the_scale(
    api: Api,
    receiver: Receiver,
    survey_of: Callable[[str], str],
    metric: str,
    score: int,
    question: str,
    group: str,
) -> None:
    survey = survey_of(metric)
    link = await api.invited(receiver, survey)
    reply = await api.client.post(link, data={"score": str(score)})
    assert question in reply.text
    await api.client.post(f"{link}/comment", data={"comment": "words"})
    (comment,) = await until(lambda: comments(api, survey), message="the comment is shown")
    assert (comment["score"], comment["group"]) == (score, group)


async def test_the_choice_is_made_by_keyboard(
    program: Livenps, api: Api, receiver: Receiver, survey_of: Callable[[str], str], page: Page
) -> None:
    """The same for every scale: the radio buttons are the browser's own."""
    link = await api.invited(receiver, survey_of("ces"))
    await page.goto(f"{program.url}{link}")
    choice = page.get_by_role("group", name=QUESTION)
    await expect(choice).to_have_accessible_description("1 = Strongly disagree 7 = Strongly agree")
    await expect(choice.get_by_role("radio")).to_have_count(7)
    await page.keyboard.press("Tab")
    await expect(choice.get_by_role("radio", name="1", exact=True)).to_be_focused()
    for _ in range(5):
        await page.keyboard.press("ArrowRight")
    await expect(choice.get_by_role("radio", name="6", exact=True)).to_be_checked()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="What helped you most?")).to_be_visible()


async def test_a_comment_is_kept_and_shown(api: Api, survey: str, link: str) -> None:
    await scored(api, link, 9)
    words = "<img src=x onerror=alert(1)> “fine” & good"
    reply = await api.client.post(f"{link}/comment", data={"comment": words})
    assert reply.status_code == 200
    assert "Thank you! Your answer helps us to get better." in reply.text
    (comment,) = await until(lambda: comments(api, survey), message="the comment is shown")
    assert (comment["comment"], comment["score"], comment["group"]) == (words, 9, "promoter")
    assert comment["segments"] == {"plan": "pro", "region": "eu"}
    await api.counted(survey, 1, 0, 0)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("x\r\n" * 999 + "xy", "x\n" * 999 + "xy"),  # 2,000 characters as the browser counts them
        ("x" * 1_999 + "yz", "x" * 1_999 + "y"),
        (" \r\n hello \r\n", "hello"),
    ],
)
async def test_a_comment_has_2000_characters(api: Api, survey: str, link: str, sent: str, kept: str) -> None:
    await scored(api, link, 9)
    await api.client.post(f"{link}/comment", data={"comment": sent})
    (comment,) = await until(lambda: comments(api, survey), message="the comment is shown")
    assert comment["comment"] == kept


async def test_no_comment_is_fine(api: Api, survey: str, link: str) -> None:
    await scored(api, link, 9)
    reply = await api.client.post(f"{link}/comment", data={"comment": " "})
    assert "Thank you" in reply.text
    await api.counted(survey, 1, 0, 0)
    assert await comments(api, survey) == []


async def test_going_back_changes_the_answer_and_counts_once(api: Api, survey: str, link: str) -> None:
    await scored(api, link, 9)
    await api.client.post(f"{link}/comment", data={"comment": "fine"})
    again = await api.client.get(link)
    assert [score for score, checked in RADIO.findall(again.text) if checked] == ["9"]
    for _ in range(2):  # a double click
        await scored(api, link, 3)
    page = await api.client.get(f"{link}/comment")
    assert "What went wrong?" in page.text
    assert ">fine</textarea>" in page.text
    await api.counted(survey, 0, 0, 1)

    async def shown() -> bool:
        return [(one["score"], one["comment"]) for one in await comments(api, survey)] == [(3, "fine")]

    await until(shown, message="the comment is shown with the newer score")


async def test_no_thanks_takes_back_what_was_said_before(api: Api, survey: str, link: str) -> None:
    await scored(api, link, 9)
    await api.client.post(f"{link}/comment", data={"comment": "oops"})
    await until(lambda: comments(api, survey), message="the comment is shown")
    await api.client.post(f"{link}/comment")

    async def gone() -> bool:
        return await comments(api, survey) == []

    await until(gone, message="the comment is gone")
    await api.counted(survey, 1, 0, 0)


@pytest.mark.parametrize("path", ["/s/forged", "/s/a.b.c", "/s/%00", "/s/%F0%9F%92%A9", "/s/" + "x" * 2_000])
async def test_a_forged_link(api: Api, path: str) -> None:
    replies = [
        await api.client.get(path),
        await api.client.head(path),
        await api.client.post(path, data={"score": "9"}),
        await api.client.post(f"{path}/comment", data={"comment": "x"}),
    ]
    assert [reply.status_code for reply in replies] == [404] * 4
    assert "This link does not work" in replies[0].text


async def test_a_link_with_one_changed_character(api: Api, link: str) -> None:
    last = "A" if link[-2] != "A" else "B"
    reply = await api.client.post(f"{link[:-2]}{last}{link[-1]}", data={"score": "9"})
    assert reply.status_code == 404


@pytest.mark.parametrize("step", ["comment", "thanks", "nothing-of-this-name"])
async def test_without_a_score_every_page_leads_to_the_score(api: Api, survey: str, link: str, step: str) -> None:
    assert (await api.client.get(f"{link}/{step}")).url.path == link
    if step != "thanks":
        reply = await api.client.post(f"{link}/{step}", data={"comment": "no score"})
        assert reply.url.path == link
    await scored(api, link, 9)
    await api.counted(survey, 1, 0, 0)
    assert await comments(api, survey) == []


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\xff", "application/x-www-form-urlencoded"),
        (b'{"score": 9}', "application/json"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"score=9", "text/plain"),
    ],
)
async def test_a_form_that_is_none(api: Api, link: str, content: bytes, kind: str) -> None:
    reply = await api.client.post(link, content=content, headers={"content-type": kind})
    assert reply.status_code == 400
    assert (await api.client.get(link)).status_code == 200


@asynccontextmanager
async def own(serve: Serve, **http: str) -> AsyncIterator[tuple[Api, str]]:
    """A program with links of its own, and one of them."""
    program = serve({"http": http})
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, follow_redirects=True) as client:
        api = Api(client)
        await api.post("/v1/touchpoints", {"event": "Order Delivered", "customer_id": "ann"})
        sent = await until(
            lambda: [line["link"] for line in program.lines() if line["event"] == "survey"],
            message="the log has the link",
        )
        yield api, httpx.URL(sent[0]).path


async def gone(api: Api, link: str) -> None:
    async def refused() -> bool:
        return (await api.client.get(link)).status_code == 410

    await until(refused, message="the link can no longer be used")


async def test_an_expired_link(serve: Serve) -> None:
    async with own(serve, link_valid="1s") as (api, link):
        await gone(api, link)
        reply = await api.client.post(link, data={"score": "9"})
        assert reply.status_code == 410
        assert "The link has expired." in reply.text
        await api.answer("post-purchase", 0)
        await api.counted("post-purchase", 0, 0, 1)


async def test_a_page_is_shown_also_where_it_cannot_be_counted(serve: Serve, redis_url: str) -> None:
    """A Redis that is full still reads."""
    async with own(serve) as (api, link), Client.from_url(redis_url) as redis:
        await redis.config_set("maxmemory", 1)
        try:
            assert (await api.client.get(link)).status_code == 200
        finally:
            await redis.config_set("maxmemory", 0)
        assert (await api.client.get(link)).status_code == 200
        await api.came("post-purchase", "log", opened=1)


async def test_a_used_link_says_so(serve: Serve) -> None:
    async with own(serve, change_for="1s") as (api, link):
        assert (await api.client.post(link, data={"score": "9"})).status_code == 200
        await gone(api, link)
        for reply in (
            await api.client.post(link, data={"score": "0"}),
            await api.client.get(link),
            await api.client.get(f"{link}/comment"),
            await api.client.post(f"{link}/comment", data={"comment": "later"}),
        ):
            assert reply.status_code == 410
            assert "You have already answered" in reply.text
        await api.answer("post-purchase", 7)
        await api.counted("post-purchase", 1, 1, 0)


async def test_a_redis_that_is_lost_in_between_asks_for_the_score_again_and_counts_once(
    serve: Serve, redis_server: Redis
) -> None:
    async with own(serve) as (api, link):
        await scored(api, link, 3)
        await api.counted("post-purchase", 0, 0, 1)
        redis_server.flush()

        async def restored() -> bool:
            return (await api.client.get(link)).status_code == 200

        await until(restored, timeout=30, message="the link is known again")
        lost = await api.client.post(f"{link}/comment", data={"comment": "slow"})
        assert lost.url.path == link
        await scored(api, link, 4)
        await api.client.post(f"{link}/comment", data={"comment": "slow"})
        (comment,) = await until(
            lambda: comments(api, "post-purchase"), timeout=30, message="the comment is shown"
        )
        assert (comment["score"], comment["comment"]) == (4, "slow")

        async def counted() -> bool:
            reply = await api.client.get("/v1/scores", params={"survey": "post-purchase"})
            return reply.status_code == 200 and [*reply.json()["groups"].values()] == [0, 0, 1]

        await until(counted, timeout=30, message="the answer counts once")
