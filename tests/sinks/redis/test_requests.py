"""Requests under delivery, and what a survey page has to know of them."""

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from scoring.board import Board
from sinks.redis.board import BoardReader
from sinks.redis.requests import KEEP, REACTIONS, Reaction, RequestsStore
from streams.events import Outcome
from tests.make import NOW
from tests.sinks.invitations import request


@pytest.fixture
def requests(redis: Redis, namespace: str) -> RequestsStore:
    return RequestsStore(redis, namespace)


async def counted(redis: Redis, namespace: str) -> Board:
    return await BoardReader(redis, namespace, [], 1, lambda: NOW).board()


@pytest.mark.parametrize("outcome", ["sent", "failed", "unknown"])
async def test_a_request_that_is_restored_is_found_and_not_sent_again(
    requests: RequestsStore, redis: Redis, namespace: str, outcome: Outcome
) -> None:
    await requests.restore(request(), outcome)
    asked = await requests.find("q1")
    assert asked is not None
    assert asked.request == request()
    assert await requests.begin(request(), lease=60_000, by="me") == "done"
    [key] = [key async for key in redis.scan_iter(match=f"{namespace}*")]
    assert 0 < await redis.pttl(key) <= KEEP


@pytest.mark.parametrize("outcome", ["attempted", "delayed"])
async def test_one_without_an_outcome_is_restored_as_interrupted(
    requests: RequestsStore, outcome: Outcome
) -> None:
    await requests.restore(request(), outcome)
    assert await requests.begin(request(), lease=60_000, by="me") == "interrupted"


async def test_the_page_finds_the_channel_that_a_request_went_on_to(requests: RequestsStore) -> None:
    first = request()
    second = replace(first, channel="sms", tried=["mail"])
    await requests.restore(first, "failed")
    await requests.restore(second, "sent")
    asked = await requests.find("q1")
    assert asked is not None
    assert asked.request == second
    assert await requests.begin(first, lease=60_000, by="me") == "done"
    assert await requests.begin(second, lease=60_000, by="me") == "done"


async def test_what_is_known_is_not_restored(requests: RequestsStore) -> None:
    assert await requests.begin(request(), lease=60_000, by="me") == "new"
    await requests.restore(request(), "attempted")
    assert await requests.begin(request(), lease=60_000, by="me") == "new"  # its lease still runs


async def test_a_request_of_which_only_the_state_was_written_is_restored(
    requests: RequestsStore, redis: Redis, namespace: str
) -> None:
    """As a crash between the two writes of an earlier version left it: the link was dead for ever."""
    await requests.restore(request(), "sent")
    [key] = [key async for key in redis.scan_iter(match=f"{namespace}*")]
    await redis.hdel(key, "request")
    assert await requests.find("q1") is None
    await requests.restore(request(), "sent")
    assert await requests.find("q1") is not None


@pytest.mark.parametrize("reaction", REACTIONS)
async def test_what_came_of_a_request_is_counted_once(
    requests: RequestsStore, redis: Redis, namespace: str, reaction: Reaction
) -> None:
    for id_, channel in (("q1", "mail"), ("q2", "web"), ("q3", "mail")):
        sent = request(id_, channel=channel)
        await requests.begin(sent, lease=60_000, by="me")
        await requests.settle(sent, "sent")
        for _ in range(3):
            await requests.note(sent, reaction)
    counts = (await counted(redis, namespace)).counts
    noted = {count: n for count, n in counts.items() if count[0] != "survey_deliveries_total"}
    name = f"survey_{reaction}_total"
    assert noted == {(name, "nps", "mail"): 2, (name, "nps", "web"): 1}
    asked = await requests.find("q1")
    assert asked is not None
    assert (asked.request, asked.answered_at, asked.answers) == (request(), None, {})


async def test_what_came_of_a_reminder_came_of_its_invitation(
    requests: RequestsStore, redis: Redis, namespace: str
) -> None:
    reminder = request("q1.reminder", reminds="q1")
    for one in (request(), reminder):
        await requests.begin(one, lease=60_000, by="me")
    for one in (request(), reminder):
        await requests.note(one, "bounced")
    assert (await counted(redis, namespace)).counts == {("survey_bounced_total", "nps", "mail"): 1}


async def test_of_a_request_that_is_gone_nothing_is_noted(
    requests: RequestsStore, redis: Redis, namespace: str
) -> None:
    """It would be kept for ever: what expired has no time to be kept any more."""
    await requests.note(request(), "opened")
    assert [key async for key in redis.scan_iter(match=f"{namespace}*")] == []
