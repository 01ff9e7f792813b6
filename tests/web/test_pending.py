"""What waits for a visitor of the operator's own site, and what becomes of the answers."""

import hmac
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.conftest import Serve
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.redis import Redis
from tests.real.wait import until
from tests.web.api import Api
from tests.web.conftest import CHOICES, QUESTION, QUESTIONS, SITE, SITE_SECRET, Versions

WEB = {"origins": [SITE], "secret": SITE_SECRET}
OWN = [  # of tests with a program of their own
    {"id": "shop", "trigger": "event of shop", "channel": "web", "questions": QUESTIONS},
    {"id": "desk", "trigger": "event of desk", "channel": "web", "metric": "ces"},
]


def signed(customer: str) -> dict[str, str]:
    """As `docs/surveys.md` has it."""
    return {"authorization": f"Bearer {hmac.new(SITE_SECRET.encode(), customer.encode(), 'sha256').hexdigest()}"}


@pytest.fixture
def customer() -> str:
    """Somebody whom no other test knows."""
    return f"c-{uuid4().hex}"


async def pending(api: Api, customer: str, **headers: str) -> list[dict[str, Any]]:
    reply = await api.client.get(
        "/v1/pending", params={"customer_id": customer}, headers={**signed(customer), **headers}
    )
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["pending"]
    return found


async def offered(api: Api, survey: str, customer: str, **fields: Any) -> dict[str, Any]:
    """The card of a survey that waits once something has happened."""
    body = {"event": f"event of {survey}", "customer_id": customer, **fields}
    assert (await api.post("/v1/touchpoints", body)).status_code == 202

    async def waits() -> list[dict[str, Any]]:
        return [card for card in await pending(api, customer) if card["survey_id"] == survey]

    (card,) = await until(waits, timeout=20, message="the card waits")
    return card  # type: ignore[no-any-return]


async def send(api: Api, card: dict[str, Any], step: str = "", body: Any = None) -> dict[str, Any]:
    reply = await api.post(f"/v1/pending/{card['token']}{step and '/'}{step}", {} if body is None else body)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def ids(api: Api, customer: str) -> list[str]:
    return [card["id"] for card in await pending(api, customer)]


@pytest.fixture
async def card(api: Api, waiting: str, customer: str) -> dict[str, Any]:
    return await offered(api, waiting, customer, properties={"plan": "pro"})


async def declines(kafka: Kafka, prefix: str, customer: str) -> list[str]:
    """The ids of a customer's declines."""
    events = [json.loads(one.value) for one in await records.read(kafka.bootstrap, f"{prefix}touchpoints")]
    return [one["event_id"] for one in events if one["type"] == "declined" and one["customer_id"] == customer]


async def test_what_is_due_waits_and_is_answered_question_by_question(
    api: Api, waiting: str, customer: str, card: dict[str, Any], versions: Versions
) -> None:
    assert (card["survey_id"], card["language"], card["direction"]) == (waiting, "en", "ltr")
    assert card["scores"] == [*range(11)]
    assert card["words"]["question"] == QUESTION
    for _ in range(2):
        assert await ids(api, customer) == [card["id"]]
    await api.came(waiting, "web", opened=1)
    assert await versions(waiting) == []  # looking answers nothing

    step = (await send(api, card, body={"score": 3}))["question"]
    assert (step["id"], step["kind"], step["hint"]) == ("comment", "text", "Thank you for your 3.")
    assert "What went wrong?" in step["text"]
    await api.counted(waiting, 0, 0, 1)
    assert await ids(api, customer) == []
    step = (await send(api, card, "comment", {"comment": " slow\r\n"}))["question"]
    assert (step["id"], step["ratings"]) == ("drivers", [1, 2, 3, 4, 5])
    assert step["options"] == [{"id": id_, "text": text} for id_, text in CHOICES.items()]
    step = (await send(api, card, "drivers", {"drivers.price": 4, "drivers.speed": "1"}))["question"]
    assert step["id"] == "reason"
    step = (await send(api, card, "reason", {"reason": "price"}))["question"]
    assert step["id"] == "fair"
    step = (await send(api, card, "fair"))["question"]
    assert step["id"] == "next"
    end = await send(api, card, "next", {"next": ["speed", "price"]})
    assert "question" not in end
    assert end["thanks"]["text"] == "Thank you! Your answer helps us to get better."
    assert end["thanks"]["code"] == ""
    *_, last = await versions(waiting)
    assert (last["response_id"], last["customer_id"]) == (card["id"], customer)
    assert (last["channel"], last["comment"], last["attributes"]) == ("web", "slow", {"plan": "pro"})
    drivers = {"drivers.price": 4, "drivers.speed": 1}
    assert last["answers"] == drivers | {"reason": "price", "next": ["price", "speed"]}

    step = (await send(api, card, body={"score": 10}))["question"]  # another mind
    assert step["answers"] == {"comment": "slow"}
    await api.counted(waiting, 1, 0, 0)
    await api.came(waiting, "web", opened=1, responded=1)
    assert await api.metric("survey_deliveries_total", survey=waiting, channel="web", outcome="sent") == 1
    answered = {"name": "survey_answered_total", "survey": waiting}
    await until(lambda: api.metric(**answered), message="the customer is known to have answered")


async def test_what_is_declined_goes_and_is_told_once(
    api: Api, customer: str, card: dict[str, Any], kafka: Kafka, prefix: str
) -> None:
    for _ in range(2):
        assert await send(api, card, "decline") == {}
        assert await ids(api, customer) == []
    assert {*await declines(kafka, prefix, customer)} == {f"declined:{card['id']}"}  # of which one is taken
    await api.client.post(f"/s/{card['token']}/unsubscribe")
    await api.came(card["survey_id"], "web", opened=1, declined=1, unsubscribed=1)
    assert (await send(api, card, body={"score": 9}))["question"]  # another mind


async def test_who_has_answered_declines_nothing(
    api: Api, customer: str, card: dict[str, Any], kafka: Kafka, prefix: str
) -> None:
    await send(api, card, body={"score": 9})
    await send(api, card, "decline")
    assert await declines(kafka, prefix, customer) == []


async def test_the_token_opens_the_survey_page_too(api: Api, customer: str, card: dict[str, Any]) -> None:
    link = f"/s/{card['token']}"
    assert (await api.client.get(link)).status_code == 200
    await api.client.post(f"{link}/decline")
    assert await ids(api, customer) == []


async def test_who_unsubscribes_is_shown_nothing_more(
    api: Api, customer: str, card: dict[str, Any], kafka: Kafka, prefix: str
) -> None:
    gone = {"type": "unsubscribed", "event_id": "u1", "customer_id": customer, "occurred_at": 1_700_000_000}
    await records.write_all(kafka.bootstrap, f"{prefix}touchpoints", [(customer, json.dumps(gone).encode())])

    async def nothing() -> bool:
        return await ids(api, customer) == []

    await until(nothing, message="nothing waits any more")


async def test_the_card_speaks_the_customers_language(api: Api, customer: str) -> None:
    card = await offered(api, "waiting-spoken", customer, contact={"name": "Ann", "locale": "ar-EG"})
    assert (card["language"], card["direction"], card["words"]["close"]) == ("ar", "rtl", "إغلاق")
    step = (await send(api, card, body={"score": 9}))["question"]
    step = (await send(api, card, step["id"]))["question"]
    assert step["text"] == "ما السبب؟"
    assert (await send(api, card, "why", {"why": "price"}))["thanks"]["text"] == "شكرًا!"
    bob = f"{customer}-bob"
    await offered(api, "waiting-spoken", bob, contact={"name": "Bob"})
    (german,) = await pending(api, bob, **{"accept-language": "fr, de-AT;q=0.8"})
    assert (german["language"], german["words"]["send"]) == ("de", "Absenden")


@pytest.mark.parametrize(
    ("customer", "authorization"),
    [
        ("ann", ""),
        ("ann", "Bearer"),
        ("ann", signed("bob")["authorization"]),
        ("ann", signed("ann")["authorization"].replace("Bearer", "Basic")),
        ("ann", signed("ann")["authorization"][:-1]),
        ("ann", "Bearer Å"),
        ("visitor-1", ""),
        (f"visitor-{'a' * 32}\n", ""),
        (f"Visitor-{'a' * 32}", ""),
        (f"visitor-{'A' * 32}", ""),
        (f"visitor-{'a' * 33}", ""),
    ],
)
async def test_who_cannot_show_who_they_are_is_told_nothing(api: Api, customer: str, authorization: str) -> None:
    headers = {"authorization": authorization.encode()} if authorization else {}
    reply = await api.client.get("/v1/pending", params={"customer_id": customer}, headers=headers)
    assert reply.status_code == 401
    assert reply.json().keys() == {"errors"}


@pytest.mark.parametrize("customer", ["", "x" * 201])
async def test_an_id_has_1_to_200_characters(api: Api, customer: str) -> None:
    reply = await api.client.get("/v1/pending", params={"customer_id": customer}, headers=signed(customer))
    assert reply.status_code == 400


async def test_a_visitor_whom_nobody_knows_shows_an_id_that_nobody_can_guess(api: Api, waiting: str) -> None:
    visitor = f"visitor-{uuid4().hex}"
    await api.post("/v1/touchpoints", {"event": f"event of {waiting}", "customer_id": visitor})

    async def waits() -> list[Any]:
        reply = await api.client.get("/v1/pending", params={"customer_id": visitor})
        found: list[Any] = reply.json()["pending"]
        return found

    (card,) = await until(waits, message="the card waits")
    await send(api, card, body={"score": 9})
    await api.counted(waiting, 1, 0, 0)


async def test_what_waited_for_a_visitor_waits_for_the_customer_who_it_was(
    api: Api, waiting: str, customer: str
) -> None:
    visitor = f"visitor-{uuid4().hex}"
    card = await offered(api, waiting, visitor)
    merge = {"type": "merge", "customer_id": visitor, "into": customer}
    assert (await api.post("/v1/events", merge)).status_code == 202

    async def moved() -> bool:
        return await ids(api, customer) == [card["id"]]

    await until(moved, message="it waits for the customer")
    assert await ids(api, visitor) == []
    assert await ids(api, f"{customer}-other") == []
    (card,) = await pending(api, customer)
    await send(api, card, body={"score": 9})
    assert await ids(api, customer) == []
    await api.counted(waiting, 1, 0, 0)


async def test_pages_of_other_origins_may_not_ask(api: Api, customer: str, card: dict[str, Any]) -> None:
    path = f"/v1/pending/{card['token']}"
    asked = [("GET", f"/v1/pending?customer_id={customer}"), ("POST", path), ("POST", f"{path}/decline")]
    for origin in ("https://evil.example", f"{SITE}.evil.example", SITE.replace("s:", ":"), "null", ""):
        headers = {"origin": origin, **signed(customer)}
        for method, where in asked:
            reply = await api.client.request(method, where, headers=headers, content='{"score": 1}')
            assert reply.status_code == 403, (origin, method, where)
            assert "access-control-allow-origin" not in reply.headers
        preflight = {"origin": origin, "access-control-request-method": "POST"}
        told = (await api.client.options(path, headers=preflight)).headers
        assert not [name for name in told if name.startswith("access-control")]
    assert await ids(api, customer) == [card["id"]]


async def test_pages_of_the_site_may_ask_and_read_errors_too(api: Api) -> None:
    asked = {"/v1/pending?customer_id=ann": 200, "/v1/pending": 400, "/v1/pending?customer_id=bob": 401}
    for path, status in asked.items():
        reply = await api.client.get(path, headers={"origin": SITE, **signed("ann")})
        assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (status, SITE)
        assert (reply.headers["vary"], reply.headers["cache-control"]) == ("Origin", "no-store")
        assert "access-control-allow-credentials" not in reply.headers
    for path in ("/v1/pending", "/v1/pending/x", "/v1/pending/x/comment", "/v1/pending/x/decline"):
        preflight = {"origin": SITE, "access-control-request-method": "POST"}
        reply = await api.client.options(path, headers=preflight)
        assert reply.status_code == 204
        assert reply.headers["access-control-allow-headers"] == "authorization, content-type"
    elsewhere = await api.client.get("/v1/scores?survey=relationship", headers={"origin": SITE})
    assert elsewhere.status_code == 403
    assert "access-control-allow-origin" not in elsewhere.headers


async def test_what_the_card_does_not_offer(api: Api, waiting: str, card: dict[str, Any]) -> None:
    async def refused(step: str, body: Any, status: int, path: str) -> None:
        reply = await api.post(f"/v1/pending/{card['token']}{step and '/'}{step}", body)
        assert (reply.status_code, reply.json()["errors"][0]["path"]) == (status, path), (step, body, reply.text)

    scores: list[Any] = [{"score": score} for score in (11, -1, 9.5, True, "9", None)]
    for body in (*scores, {}):
        await refused("", body, 400, "$.score")
    for body in ({"scores": 9}, {"score": 9, "more": 1}, [9], "{", b"\xff", "[" * 20_000):
        await refused("", body, 400, "$")
    await refused("", " " * (1 << 16) + "{}", 413, "")
    await refused("comment", {"comment": "no score"}, 409, "")
    await send(api, card, body={"score": 0})
    await refused("drivers", {"drivers.price": 6}, 400, "$")
    await refused("drivers", {"drivers.taste": 1}, 400, "$.drivers.taste")
    await refused("reason", {"reason": ["price", "speed"]}, 400, "$")
    await refused("reason", {"reason": "nothing"}, 400, "$")
    long = {"next": ["x" * 201]}
    for body in ({"next": {"a": 1}}, {"next": True}, long, {"comment": "x" * 10_001}):
        await refused("next", body, 400, "$[...][0]" if body == long else "$[...]")
    await refused("fair", {}, 404, "")  # not asked without the reason for it
    await refused("nothing", {}, 404, "")
    await api.counted(waiting, 0, 0, 1)


async def test_a_token_that_is_none(api: Api, customer: str, card: dict[str, Any]) -> None:
    for token in ("forged", card["token"][:-2] + "xx", "x" * 2_000, "%00"):
        for path in ("", "/comment", "/decline"):
            assert (await api.post(f"/v1/pending/{token}{path}", {"score": 9})).status_code == 404
    assert await ids(api, customer) == [card["id"]]


async def test_what_waits_is_known_again_after_redis_was_lost(serve: Serve, redis_server: Redis) -> None:
    program = serve({"web": WEB, "surveys": OWN, "asking": {"quiet_period": "0s"}})
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=20) as client:
        api = Api(client)
        answered, declined = await offered(api, "shop", "ann"), await offered(api, "shop", "bob")
        await send(api, answered, body={"score": 9})
        await send(api, declined, "decline")
        shop, desk = await offered(api, "shop", "cem"), await offered(api, "desk", "cem")
        assert desk["scores"] == [*range(1, 8)]
        assert await ids(api, "cem") == [desk["id"], shop["id"]]  # the newest comes first
        known = {"name": "survey_answered_total", "survey": "shop"}
        await until(lambda: api.metric(**known), message="the answer is known")
        redis_server.flush()

        async def again() -> bool:
            return await ids(api, "cem") == [desk["id"], shop["id"]]

        await until(again, timeout=40, message="they wait again")
        assert await ids(api, "ann") == await ids(api, "bob") == []
        await send(api, shop, body={"score": 0})
        await api.counted("shop", 1, 0, 1)


async def test_what_nobody_came_for_in_time_is_not_shown_any_more(serve: Serve) -> None:
    program = serve({"web": WEB | {"show_for": "2s"}, "surveys": OWN})
    async with httpx.AsyncClient(base_url=program.url, trust_env=False) as client:
        api = Api(client)
        await offered(api, "shop", "ann")

        async def nothing() -> bool:
            return await ids(api, "ann") == []

        await until(nothing, message="it waits no longer")


async def test_after_an_hour_the_answer_stands(serve: Serve) -> None:
    program = serve({"web": WEB, "surveys": OWN, "http": {"change_for": "1s"}})
    async with httpx.AsyncClient(base_url=program.url, trust_env=False) as client:
        api = Api(client)
        card = await offered(api, "shop", "ann")
        await send(api, card, body={"score": 9})

        async def over() -> bool:
            return (await api.post(f"/v1/pending/{card['token']}/comment", {})).status_code == 410

        await until(over, message="the answer cannot be changed any more")
        assert (await api.post(f"/v1/pending/{card['token']}", {"score": 0})).status_code == 410
        await api.counted("shop", 1, 0, 0)
