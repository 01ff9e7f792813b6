"""The simulated shop: what it makes up, and its webhook endpoint over real HTTP."""

import asyncio
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import httpx
import pytest

from livenps.phrases import LATE
from livenps.shop import (
    OCCASIONS,
    PAST,
    PLANS,
    REGIONS,
    Customer,
    Shop,
    customer,
    history,
    opinion,
    surveys,
    touchpoint,
    warehouse_late,
)
from scoring.scales import CES, CSAT, Scale
from scoring.tally import Tally
from surveys.survey import Survey
from tests.real.wait import until

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
INVITATION = {
    "request_id": "r1",
    "survey_id": "post-purchase",
    "customer_id": "c7",
    "link": "http://127.0.0.1:1/s/token",
    "subject": "One question",
    "question": "How likely?",
}


def nps(scores: Iterable[int]) -> float:
    counted = list(scores)
    return 100 * sum((score >= 9) - (score <= 6) for score in counted) / len(counted)


def crowd(plan: str, region: str) -> list[Customer]:
    return [Customer(id=str(n), name="Anna Ito", plan=plan, region=region, age=40) for n in range(3_000)]


def said_by(plan: str, region: str, *, late: bool = False) -> float:
    dice = Random(1)
    people = crowd(plan, region)
    return nps(opinion(dice, who, "post-purchase", warehouse_late=late).score for who in people)


def test_customers_mix_plans_regions_and_ages():
    people = [customer(1, f"c{n}") for n in range(5_000)]
    for name, weights in ("plan", PLANS), ("region", REGIONS):
        seen = Counter(getattr(who, name) for who in people)
        shares = {value: seen[value] / len(people) for value in weights}
        assert shares == pytest.approx({value: weight / 100 for value, weight in weights.items()}, abs=0.03)
    assert {18 <= who.age <= 80 for who in people} == {True}
    assert len({who.contact["email"] for who in people}) == len(people)


def test_plans_and_regions_differ():
    assert said_by("free", "eu") + 15 < said_by("pro", "eu") < said_by("enterprise", "eu")
    assert said_by("pro", "apac") + 10 < said_by("pro", "eu")
    assert -20 < said_by("free", "apac") < said_by("enterprise", "us") < 80


def test_late_parcels_lower_the_scores_of_the_eu_only():
    assert said_by("pro", "eu", late=True) < said_by("pro", "eu") - 80
    assert said_by("pro", "us", late=True) == said_by("pro", "us")


def test_comments_of_those_who_wait_say_why():
    dice = Random(1)
    angry = [
        said.comment
        for who in crowd("pro", "eu")[:200]
        if (said := opinion(dice, who, "support", warehouse_late=True)).score <= 6
    ]
    assert angry
    assert all(any(phrase in comment for phrase in LATE) for comment in angry)


def test_an_unknown_survey_is_answered_as_well():
    said = opinion(Random(1), customer(1, "c1"), "churn")
    assert 0 <= said.score <= 10
    assert said.comment


@pytest.mark.parametrize(
    ("survey", "scale", "least", "most"), [("checkout", CSAT, 70, 90), ("returns", CES, 4.8, 5.8)]
)
def test_other_surveys_are_answered_on_their_scale(survey: str, scale: Scale, least: float, most: float):
    dice = Random(1)
    people = [customer(1, f"c{n}") for n in range(3_000)]
    fine, late = (
        [opinion(dice, who, survey, warehouse_late=late).score for who in people] for late in (False, True)
    )
    assert set(fine) == set(scale.scores)
    scored, fallen = (Tally(scale, [said.count(score) for score in range(11)]).score for said in (fine, late))
    assert least < (scored or 0) < most
    assert (fallen or 0) < (scored or 0)


def test_all_surveys_ask_the_shops_customers():
    found = surveys([Survey(id="nps", trigger="Order Delivered")], "http://127.0.0.1:1/")
    assert {survey.id: survey.metric for survey in found} == {"nps": "nps", "checkout": "csat", "returns": "ces"}
    assert {(survey.channel, survey.webhook_url) for survey in found} == {("webhook", "http://127.0.0.1:1/")}
    assert {survey.trigger for survey in found} < set(OCCASIONS)


def test_history_has_every_survey_from_the_first_answers_on():
    answers = history(1, NOW)
    assert Counter(answer["survey_id"] for answer in answers) == {
        "relationship": 1_500,
        "post-purchase": 600,
        "support": 300,
        "checkout": 300,
        "returns": 200,
    }
    assert len({answer["survey_id"] for answer in answers[:200]}) == len(PAST)
    assert len({answer["response_id"] for answer in answers}) == len(answers)
    commented = sum(bool(answer["comment"]) for answer in answers) / len(answers)
    assert commented == pytest.approx(1 / 3, abs=0.05)


@pytest.mark.parametrize(("survey", "days"), [("relationship", 30), ("post-purchase", 7), ("support", 7)])
def test_history_fills_its_days_and_the_last_one_most(survey: str, days: int):
    ages = [
        NOW - datetime.fromisoformat(str(answer["answered_at"]))
        for answer in history(1, NOW)
        if answer["survey_id"] == survey
    ]
    assert timedelta() <= min(ages)
    assert timedelta(days=days * 0.9) < max(ages) <= timedelta(days=days)
    per_day = Counter(age.days for age in ages)
    assert per_day[0] > 2 * max(per_day[day] for day in range(1, days))


def test_a_seed_repeats_its_run_and_another_gives_another():
    assert history(7, NOW) == history(7, NOW)
    assert history(7, NOW) != history(8, NOW)
    run = [[touchpoint(seed, n, NOW) for n in range(50)] for seed in (7, 7, 8)]
    assert run[0] == run[1] != run[2]


def test_touchpoints_are_of_new_and_known_customers():
    records = [touchpoint(1, n, NOW) for n in range(3_000)]
    assert len({record["event_id"] for record in records}) == len(records)
    assert {record["event"] for record in records} == set(OCCASIONS)
    visits = Counter(record["customer_id"] for record in records)
    assert 0.7 < len(visits) / len(records) < 0.9
    contacts = {str(record["customer_id"]): record["contact"] for record in records}
    assert all(record["contact"] == contacts[str(record["customer_id"])] for record in records)


def test_only_orders_of_the_eu_are_late():
    records = [touchpoint(1, n, NOW, warehouse_late=True) for n in range(500)]
    late = {
        (record["contact"]["attributes"]["region"], record["properties"]["days_late"] > 0)
        for record in records
        if record["event"] == "Order Delivered"
    }
    assert late == {("eu", True), ("us", False), ("apac", False)}


def test_a_short_run_has_its_drop_until_the_end():
    assert [warehouse_late(at, 30) for at in (0, 11.9, 12, 29.9)] == [False, False, True, True]


def test_an_endless_run_recovers_and_drops_again():
    late = [warehouse_late(at, None) for at in range(900)]
    turns = [at for at, (before, after) in enumerate(pairwise(late), start=1) if before != after]
    assert turns == [40, 160, 340, 460, 640, 760]


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop("http://127.0.0.1:9")
    await shop.start()
    yield shop
    await shop.close()


async def test_the_receiver_takes_invitations(shop: Shop):
    async with httpx.AsyncClient(trust_env=False) as http:
        answers = [await http.post(shop.receiver_url, json=INVITATION | {"more": n}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [204, 204, 204]
    assert shop.invitations == 3


async def test_the_receiver_refuses_what_is_no_invitation(shop: Shop):
    async with httpx.AsyncClient(trust_env=False) as http:
        incomplete = await http.post(shop.receiver_url, json={"request_id": "r1"})
        broken = await http.post(shop.receiver_url, content=b"{")
        read = await http.get(shop.receiver_url)
    assert [incomplete.status_code, broken.status_code, read.status_code] == [400, 400, 405]
    assert shop.invitations == 0


async def test_a_full_shop_still_takes_invitations(shop: Shop):
    async with httpx.AsyncClient(trust_env=False) as http:
        for _ in range(1_050):
            (await http.post(shop.receiver_url, json=INVITATION)).raise_for_status()
    assert shop.invitations == 1_050


async def test_the_receiver_leaves_signals_alone_and_closes():
    before = signal.getsignal(signal.SIGINT)
    shop = Shop("http://127.0.0.1:9")
    await shop.start()
    async with httpx.AsyncClient(trust_env=False) as http:
        await http.post(shop.receiver_url, json=INVITATION)
        assert signal.getsignal(signal.SIGINT) is before
        await shop.close()
        with pytest.raises(httpx.ConnectError):
            await http.post(shop.receiver_url, json=INVITATION)


async def test_closing_right_after_starting_leaves_nothing_open():
    shop = Shop("http://127.0.0.1:9")
    await shop.start()
    await shop.close()
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(shop.receiver_url)


async def test_a_run_waits_quietly_for_livenps_and_ends_in_time(shop: Shop):
    async with asyncio.timeout(5):
        await shop.run(0.3)
    assert (shop.past_answers, shop.touchpoints) == (0, 0)


async def test_history_arrives_once_livenps_is_up_and_ready():
    answers = iter([b"503 Service Unavailable"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        status = next(answers, b"202 Accepted")
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    with socket.socket() as address:
        address.bind(("127.0.0.1", 0))  # refuses connections until it listens
        shop = Shop(f"http://127.0.0.1:{address.getsockname()[1]}")
        run = asyncio.create_task(shop.run(20))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(run), 0.3)
        async with await asyncio.start_server(serve, sock=address):
            await until(lambda: shop.touchpoints > 0)
            run.cancel()
            await asyncio.wait([run])
    assert shop.past_answers == 2_900
    assert shop.past_told.is_set()
    assert next(answers, None) is None


async def test_a_run_can_be_cancelled_in_the_middle_of_a_request():
    asked, closed = asyncio.Event(), asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"POST /v1/responses")
        asked.set()
        await reader.read()
        writer.close()
        closed.set()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as server, asyncio.timeout(10):
        run = asyncio.create_task(Shop(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}").run(None))
        await asked.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        await closed.wait()
