"""Who is let in, and what every answer of the edge has in its head."""

import asyncio
import time
from base64 import b64encode
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from litestar.exceptions import HTTPException

from tests.conftest import Serve
from tests.real.kafka import Kafka
from tests.real.receiver import Receiver
from tests.web.api import Api
from web.edge import guard

KEY, OTHER = "a key of sixteen letters", "another key of the tests"
GUARDED = ["/", "/docs", "/docs/openapi.json", "/v1/scores", "/v1/live"]
PUBLIC = ["/healthz", "/readyz", "/metrics", "/static/base.css"]


def connection(client: str | None, keys: list[str], authorization: str = "", /, **headers: str) -> Any:
    """What the guard looks at; underscores in the names of headers are dashes."""
    given = {"host": "localhost:8080"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if authorization:
        given["authorization"] = authorization
    return SimpleNamespace(
        app=SimpleNamespace(state=SimpleNamespace(edge=SimpleNamespace(keys=keys))),
        client=None if client is None else SimpleNamespace(host=client),
        headers=given,
    )


def refusal(*args: Any, **headers: str) -> HTTPException | None:
    try:
        guard(connection(*args, **headers), None)  # type: ignore[arg-type]
    except HTTPException as error:
        return error
    return None


def let_in(*args: Any, **headers: str) -> bool:
    error = refusal(*args, **headers)
    assert error is None or error.status_code == 401
    return error is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("192.168.1.7", False),
        ("8.8.8.8", False),
        ("localhost.example.com", False),
        ("", False),
        (None, False),
    ],
)
def test_without_keys_only_this_machine_is_let_in(host: str | None, expected: bool) -> None:
    assert let_in(host, []) is expected
    assert let_in(host, [], f"Bearer {KEY}") is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("localhost", True),
        ("localhost:8080", True),
        ("LOCALHOST:8080", True),
        ("127.0.0.1", True),
        ("127.9.9.9:80", True),
        ("[::1]", True),
        ("[::1]:8080", True),
        ("nps.example.com", False),
        ("127.0.0.1.example.com", False),
        ("localhost.example.com:8080", False),
        ("user@evil.example", False),
        ("192.168.1.7:8080", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_without_keys_only_a_loopback_name_is_let_in(name: str, expected: bool) -> None:
    error = refusal("127.0.0.1", [], host=name)
    assert (error is None) is expected
    if error:
        assert error.status_code == 403
        assert "LIVENPS_API_KEYS" in error.detail
    assert let_in("127.0.0.1", [KEY], f"Bearer {KEY}", host=name)


@pytest.mark.parametrize("header", ["x_forwarded_for", "x_real_ip", "forwarded"])
def test_without_keys_a_proxy_is_not_this_machine(header: str) -> None:
    error = refusal("127.0.0.1", [], **{header: "127.0.0.1"})
    assert error
    assert error.status_code == 401
    assert "proxy" in error.detail
    assert "LIVENPS_API_KEYS" in error.detail
    assert let_in("127.0.0.1", [KEY], f"Bearer {KEY}", **{header: "8.8.8.8"})


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("http://localhost:8080", "localhost:8080", True),
        ("https://nps.example.com", "nps.example.com", True),  # a proxy speaks TLS, and plain HTTP to us
        ("https://NPS.example.com", "nps.Example.com", True),
        ("http://localhost:3000", "localhost:8080", False),
        ("https://evil.example", "localhost:8080", False),
        ("https://localhost:8080.evil.example", "localhost:8080", False),
        ("https://nps.example.com.evil.example", "nps.example.com", False),
        ("null", "localhost:8080", False),
        ("", "localhost:8080", False),
        ("localhost:8080", "localhost:8080", False),
    ],
)
def test_other_sites_may_not_ask_with_or_without_keys(origin: str, host: str, expected: bool) -> None:
    authorized = ([KEY], f"Bearer {KEY}")
    calls = [authorized, ([], "")] if "localhost" in host else [authorized]
    for keys, authorization in calls:
        error = refusal("127.0.0.1", keys, authorization, origin=origin, host=host)
        assert (error is None) is expected
        assert error is None or error.status_code == 403


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (f"Bearer {KEY}", True),
        (f"bearer {OTHER}", True),
        (basic("prometheus", KEY), True),
        (basic("", OTHER), True),
        ("", False),
        ("Bearer", False),
        ("Bearer ", False),
        (f"Bearer {KEY}x", False),
        (f"Bearer {KEY[:-1]}", False),
        (KEY, False),
        (basic(KEY, ""), False),
        ("Basic !", False),
        ("Basic /w==", False),
        ("Bearer clé", False),
    ],
)
def test_with_keys_a_key_is_needed_from_everywhere(authorization: str, expected: bool) -> None:
    for host in ("127.0.0.1", "8.8.8.8"):
        assert let_in(host, [KEY, OTHER], authorization) is expected


async def test_a_program_with_keys(serve: Serve) -> None:
    program = serve(environment={"LIVENPS_API_KEYS": f"{KEY}, {OTHER}"})
    async with httpx.AsyncClient(base_url=program.url, trust_env=False) as client:
        answer = {"survey_id": "support", "score": 9}
        for path in PUBLIC:
            assert (await client.get(path)).status_code == 200, path
        for path in GUARDED:
            reply = await client.get(path)
            assert reply.status_code == 401, path
            assert reply.headers["www-authenticate"].startswith("Basic")
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": basic("x", "wrong")}):
            assert (await client.post("/v1/responses", json=answer, headers=headers)).status_code == 401
            assert (await client.post("/v1/touchpoints", json={}, headers=headers)).status_code == 401
        for headers in ({"authorization": f"Bearer {KEY}"}, {"authorization": basic("x", OTHER)}):
            assert (await client.post("/v1/responses", json=answer, headers=headers)).status_code == 202
            for path in ("/", "/docs", "/docs/openapi.json", "/v1/scores"):
                assert (await client.get(path, headers=headers)).status_code == 200, path
        assert (await client.get("/s/forged")).status_code == 404  # customers have no key
    assert KEY not in program.log.read_text()


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("origin", "https://evil.example", 403),
        ("host", "evil.example", 403),
        ("x-forwarded-for", "8.8.8.8", 401),
        ("x-real-ip", "127.0.0.1", 401),
        ("forwarded", "for=127.0.0.1", 401),
    ],
)
async def test_a_program_without_keys(api: Api, survey: str, header: str, value: str, status: int) -> None:
    for path in GUARDED:
        reply = await api.client.get(path, headers={header: value})
        assert reply.status_code == status, path
        (error,) = reply.json()["errors"]
        assert ("a proxy passed this on" in error["message"]) is (status == 401)
    answer = {"survey_id": survey, "score": 9}
    assert (await api.client.post("/v1/responses", json=answer, headers={header: value})).status_code == status
    assert (await api.client.get("/metrics", headers={header: value})).status_code == 200
    reply = await api.client.post("/v1/responses", json=answer, headers={"origin": str(api.client.base_url)})
    assert reply.status_code == 202


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/docs/ui/swagger-ui.css", "/static/live.js", "/v1/scores", "/metrics", "/s/x", "/nope"]
)
async def test_security_headers_everywhere(api: Api, path: str) -> None:
    headers = (await api.client.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy  # no script but our own, and none inline
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in ("same-origin", "no-referrer")
    assert "server" not in headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nope", 404), ("GET", "/v1/responses", 405), ("DELETE", "/v1/scores", 405)],
)
async def test_what_there_is_not(api: Api, method: str, path: str, status: int) -> None:
    reply = await api.client.request(method, path)
    assert reply.status_code == status
    assert reply.json()["errors"][0].keys() == {"index", "path", "message"}


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"])
async def test_no_file_but_the_static_ones(api: Api, path: str) -> None:
    assert (await api.client.get(path)).status_code in (400, 404)


async def test_nobody_waits_long_for_a_kafka_that_hangs(
    api: Api, receiver: Receiver, survey: str, kafka: Kafka
) -> None:
    link = await api.invited(receiver, survey)
    answer = {"survey_id": survey, "score": 9, "response_id": f"{survey}-1"}
    touchpoint = {"event": "opened", "customer_id": "ada"}
    kafka.pause()
    started = time.monotonic()
    replies = await asyncio.gather(
        api.client.post("/v1/responses", json=answer, timeout=20),
        api.client.post("/v1/touchpoints", json=touchpoint, timeout=20),
        api.client.post(link, data={"score": "9"}, timeout=20),
    )
    assert time.monotonic() - started < 15
    for reply in replies:
        assert reply.status_code == 503
        assert int(reply.headers["retry-after"]) > 0
    *collected, page = replies
    for reply in collected:
        assert "try again" in reply.json()["errors"][0]["message"]
    assert "Your answer did not reach us" in page.text  # a customer reads no JSON
    assert page.headers["content-type"].startswith("text/html")
    kafka.resume()
    assert (await api.client.post("/v1/responses", json=answer)).status_code == 202
    assert (await api.client.post(link, data={"score": "9"})).status_code == 200
    await api.counted(survey, 2, 0, 0)
