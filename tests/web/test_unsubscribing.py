"""Unsubscribing by the link in a mail: by a button on a page, and by what a mail program posts by itself."""

from uuid import uuid4

import pytest

from tests.real.livenps import Livenps
from tests.real.receiver import Receiver
from tests.real.wait import until
from tests.web.api import Api, invitations


async def decided(api: Api, customer: str, survey: str) -> tuple[str, str]:
    """What is decided on one more event of a customer."""
    event = {"event": f"event of {survey}", "customer_id": customer, "event_id": uuid4().hex}
    assert (await api.post("/v1/touchpoints", event)).status_code == 202

    async def verdict() -> tuple[str, str] | None:
        reply = await api.client.get("/v1/decisions", params={"customer_id": customer})
        newest = reply.json()["decisions"][:1]
        if not newest or newest[0]["event_id"] != event["event_id"]:
            return None
        [found] = [one for one in newest[0]["verdicts"] if one["survey_id"] == survey]
        return found["decision"], found["reason"]

    found: tuple[str, str] = await until(verdict, message="it is decided")
    return found


@pytest.mark.parametrize("body", ["List-Unsubscribe=One-Click", ""])
async def test_who_unsubscribes_is_never_asked_again(api: Api, receiver: Receiver, survey: str, body: str) -> None:
    customer = uuid4().hex
    link = await api.invited(receiver, survey, customer_id=customer)
    for _ in range(2):  # a mail program may try again
        reply = await api.client.post(
            f"{link}/unsubscribe",
            content=body,
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        assert reply.status_code == 200
        assert "You are unsubscribed" in reply.text
    await api.client.get(link)
    await api.came(survey, opened=1, unsubscribed=1)
    assert await decided(api, customer, survey) == ("not_asked", "unsubscribed")
    assert len(invitations(receiver, customer)) == 1


async def test_looking_unsubscribes_nobody(api: Api, receiver: Receiver, survey: str) -> None:
    customer = uuid4().hex
    link = await api.invited(receiver, survey, customer_id=customer)
    page = await api.client.get(f"{link}/unsubscribe")
    assert page.status_code == 200
    assert '<form method="post">' in page.text
    assert ">Unsubscribe</button>" in page.text
    assert "<script" not in page.text
    assert (await api.client.head(f"{link}/unsubscribe")).status_code == 200
    decision, reason = await decided(api, customer, survey)
    assert reason != "unsubscribed"
    assert decision


async def test_the_page_speaks_the_customers_language(api: Api, receiver: Receiver, survey: str) -> None:
    link = await api.invited(receiver, survey)
    headers = {"accept-language": "de"}
    reply = await api.client.get(f"{link}/unsubscribe", headers=headers)
    assert '<html lang="en"' in reply.text  # the one that the survey speaks


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_of_nobody_unsubscribes_nobody(api: Api, program: Livenps, method: str) -> None:
    reply = await api.client.request(method, "/s/forged/unsubscribe")
    assert reply.status_code == 404
    assert "This link does not work" in reply.text
