"""Requests under delivery, and what a survey page has to know of them."""

import pytest
from redis.asyncio import Redis

from sinks.redis.requests import KEEP, RequestsStore
from streams.events import Outcome
from tests.sinks.invitations import request


@pytest.fixture
def requests(redis: Redis, namespace: str) -> RequestsStore:
    return RequestsStore(redis, namespace)


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


async def test_one_that_was_attempted_is_restored_as_interrupted(requests: RequestsStore) -> None:
    await requests.restore(request(), "attempted")
    assert await requests.begin(request(), lease=60_000, by="me") == "interrupted"


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
