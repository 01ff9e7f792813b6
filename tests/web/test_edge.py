"""Who is let in, and what every answer of the edge has in its head."""

from base64 import b64encode
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from litestar.exceptions import NotAuthorizedException

from tests.conftest import Serve
from tests.web.api import Api
from web.edge import guard

KEY, OTHER = "a key of sixteen letters", "another key of the tests"
GUARDED = ["/", "/docs", "/docs/openapi.json", "/v1/scores", "/v1/live"]
PUBLIC = ["/healthz", "/readyz", "/metrics", "/static/base.css"]


def connection(host: str | None, keys: list[str], authorization: str = "") -> Any:
    """What the guard looks at."""
    return SimpleNamespace(
        app=SimpleNamespace(state=SimpleNamespace(edge=SimpleNamespace(keys=keys))),
        client=None if host is None else SimpleNamespace(host=host),
        headers={"authorization": authorization} if authorization else {},
    )


def let_in(*args: Any) -> bool:
    try:
        guard(connection(*args), None)  # type: ignore[arg-type]
    except NotAuthorizedException:
        return False
    return True


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
