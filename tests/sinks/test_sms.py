"""Text messages over real HTTP: what the gateway is sent, and what its answer means."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from sinks.sms import SmsSender
from streams.delivery import Invitation
from streams.errors import DeliveryDelayed, DeliveryFailed, DeliveryUnknown
from streams.events import Contact
from surveys.survey import Survey
from tests.real.ports import free_port
from tests.sinks.invitations import LINK, invitation

BODY = {"to": "{to}", "text": "{text}", "reference": "{request_id}"}
PHONE = "+49 170 1234567"


class Gateway:
    """Answers with `status`, or with none; `received` has the method, headers and body of each request."""

    def __init__(self) -> None:
        self.status: int | None = 202
        self.received: list[tuple[str, dict[str, str], Any]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.received.append((head[0].split()[0], headers, body))
        if self.status:
            writer.write(f"HTTP/1.1 {self.status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    gateway = Gateway()
    async with await asyncio.start_server(gateway.serve, "127.0.0.1", 0) as server:
        gateway.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/messages"
        yield gateway


async def send(
    url: str,
    body: Mapping[str, Any] = BODY,
    *,
    phone: str | None = PHONE,
    survey: Survey | None = None,
    **fields: Any,
) -> None:
    contact = Contact(phone=phone, name=fields.pop("name", None), locale=fields.pop("locale", None))
    asked: Invitation = invitation(survey, channel="sms", contact=contact, **fields)
    async with httpx.AsyncClient(trust_env=False) as client:
        await SmsSender(client, url, "POST", body, {"authorization": "Bearer geheim"}, "Our shop").send(asked)


async def test_the_gateway_is_sent_number_text_and_id(gateway: Gateway) -> None:
    await send(gateway.url, request_id="q7")
    [(method, headers, body)] = gateway.received
    text = f"Our shop: one question, ten seconds. {LINK}"
    assert (method, body) == ("POST", {"to": "+491701234567", "text": text, "reference": "q7"})
    assert headers["authorization"] == "Bearer geheim"
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == "q7"


async def test_a_body_of_any_shape(gateway: Gateway) -> None:
    shape = {"messages": [{"destinations": [{"to": "tel:{to}"}], "text": "{text}!", "flash": False, "n": 1}]}
    await send(gateway.url, shape)
    [(_, _, body)] = gateway.received
    [message] = body["messages"]
    assert message["destinations"] == [{"to": "tel:+491701234567"}]
    assert message["text"].endswith(f"{LINK}!")
    assert (message["flash"], message["n"]) == (False, 1)


async def test_what_a_customer_is_called_is_nothing_but_text(gateway: Gateway) -> None:
    name = '{request_id}", "to": "+1555{to}\\'
    await send(gateway.url, survey=Survey(id="nps", wording={"sms": "{{ name }} {link}"}), name=name)
    [(_, _, body)] = gateway.received
    assert body == {"to": "+491701234567", "text": f"{name} {LINK}", "reference": "q1"}


async def test_a_message_speaks_the_contacts_language(gateway: Gateway) -> None:
    await send(gateway.url, survey=Survey(id="nps", translations={"de": {}}), locale="de-AT")
    assert gateway.received[0][2]["text"] == f"Our shop: eine Frage, zehn Sekunden. {LINK}"


@pytest.mark.parametrize("phone", [None, "", "0170 1234567", "+49"])
async def test_who_has_no_usable_number_is_sent_nothing(gateway: Gateway, phone: str | None) -> None:
    with pytest.raises(DeliveryFailed, match="no usable telephone number"):
        await send(gateway.url, phone=phone)
    assert gateway.received == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, DeliveryDelayed) for status in (401, 402, 408, 425, 429, 503)),
        *((status, DeliveryFailed) for status in (301, 307, 400, 403, 404, 422)),
        *((status, DeliveryUnknown) for status in (500, 502, 504)),
        (None, DeliveryUnknown),
    ],
)
async def test_what_an_answer_means(gateway: Gateway, status: int | None, error: type[Exception]) -> None:
    """An answer that is missing, or says that something broke, leaves open whether the message is on its way."""
    gateway.status = status
    with pytest.raises(error) as caught:
        await send(gateway.url)
    assert getattr(caught.value, "gateway_away", False) == (status in (401, 402, 429, 503))
    assert "geheim" not in str(caught.value)
    assert len(gateway.received) == 1


async def test_a_gateway_that_is_away_took_nothing() -> None:
    with pytest.raises(DeliveryDelayed, match="ConnectError") as caught:
        await send(f"http://127.0.0.1:{free_port()}/")
    assert caught.value.gateway_away


async def test_an_address_that_cannot_be_used_fails() -> None:
    with pytest.raises(DeliveryFailed, match="cannot be asked"):
        await send("http://\x00/")
