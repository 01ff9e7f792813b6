"""What waits for a customer on the operator's own site."""

import time

import pytest
from msgspec.structs import replace

from sinks.redis.client import Client
from sinks.redis.customers import ContactReader, CustomersStore
from sinks.redis.requests import OFFERS, RequestsStore
from streams.customers import CustomersPlan
from streams.events import Contact, Outcome, SurveyRequest
from streams.partitions import partition_of
from streams.store import Token
from streams.times import DAY, HOUR, SECOND, from_ms
from surveys.contacts import NOBODY, ContactState
from tests.sinks.invitations import request

NOW = int(time.time() * SECOND)
ALL = 0  # since when


@pytest.fixture
def store(redis: Client, namespace: str) -> RequestsStore:
    return RequestsStore(redis, namespace, show_for=2 * DAY)


def due(request_id: str, *, ago: int = 0, customer: str = "c1", channel: str = "web") -> SurveyRequest:
    return request(request_id, customer_id=customer, channel=channel, due_at=from_ms(NOW - ago))


async def test_the_newest_comes_first_and_a_repeat_does_no_harm(store: RequestsStore) -> None:
    for one in (due("q2", ago=HOUR), due("q1", ago=DAY), due("q3"), due("q2", ago=HOUR)):
        await store.offer(one)
    await store.offer(due("other", customer="c2"))
    assert await store.offered("c1", ALL) == ["q3", "q2", "q1"]
    assert await store.offered("c1", NOW - HOUR) == ["q3"]
    assert await store.offered("nobody", ALL) == []


async def test_what_is_withdrawn_waits_no_longer(store: RequestsStore) -> None:
    for id_ in ("q1", "q2"):
        await store.offer(due(id_))
    for _ in range(2):
        await store.withdraw(due("q1"))
    assert await store.offered("c1", ALL) == ["q2"]


async def test_a_reminder_has_its_invitation_wait_anew(store: RequestsStore) -> None:
    await store.offer(due("q1", ago=DAY))
    await store.offer(due("q2", ago=HOUR))
    await store.offer(replace(due("again"), reminds="q1"))
    assert await store.offered("c1", ALL) == ["q1", "q2"]
    assert await store.offered("c1", NOW - HOUR) == ["q1"]


async def test_only_so_many_wait(store: RequestsStore) -> None:
    for n in range(OFFERS + 5):
        await store.offer(due(f"q{n}", ago=HOUR - n))
    assert await store.offered("c1", ALL) == [f"q{n}" for n in reversed(range(5, OFFERS + 5))]


async def test_they_are_forgotten_when_the_newest_has_waited_long_enough(
    store: RequestsStore, redis: Client, namespace: str
) -> None:
    await store.offer(due("late", ago=2 * DAY))
    assert await store.offered("c1", ALL) == []
    for one in (due("q1", ago=HOUR), due("q2", ago=DAY)):
        await store.offer(one)
    (key,) = [key async for key in redis.scan_iter(match=f"{namespace}*:offers:*")]
    assert 2 * DAY - 2 * HOUR < await redis.pttl(key) <= 2 * DAY - HOUR


@pytest.mark.parametrize(
    ("channel", "outcome", "expected"),
    [("web", "sent", ["q1"]), ("web", "failed", []), ("web", "attempted", []), ("mail", "sent", [])],
)
async def test_what_was_offered_before_the_state_was_lost_waits_again(
    store: RequestsStore, channel: str, outcome: Outcome, expected: list[str]
) -> None:
    for _ in range(2):
        await store.restore(due("q1", channel=channel), outcome)
    assert await store.offered("c1", ALL) == expected
    assert await store.find("q1")


async def test_a_contact_is_read_where_the_lane_keeps_it(redis: Client, namespace: str) -> None:
    lane, known = CustomersStore(redis, namespace), ContactState(contact=Contact(email="ann@example.com"))
    partition, me = partition_of("ann", 4), Token("me", 1)
    await lane.claim(partition, me)
    await lane.settle(partition, me, CustomersPlan(contacts={"ann": known}))
    reader = ContactReader(redis, namespace, 4)
    assert await reader.state("ann") == known
    assert await reader.state("bob") == NOBODY
