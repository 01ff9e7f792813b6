"""Mails that came back: what they do to a contact, and what is refused."""

from collections.abc import Callable
from functools import partial
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


@pytest.mark.parametrize("kind", ["hard", "soft", "complaint"])
async def test_a_bounce_that_is_told_again_is_counted_once(
    api: Api, receiver: Receiver, survey: str, kind: str
) -> None:
    """Providers send their webhooks again until they are answered, and some twice."""
    customer, request_id = await asked(api, receiver, survey)
    other = {"customer_id": customer, "email": EMAIL}
    told = [
        {"request_id": request_id},
        {"message_id": f"<{request_id}@livenps.invalid>"},  # the same mail
        {**other, "bounce_id": f"b-{request_id}"},
        {**other, "bounce_id": f"c-{request_id}"},
        {**other, "bounce_id": f"c-{request_id}", "customer_id": f"{customer}-2"},  # another customer's
    ]
    before = await api.metric("livenps_bounces_total", kind=kind)
    assert before is not None
    for _ in range(2):
        reply = await api.post("/v1/bounces", [{"kind": kind, **one} for one in told])
        assert reply.status_code == 202, reply.text
    await until(lambda: counted(api, kind, before + 4))


# What to take from a webhook, as docs/surveys.md has it, and bodies as the providers document them.


def ses(message_id: str, type_: str, **facts: Any) -> dict[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/dg/notification-examples.html"""
    headers = [{"name": "From", "value": "shop@example.com"}, {"name": "Message-ID", "value": message_id}]
    mail = {"messageId": "00000138111222aa-33322211", "destination": [EMAIL], "headers": headers}
    return {"notificationType": type_, **facts, "mail": {**mail, "headersTruncated": False}}


def from_ses(body: dict[str, Any]) -> dict[str, Any]:
    kind = "complaint" if body["notificationType"] == "Complaint" else "soft"
    if body.get("bounce", {}).get("bounceType") == "Permanent":
        kind = "hard"
    [id_] = [one["value"] for one in body["mail"]["headers"] if one["name"] == "Message-ID"]
    return {"kind": kind, "message_id": id_}


def sendgrid(message_id: str, event: str, **facts: str) -> dict[str, Any]:
    """https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event"""
    return {
        "email": EMAIL,
        "timestamp": 1513299569,
        "smtp-id": message_id,
        "event": event,
        "sg_event_id": "e",
        **facts,
    }


def from_sendgrid(body: dict[str, Any]) -> dict[str, Any]:
    hard = body["event"] == "bounce" and body["type"] != "blocked"
    kind = "hard" if hard else "complaint" if body["event"] == "spamreport" else "soft"
    return {"kind": kind, "message_id": body["smtp-id"]}


def mailgun(message_id: str, event: str, **facts: str) -> dict[str, Any]:
    """https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads"""
    headers = {"to": EMAIL, "message-id": message_id.strip("<>"), "from": "shop@example.com"}
    data = {"event": event, "id": "G9Bn5sl1TC6nu79C8C0bwg", "recipient": EMAIL, "message": {"headers": headers}}
    return {"signature": {"token": "t"}, "event-data": {**data, **facts}}


def from_mailgun(body: dict[str, Any]) -> dict[str, Any]:
    data = body["event-data"]
    hard = data["event"] == "failed" and data["severity"] == "permanent"
    kind = "hard" if hard else "complaint" if data["event"] == "complained" else "soft"
    return {"kind": kind, "message_id": data["message"]["headers"]["message-id"]}


HARD = {"bounce": {"bounceType": "Permanent", "bounceSubType": "General"}}
FULL = {"bounce": {"bounceType": "Transient", "bounceSubType": "MailboxFull"}}


@pytest.mark.parametrize(
    ("body", "taken", "kind"),
    [
        (partial(ses, type_="Bounce", **HARD), from_ses, "hard"),
        (partial(ses, type_="Bounce", **FULL), from_ses, "soft"),
        (partial(ses, type_="Complaint", complaint={"complaintFeedbackType": "abuse"}), from_ses, "complaint"),
        (partial(sendgrid, event="bounce", type="bounce", status="5.0.0"), from_sendgrid, "hard"),
        (partial(sendgrid, event="bounce", type="blocked"), from_sendgrid, "soft"),
        (partial(sendgrid, event="spamreport"), from_sendgrid, "complaint"),
        (partial(mailgun, event="failed", severity="permanent", reason="bounce"), from_mailgun, "hard"),
        (partial(mailgun, event="failed", severity="temporary", reason="generic"), from_mailgun, "soft"),
        (partial(mailgun, event="complained"), from_mailgun, "complaint"),
    ],
)
async def test_what_providers_tell(
    api: Api, receiver: Receiver, survey: str, body: Callable[[str], Any], taken: Callable[[Any], Any], kind: str
) -> None:
    customer, request_id = await asked(api, receiver, survey)
    bounce = taken(body(f"<{request_id}@livenps.invalid>"))
    assert bounce["kind"] == kind
    assert (await api.post("/v1/bounces", bounce)).status_code == 202
    reason = "unsubscribed" if kind == "complaint" else "quiet_period_survey"
    assert (await decided(api, customer, survey))[1] == reason
    await api.came(survey, bounced=int(kind == "hard"))


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("HardBounce", "hard"), ("BadEmailAddress", "hard"), ("SpamComplaint", "complaint"), ("SoftBounce", "soft")],
)
async def test_what_postmark_tells(api: Api, survey: str, type_: str, kind: str) -> None:
    """It names no mail of ours, so the customer is looked up by whoever passes it on.

    https://postmarkapp.com/developer/webhooks/bounce-webhook
    """
    body = {"RecordType": "Bounce", "ID": 42, "Type": type_, "MessageID": "883953f4-6105-42a2", "Email": EMAIL}
    kinds = {"HardBounce": "hard", "BadEmailAddress": "hard", "SpamComplaint": "complaint"}
    known = {"customer_id": uuid4().hex, "email": body["Email"], "bounce_id": str(body["ID"])}
    assert kinds.get(type_, "soft") == kind
    reply = await api.post("/v1/bounces", {"kind": kinds.get(type_, "soft"), **known})
    assert reply.json()["ids"] == {"hard": ["bounced:42"], "complaint": ["complaint:42"], "soft": []}[kind]


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
