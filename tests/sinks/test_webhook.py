"""Webhooks over real HTTP: what is posted, how it is signed, and what an answer means."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from sinks.webhook import WebhookSender
from streams.errors import DeliveryDelayed, DeliveryFailed
from surveys.survey import Survey
from tests.real.ports import free_port
from tests.sinks.invitations import LINK, invitation

SECRET = "a secret of the tests, of 32 characters"


class Hook(ThreadingHTTPServer):
    """A receiver that answers `status`, with a `Location` for redirects, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        self.status = 204
        self.received: list[tuple[str, dict[str, str], str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.received.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.status)
        if self.server.status in range(300, 400):
            self.send_header("location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: pytest shows what matters."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    yield server
    server.shutdown()
    server.server_close()
    serving.join()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


async def send(client: httpx.AsyncClient, url: str, secret: str | None = SECRET, **fields: Any) -> None:
    survey = Survey(id="nps", channel="webhook", webhook_url=url)
    await WebhookSender(client, secret).send(invitation(survey, channel="webhook", **fields))


async def test_the_body_says_who_is_asked_what_and_where(hook: Hook, client: httpx.AsyncClient) -> None:
    await send(client, hook.url)
    ((path, headers, body),) = hook.received
    assert path == "/hook"
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {
        "request_id": "q1",
        "survey_id": "nps",
        "customer_id": "c1",
        "language": "en",
        "reminds": None,
        "subject": "One question, ten seconds",
        "question": "How likely are you to recommend us to a friend or colleague?",
        "link": LINK,
    }


async def test_a_reminder_says_what_it_reminds_of(hook: Hook, client: httpx.AsyncClient) -> None:
    await send(client, hook.url, request_id="q1-reminder", reminds="q1")
    ((_, headers, body),) = hook.received
    told = json.loads(body)
    assert (headers["webhook-id"], told["request_id"], told["reminds"]) == ("q1-reminder", "q1-reminder", "q1")
    assert told["subject"] == "Reminder: One question, ten seconds"


async def test_the_signature_verifies_as_standard_webhooks(hook: Hook, client: httpx.AsyncClient) -> None:
    await send(client, hook.url, request_id="q2")
    ((_, headers, body),) = hook.received
    receiver = Webhook(base64.b64encode(SECRET.encode()).decode())
    assert receiver.verify(body, headers)["request_id"] == "q2"
    with pytest.raises(WebhookVerificationError):
        receiver.verify(body.replace("c1", "c2"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(base64.b64encode(b"another secret of 32 characters!").decode()).verify(body, headers)


async def test_the_secret_is_nowhere_in_the_request(hook: Hook, client: httpx.AsyncClient) -> None:
    await send(client, hook.url)
    ((_, headers, body),) = hook.received
    assert SECRET not in str(headers) + body


async def test_a_repeat_has_the_same_id(hook: Hook, client: httpx.AsyncClient) -> None:
    await send(client, hook.url)
    await send(client, hook.url)
    assert [headers["webhook-id"] for _, headers, _ in hook.received] == ["q1", "q1"]


async def test_without_a_secret_nothing_is_signed(hook: Hook, client: httpx.AsyncClient) -> None:
    await send(client, hook.url, secret=None)
    ((_, headers, _),) = hook.received
    assert not [name for name in headers if name.startswith("webhook-")]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 599])
async def test_not_now(hook: Hook, client: httpx.AsyncClient, status: int) -> None:
    hook.status = status
    with pytest.raises(DeliveryDelayed, match=f"HTTP {status}"):
        await send(client, hook.url)


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
async def test_not_ever(hook: Hook, client: httpx.AsyncClient, status: int) -> None:
    hook.status = status
    with pytest.raises(DeliveryFailed, match=f"HTTP {status}"):
        await send(client, hook.url)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_refused_and_not_followed(hook: Hook, client: httpx.AsyncClient, status: int) -> None:
    hook.status = status
    with pytest.raises(DeliveryFailed, match=f"HTTP {status}"):
        await send(client, hook.url)
    assert [path for path, _, _ in hook.received] == ["/hook"]


async def test_a_receiver_that_is_away_is_delayed(client: httpx.AsyncClient) -> None:
    with pytest.raises(DeliveryDelayed, match="ConnectError"):
        await send(client, f"http://127.0.0.1:{free_port()}/")


async def test_an_address_that_cannot_be_used_fails(client: httpx.AsyncClient) -> None:
    with pytest.raises(DeliveryFailed, match="cannot be used"):
        await send(client, "http://\x00/")
