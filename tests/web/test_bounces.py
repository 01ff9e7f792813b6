"""Mails that came back: what they do to a contact, and what is refused."""

from typing import Any
from uuid import uuid4

import pytest

from tests.real.receiver import Receiver
from tests.real.wait import until
from tests.web.api import Api, invitations
from tests.web.test_unsubscribing import decided

EMAIL = "ann@example.com"


async def asked(api: Api, receiver: Receiver, survey: str) -> tuple[str, str]:
    """A customer with an address who was asked, and the request."""
    customer = uuid4().hex
    await api.invited(receiver, survey, customer_id=customer, contact={"email": EMAIL})
    [body] = invitations(receiver, customer)
    return customer, body["request_id"]


async def errors(api: Api, body: Any) -> list[dict[str, Any]]:
    reply = await api.post("/v1/bounces", body)
    assert reply.status_code == 400, reply.text
    found: list[dict[str, Any]] = reply.json()["errors"]
    return found


@pytest.mark.parametrize("by", ["request_id", "message_id", "customer_id"])
async def test_who_complains_is_never_asked_again(api: Api, receiver: Receiver, survey: str, by: str) -> None:
    customer, request_id = await asked(api, receiver, survey)
    which = {
        "request_id": {"request_id": request_id},
        "message_id": {"message_id": f"<{request_id}@livenps.invalid>"},
        "customer_id": {"customer_id": customer, "email": EMAIL},
    }[by]
    for _ in range(2):  # a webhook may come again
        reply = await api.post("/v1/bounces", {"kind": "complaint", **which})
        assert reply.status_code == 202
        assert len(reply.json()["ids"]) == 1
    assert await decided(api, customer, survey) == ("not_asked", "unsubscribed")


@pytest.mark.parametrize("kind", ["hard", "soft"])
async def test_bounces_are_counted_and_no_complaint(api: Api, receiver: Receiver, survey: str, kind: str) -> None:
    customer, request_id = await asked(api, receiver, survey)
    before = await api.metric("livenps_bounces_total", kind=kind)
    assert before is not None
    reply = await api.post("/v1/bounces", [{"kind": kind, "request_id": request_id, "detail": "550"}])
    assert reply.json()["ids"] == ([f"bounced:{request_id}"] if kind == "hard" else [])
    await until(lambda: counted(api, kind, before + 1))
    assert (await decided(api, customer, survey))[1] != "unsubscribed"


@pytest.mark.parametrize(("kind", "n"), [("hard", 1), ("soft", 0), ("complaint", 0)])
async def test_an_invitation_that_came_back_is_counted_once(
    api: Api, receiver: Receiver, survey: str, kind: str, n: int
) -> None:
    customer, request_id = await asked(api, receiver, survey)
    [body] = invitations(receiver, customer)
    by_address = {"customer_id": customer, "email": EMAIL}  # which does not say of which survey
    which = [{"request_id": request_id}, {"message_id": f"<{request_id}@livenps.invalid>"}, by_address]
    for _ in range(2):  # a webhook may come again
        assert (await api.post("/v1/bounces", [{"kind": kind, **one} for one in which])).status_code == 202
    await api.client.get(body["link"])
    await api.came(survey, opened=1, bounced=n)


async def counted(api: Api, kind: str, n: float) -> bool:
    return await api.metric("livenps_bounces_total", kind=kind) == n


@pytest.mark.parametrize(
    ("bounce", "path", "message"),
    [
        ({}, "$.kind", "missing required field"),
        ({"kind": "harsh", "request_id": "r"}, "$.kind", "Invalid enum value"),
        ({"kind": "hard"}, "$", "Expected request_id, message_id, or customer_id and email"),
        ({"kind": "hard", "customer_id": "c1"}, "$", "Expected request_id, message_id, or customer_id and email"),
        (
            {"kind": "hard", "message_id": "<x@example.com>"},
            "$.message_id",
            "Expected the Message-ID of a mail of ours",
        ),
        ({"kind": "hard", "message_id": "@livenps.invalid"}, "$.message_id", "Expected the Message-ID"),
        ({"kind": "hard", "message_id": "gone@livenps.invalid"}, "$.message_id", "got one that is not known"),
        ({"kind": "soft", "request_id": "gone"}, "$.request_id", "got one that is not known"),
        ({"kind": "hard", "request_id": 7}, "$.request_id", "Expected `str | null`"),
    ],
)
async def test_what_cannot_be_used_says_why(api: Api, bounce: dict[str, Any], path: str, message: str) -> None:
    good = {"kind": "soft", "customer_id": "c1", "email": EMAIL}
    [error] = await errors(api, [good, bounce])
    assert (error["index"], error["path"]) == (1, path)
    assert message in error["message"]


async def test_who_was_asked_without_an_address_has_none_that_comes_back(
    api: Api, receiver: Receiver, survey: str
) -> None:
    customer = uuid4().hex
    await api.invited(receiver, survey, customer_id=customer)
    [body] = invitations(receiver, customer)
    [error] = await errors(api, {"kind": "hard", "request_id": body["request_id"]})
    assert (error["index"], error["path"]) == (0, "$.request_id")
    assert "without" in error["message"]
