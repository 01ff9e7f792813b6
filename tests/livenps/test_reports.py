"""Reports that are sent by themselves: once to each recipient, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import time
from zoneinfo import ZoneInfo

import httpx
import pytest

from livenps.config import parse
from livenps.reports import LEASE, Reports, made, recipients
from livenps.schedule import Schedule
from livenps.settings import Config
from scoring.board import Board, Progress
from sinks.digest import Report
from sinks.redis.board import BoardReader
from sinks.redis.client import Client, connect
from sinks.redis.reports import ReportsStore, Sending
from sinks.webhook import WebhookSender
from streams.times import DAY, HOUR, MINUTE
from tests.make import NOW
from tests.real.receiver import Receiver
from tests.real.smtp import Mailbox

DAILY = Schedule(range(7), time(12), ZoneInfo("UTC"))
DUE = NOW + DAY  # at noon too
FIRST, SECOND = "ann@example.com", "bob@example.com"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Client]:
    client = connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def store(redis: Client) -> ReportsStore:
    return ReportsStore(redis, "t")


def config(smtp: Mailbox, *mail: str, webhook: str | None = None) -> Config:
    report: dict[str, object] = {"mail": [*mail], **({"webhook_url": webhook} if webhook else {})}
    windows = {"7d": "2h", "30d": "8h"}
    values = {"windows": windows, "surveys": [{"id": "nps", "title": "<b>Us</b>"}], "report": report}
    return parse(values, "mine.toml", {"LIVENPS_SMTP_URL": f"smtp://{smtp.host}:{smtp.port}"})


def worker(config: Config, store: ReportsStore, http: httpx.AsyncClient, board: Board | None = None) -> Reports:
    async def read() -> Board:
        return board or Board(NOW, {"7d": {}, "30d": {}, "all": {}})

    async def make() -> Report | None:
        return await made(config, read)

    return Reports(DAILY, recipients(config, WebhookSender(http, "s" * 32)), store, make)


async def outcomes(redis: Client) -> dict[tuple[str, ...], int]:
    board = await BoardReader(redis, "t", [], 1, lambda: NOW).board()
    return {count[1:]: n for count, n in board.counts.items() if count[0] == "livenps_reports_total"}


async def test_everybody_gets_it_once_from_two_workers_and_after_a_restart(
    redis: Client, store: ReportsStore, http: httpx.AsyncClient, smtp: Mailbox
) -> None:
    with Receiver().running() as receiver:
        wanted = config(smtp, FIRST, SECOND, webhook=receiver.url)
        first, second = worker(wanted, store, http), worker(wanted, store, http)
        await first.look(DUE - 1)
        assert smtp.messages == []
        await asyncio.gather(first.look(DUE), second.look(DUE + 1))
        await asyncio.gather(first.look(DUE + MINUTE), second.look(DUE + MINUTE))
        await worker(wanted, store, http).look(DUE + HOUR)
        assert sorted(smtp.recipients) == [[FIRST], [SECOND]]
        [body] = receiver.bodies
        assert await outcomes(redis) == {("mail", "sent"): 2, ("webhook", "sent"): 1}
        await second.look(DUE + DAY)
        assert len(smtp.messages) == 4
        assert len(receiver.bodies) == 2
    assert set(body) == {"report_id", "subject", "text", "report"}
    assert body["report"]["surveys"][0]["survey"] == "nps"
    assert receiver.bodies[1]["report_id"] != body["report_id"]


async def test_a_mail_has_text_and_html(store: ReportsStore, http: httpx.AsyncClient, smtp: Mailbox) -> None:
    reports = worker(config(smtp, FIRST), store, http)
    await reports.look(DUE - 1)
    await reports.look(DUE)
    [message] = smtp.messages
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text
    assert html
    assert message["Subject"] == "Feedback: how customers felt in the last 7 days"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "<B>US</B>" in text.get_content()
    assert "&lt;b&gt;Us&lt;/b&gt;" in html.get_content()


async def test_what_was_due_before_anybody_looked_is_nobodys(
    store: ReportsStore, http: httpx.AsyncClient, smtp: Mailbox
) -> None:
    await worker(config(smtp, FIRST), store, http).look(DUE + HOUR)
    assert smtp.messages == []


async def test_what_comes_due_while_nobody_runs_is_sent_late(
    store: ReportsStore, http: httpx.AsyncClient, smtp: Mailbox
) -> None:
    wanted = config(smtp, FIRST)
    await worker(wanted, store, http).look(DUE - HOUR)
    await worker(wanted, store, http).look(DUE + 5 * HOUR)
    assert smtp.recipients == [[FIRST]]


async def test_a_crash_between_claim_and_outcome_is_told_and_not_sent_again(
    redis: Client, store: ReportsStore, http: httpx.AsyncClient, smtp: Mailbox
) -> None:
    wanted = config(smtp, FIRST, SECOND)
    reports = worker(wanted, store, http)
    await reports.look(DUE - 1)
    assert await store.begin(Sending(DUE, "mail", FIRST), 1, "a worker that is gone") == "new"
    while ("mail", "unknown") not in await outcomes(redis):  # until its lease of a millisecond is over
        await reports.look(DUE)
    assert smtp.recipients == [[SECOND]]
    await worker(wanted, store, http).look(DUE)
    assert await outcomes(redis) == {("mail", "unknown"): 1, ("mail", "sent"): 1}


async def test_another_workers_claim_is_waited_for(
    store: ReportsStore, http: httpx.AsyncClient, smtp: Mailbox
) -> None:
    reports, sending = worker(config(smtp, FIRST), store, http), Sending(DUE, "mail", FIRST)
    await reports.look(DUE - 1)
    await store.begin(sending, LEASE, "another")
    await store.release(sending, "not the other's")
    await reports.look(DUE)
    assert smtp.messages == []
    await store.release(sending, "another")
    await reports.look(DUE)
    assert smtp.recipients == [[FIRST]]


async def test_a_server_that_is_away_is_tried_again_for_half_a_day(
    redis: Client, store: ReportsStore, http: httpx.AsyncClient, smtp: Mailbox
) -> None:
    reports = worker(config(smtp, FIRST), store, http)
    await reports.look(DUE - 1)
    smtp.reply = "451 try later"
    await reports.look(DUE)
    assert await outcomes(redis) == {}
    smtp.reply = "250 OK"
    await reports.look(DUE + HOUR)
    assert await outcomes(redis) == {("mail", "sent"): 1}
    smtp.reply = "451 try later"
    await reports.look(DUE + DAY)
    await reports.look(DUE + DAY + 12 * HOUR - 1)
    assert await outcomes(redis) == {("mail", "sent"): 1}
    await reports.look(DUE + DAY + 12 * HOUR)
    await reports.look(DUE + DAY + 12 * HOUR + 1)
    assert await outcomes(redis) == {("mail", "sent"): 1, ("mail", "failed"): 1}


async def test_a_refusal_has_failed_and_holds_up_nobody(
    redis: Client, store: ReportsStore, http: httpx.AsyncClient, smtp: Mailbox
) -> None:
    with Receiver().running() as receiver:
        reports = worker(config(smtp, FIRST, webhook=receiver.url), store, http)
        await reports.look(DUE - 1)
        smtp.reply = "550 no such user"
        await reports.look(DUE)
        assert len(receiver.bodies) == 1
    assert await outcomes(redis) == {("mail", "failed"): 1, ("webhook", "sent"): 1}


async def test_while_answers_are_counted_again_it_waits(
    redis: Client, store: ReportsStore, http: httpx.AsyncClient, smtp: Mailbox
) -> None:
    recovering = Board(NOW, {"7d": {}, "30d": {}, "all": {}}, progress={0: Progress(5, 10)})
    reports = worker(config(smtp, FIRST), store, http, recovering)
    await reports.look(DUE - 1)
    await reports.look(DUE)
    assert smtp.messages == []
    assert await outcomes(redis) == {}
    await worker(config(smtp, FIRST), store, http).look(DUE + HOUR)
    assert smtp.recipients == [[FIRST]]


async def test_a_state_that_is_lost_begins_the_schedule_anew(
    redis: Client, store: ReportsStore, http: httpx.AsyncClient, smtp: Mailbox
) -> None:
    wanted = config(smtp, FIRST)
    reports = worker(wanted, store, http)
    await reports.look(DUE - 1)
    await reports.look(DUE)
    await redis.flushall()
    await worker(wanted, store, http).look(DUE + HOUR)
    assert smtp.recipients == [[FIRST]], "not asking beats asking twice"


def test_an_id_tells_nobody_the_address() -> None:
    one, other = Sending(DUE, "mail", FIRST), Sending(DUE, "mail", SECOND)
    assert one.id != other.id != Sending(DUE + 1, "mail", SECOND).id
    assert "ann" not in one.id
