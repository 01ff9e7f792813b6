"""Channels of the running program: who one does not reach is asked by the next, and none waits for another."""

import json
import socket
import time
from typing import Any

import httpx

from tests.conftest import Serve
from tests.real.receiver import Receiver
from tests.real.smtp import Mailbox
from tests.real.wait import until


async def test_a_mail_that_is_refused_becomes_a_text_message(serve: Serve, smtp: Mailbox) -> None:
    smtp.reply = "550 no such user"
    gateway = Receiver()
    with gateway.running():
        program = serve(
            {
                "mail": {"url": f"smtp://{smtp.host}:{smtp.port}"},
                "sms": {"url": gateway.url, "headers": {"authorization": "Bearer {secret}"}},
                "surveys": [{"id": "visit", "trigger": "Checked Out", "channel": ["mail", "sms"]}],
            },
            environment={"LIVENPS_SMS_SECRET": "geheim"},
        )
        both = {"email": "ann@example.com", "phone": "+49 170 1234567", "consent": {"sms": True}}
        contacts: dict[str, dict[str, Any]] = {
            "ann": both,
            "bob": {**both, "consent": {}},
            "eve": {"phone": "+49"},
        }
        events = [
            {"event": "Checked Out", "customer_id": name, "contact": contact, "event_id": f"e-{name}"}
            for name, contact in contacts.items()
        ]
        async with httpx.AsyncClient(base_url=program.url, trust_env=False) as web:
            assert (await web.post("/v1/touchpoints", json=events)).status_code == 202
            await until(lambda: gateway.bodies, timeout=20, message="the text message")

            async def counted() -> bool:
                text = (await web.get("/metrics")).text
                wanted = {"mail": ("failed", 2.0), "sms": ("sent", 1.0)}
                return all(
                    f'survey_deliveries_total{{channel="{channel}",outcome="{outcome}",survey="visit"}} {n}'
                    in text
                    for channel, (outcome, n) in wanted.items()
                )

            await until(counted, message="what became of each")
            [body] = gateway.bodies
            assert body["to"] == "+491701234567"
            assert gateway.keys == ["Bearer geheim"]
            link = body["text"].rpartition(" ")[2]
            assert "How likely" in (await web.get(link)).text
            for customer, what in (("ann", ("triggered", ["mail", "sms"])), ("eve", ("no_address", []))):
                reply = (await web.get("/v1/decisions", params={"customer_id": customer})).json()
                [verdict] = reply["decisions"][0]["verdicts"]
                assert (verdict["reason"], verdict["channels"]) == what
    assert "geheim" not in program.log.read_text()


async def test_a_gateway_that_is_away_holds_up_no_other_channel(serve: Serve, smtp: Mailbox) -> None:
    smtp.stop()
    receiver = Receiver()
    hook = {"channel": "webhook", "webhook_url": receiver.url}
    with receiver.running():
        program = serve(
            {
                "mail": {"url": f"smtp://{smtp.host}:{smtp.port}"},
                "surveys": [
                    {"id": "by-mail", "trigger": "Shipped", "channel": "mail"},
                    {"id": "by-hook", "trigger": "Paid", **hook},
                ],
            }
        )
        contact = {"email": "ann@example.com"}
        mails = [{"event": "Shipped", "customer_id": f"m{n}", "contact": contact} for n in range(1_000)]
        hooks = [{"event": "Paid", "customer_id": f"h{n}"} for n in range(100)]
        async with httpx.AsyncClient(base_url=program.url, trust_env=False) as web:
            for events in (mails, hooks):
                assert (await web.post("/v1/touchpoints", content=json.dumps(events))).status_code == 202
            began = time.monotonic()
            await until(lambda: len(receiver.bodies) == len(hooks), timeout=30, message="all webhooks")
            print(f"\n100 webhooks behind 1,000 mails: {time.monotonic() - began:.1f} s")

            async def waiting() -> float:
                lines = (await web.get("/metrics")).text.splitlines()
                found = [one for one in lines if one.startswith('livenps_delivery_lag_records{channel="mail"')]
                return sum(float(line.rpartition(" ")[2]) for line in found) > 500

            await until(waiting, message="the mails wait")


async def test_a_webhook_that_says_nothing_holds_up_no_other_webhook(serve: Serve) -> None:
    receiver = Receiver()
    with socket.create_server(("127.0.0.1", 0)) as silent, receiver.running():
        away = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        program = serve(
            {
                "surveys": [
                    {"id": "away", "trigger": "Shipped", "channel": "webhook", "webhook_url": away},
                    {"id": "there", "trigger": "Paid", "channel": "webhook", "webhook_url": receiver.url},
                ]
            }
        )
        events = [{"event": "Shipped", "customer_id": f"a{n}"} for n in range(300)]
        events += [{"event": "Paid", "customer_id": f"b{n}"} for n in range(50)]
        async with httpx.AsyncClient(base_url=program.url, trust_env=False) as web:
            assert (await web.post("/v1/touchpoints", json=events)).status_code == 202
            await until(lambda: len(receiver.bodies) == 50, timeout=30, message="all of the other")


async def test_an_address_that_came_back_is_not_written_to_again(serve: Serve, smtp: Mailbox) -> None:
    """The Message-ID of the mail tells whose it was."""
    program = serve(
        {
            "mail": {"url": f"smtp://{smtp.host}:{smtp.port}"},
            "asking": {"quiet_period": "0s"},
            "surveys": [{"id": "visit", "trigger": "Checked Out", "channel": "mail", "quiet_period": "0s"}],
        }
    )
    async with httpx.AsyncClient(base_url=program.url, trust_env=False) as web:

        async def happen(event_id: str, email: str) -> None:
            event = {
                "event": "Checked Out",
                "customer_id": "ann",
                "event_id": event_id,
                "contact": {"email": email},
            }
            assert (await web.post("/v1/touchpoints", json=event)).status_code == 202

        await happen("e1", "ann@example.com")
        await until(lambda: smtp.messages, timeout=20, message="the mail")
        bounce = {"kind": "hard", "message_id": smtp.messages[0]["Message-ID"]}
        assert (await web.post("/v1/bounces", json=bounce)).status_code == 202
        await happen("e2", "ann@example.com")
        await happen("e3", "ann@example.org")
        await until(lambda: len(smtp.messages) == 2, timeout=20, message="the mail to the new address")
        assert smtp.messages[1]["To"] == "ann@example.org"
        reply = (await web.get("/v1/decisions", params={"customer_id": "ann"})).json()
    reasons = {one["event_id"]: one["verdicts"][0]["reason"] for one in reply["decisions"]}
    assert reasons == {"e1": "triggered", "e2": "no_address", "e3": "triggered"}
