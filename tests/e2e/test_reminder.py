"""A reminder on real parts: once, by the invitation's own link, and only for who let the invitation lie."""

import re
import time
from email.message import EmailMessage
from typing import Any

import httpx
import pytest

from tests.conftest import Serve
from tests.livenps.run import run
from tests.real.smtp import Mailbox
from tests.real.wait import until

SURVEY = {"id": "post-purchase", "trigger": "Order Delivered", "channel": "mail", "reminder": "4s"}


def link(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    [found] = re.findall(r"http://\S+/s/[^\s/]+(?=\s)", body.get_content())
    return str(found)


def request(link: str) -> str:
    """The request that a link's token carries, in front of its signature."""
    return link.rpartition("/")[2].partition(".")[0]


@pytest.mark.slow
async def test_who_let_an_invitation_lie_is_reminded_once(serve: Serve, smtp: Mailbox) -> None:
    program = serve({"surveys": [SURVEY], "mail": {"url": f"smtp://{smtp.host}:{smtp.port}"}})
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=10) as web:

        async def order(customer: str) -> None:
            contact = {"email": f"{customer}@example.com"}
            body = {"event": "Order Delivered", "customer_id": customer, "contact": contact}
            (await web.post("/v1/touchpoints", json=body)).raise_for_status()

        async def verdicts(customer: str) -> list[tuple[str, str]]:
            reply = (await web.get("/v1/decisions", params={"customer_id": customer})).raise_for_status().json()
            return [(one["verdicts"][0]["decision"], one["verdicts"][0]["reason"]) for one in reply["decisions"]]

        async def mails(customer: str) -> list[EmailMessage]:
            return [mail for mail in smtp.messages if mail["To"] == f"{customer}@example.com"]

        for customer in ("ann", "bob"):
            await order(customer)
            await until(lambda customer=customer: mails(customer), message="the invitation")
        [invitation] = await mails("ann")
        (await web.post(link(invitation), data={"score": "9"}, follow_redirects=True)).raise_for_status()

        async def settled() -> Any:
            return len(await verdicts("ann")) == len(await verdicts("bob")) == 2

        await until(settled, timeout=30, message="both reminders are settled")
        assert await verdicts("ann") == [("not_reminded", "answered"), ("asked", "triggered")]
        assert await verdicts("bob") == [("reminded", "reminder"), ("asked", "triggered")]

        async def delivered() -> bool:
            text = (await web.get("/metrics")).text
            return 'survey_reminders_total{channel="mail",outcome="sent",survey="post-purchase"} 1.0' in text

        await until(delivered, message="the reminder is delivered")
        invitation, reminder = await mails("bob")
        assert reminder["Subject"] == f"Reminder: {invitation['Subject']}"
        assert reminder["Message-ID"] != invitation["Message-ID"]
        assert request(link(reminder)) == request(link(invitation))
        assert len(await mails("ann")) == 1
        metrics = (await web.get("/metrics")).text
        assert 'survey_requests_total{channel="mail",survey="post-purchase"} 2.0' in metrics
        assert 'survey_deliveries_total{channel="mail",outcome="sent",survey="post-purchase"} 2.0' in metrics

        for url in (link(reminder), link(invitation)):
            (await web.post(url, data={"score": "3"}, follow_redirects=True)).raise_for_status()

        async def counted() -> bool:
            reply = await web.get("/v1/scores", params={"survey": "post-purchase"})
            return reply.status_code == 200 and [*reply.json()["groups"].values()] == [1, 0, 1]

        await until(counted, message="two pages of one invitation are one answer")
    explained = run("explain", "--customer", "bob", "--config", str(program.config)).stdout
    assert (
        "post-purchase: reminded by mail: nothing came back by the time of the reminder (reminder) [reminder]"
        in explained
    )
    assert re.search(rf"\[triggered\]; a reminder is due {time.gmtime().tm_year}-", explained)
