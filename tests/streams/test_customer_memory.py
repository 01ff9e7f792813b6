"""What the customer lane reads of the log when it claims a partition."""

import asyncio
import gc
import time
from types import TracebackType
from typing import Literal, Self

import pytest
from msgspec.structs import replace

from scoring.board import Cohort
from scoring.windows import Window
from sinks.redis.board import BoardReader
from sinks.redis.customers import CustomersStore
from sinks.redis.requests import RequestsStore
from streams import customer_memory
from streams.customer_memory import CustomerMemory
from streams.events import Attempt, Contact, ContactRecord, DecisionRecord, SurveyRequest, Verdict, encode
from streams.log_reader import LogReader
from streams.partitions import partition_of
from streams.publisher import Publisher
from streams.store import Claimed, Token
from streams.times import DAY, HOUR, MINUTE, SECOND, from_ms
from streams.topics import ATTEMPTS, CONTACTS, DECISIONS, REQUESTS, TOUCHPOINTS
from surveys.caps import ALL, NO_CAPS, Caps, Place
from surveys.contacts import ContactState
from tests.make import NOW
from tests.real.wait import until
from tests.streams.worker import Bench

ME = Token("me", 1)
DAY_LONG = Window("24h", 24 * HOUR, 15 * MINUTE)
CUSTOMERS = [f"c{n}" for n in range(40)]
OLD = Claimed(offset=0, timestamp=0)


class Readers:
    """How many consumers are open, and were ever."""

    def __init__(self) -> None:
        self.open = self.ever = 0

    def reader(self, bootstrap: str) -> LogReader:
        readers = self

        class Counted(LogReader):
            async def __aenter__(self) -> Self:
                readers.ever += 1
                await super().__aenter__()
                readers.open += 1
                return self

            async def __aexit__(
                self,
                kind: type[BaseException] | None,
                error: BaseException | None,
                trace: TracebackType | None,
            ) -> None:
                await super().__aexit__(kind, error, trace)
                readers.open -= 1

        return Counted(bootstrap)


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Readers:
    readers = Readers()
    monkeypatch.setattr(customer_memory, "LogReader", readers.reader)
    return readers


@pytest.fixture
async def memory(bench: Bench) -> CustomerMemory:
    """Over a log with one decision for each customer: on the touchpoint at its number."""
    async with Publisher(bench.bootstrap, bench.topics) as publisher:
        for partition in range(2):
            await publisher.publish([(TOUCHPOINTS, home(partition)[0], b"{}")] * len(CUSTOMERS))
        await publisher.publish([(DECISIONS, customer, encode(decision(customer))) for customer in CUSTOMERS])
    return await over(bench, NO_CAPS)


async def over(bench: Bench, caps: Caps) -> CustomerMemory:
    """Over a state whose partitions are claimed."""
    contacts = CustomersStore(
        bench.redis, bench.namespace, counted=lambda: (caps.around(NOW), ()), windows=[DAY_LONG]
    )
    requests = RequestsStore(bench.redis, bench.namespace)
    for partition in range(2):
        await contacts.claim(partition, ME)
    return CustomerMemory(bench.bootstrap, bench.topics, contacts, requests, caps, lambda: NOW)


async def test_a_state_that_was_lost_knows_each_invitation_once(bench: Bench) -> None:
    """However often its log is read, and though an attempt, its outcome and the request all tell of it."""
    memory, customer = await over(bench, NO_CAPS), CUSTOMERS[0]
    common = {"request_id": "r1", "survey_id": "nps", "customer_id": customer, "channel": "log"}
    at = [from_ms(NOW + n) for n in range(4)]
    asked = SurveyRequest(**common, state="due", decided_at=at[0], due_at=at[0], contact=Contact())
    tried = [Attempt(**common, outcome="attempted", at=at[1]), Attempt(**common, outcome="sent", at=at[2])]
    known = ContactRecord(customer_id=customer, updated_at=at[0], contact=Contact(), answered={"nps": at[3]})
    async with Publisher(bench.bootstrap, bench.topics) as publisher:
        await publisher.publish([(CONTACTS, customer, encode(known)), (REQUESTS, customer, encode(asked))])
        for one in tried:
            await publisher.publish([(ATTEMPTS, f"{customer}\0nps", encode(one))], partition_key=customer)
    for _ in range(2):
        await memory.recover(partition_of(customer, 2), ME, Claimed(offset=None, timestamp=0))
    board = await BoardReader(bench.redis, bench.namespace, [DAY_LONG], 2, lambda: NOW).board()
    assert board.cohorts == {"24h": {"nps": Cohort(1, 1)}}


def decision(customer: str) -> DecisionRecord:
    return DecisionRecord(
        decision_id=f"touchpoints:{partition_of(customer, 2)}:{customer[1:]}",
        customer_id=customer,
        event_id="e1",
        event="Order Delivered",
        decided_at=from_ms(NOW),
        verdicts=[],
    )


def made(memory: CustomerMemory, partition: int) -> list[str]:
    found = [memory.made(partition, offset) for offset in range(len(CUSTOMERS))]
    return [record.customer_id for record in found if record]


def home(partition: int) -> list[str]:
    return [customer for customer in CUSTOMERS if partition_of(customer, 2) == partition]


@pytest.mark.parametrize("claim", [OLD, Claimed(offset=None, timestamp=0)], ids=["known", "lost"])
async def test_partitions_that_are_claimed_together_share_a_consumer(
    memory: CustomerMemory, readers: Readers, claim: Claimed
) -> None:
    await asyncio.gather(*(memory.recover(partition, ME, claim) for partition in range(2)))
    assert [made(memory, partition) for partition in range(2)] == [home(0), home(1)]
    assert (readers.ever, readers.open) == (1, 0)


async def test_a_later_claim_opens_another_consumer(memory: CustomerMemory, readers: Readers) -> None:
    for partition in range(2):
        await memory.recover(partition, ME, OLD)
        assert (readers.ever, readers.open) == (partition + 1, 0)
    assert [made(memory, partition) for partition in range(2)] == [home(0), home(1)]


@pytest.mark.parametrize("at", ["ever", "open"], ids=["connecting", "reading"])
async def test_a_claim_that_is_given_up_leaves_the_others_alone(
    memory: CustomerMemory, readers: Readers, at: str
) -> None:
    """A rebalance gives up the claims of partitions that go to another worker."""
    given_up, kept = (asyncio.create_task(memory.recover(partition, ME, OLD)) for partition in range(2))
    await until(lambda: getattr(readers, at), every=0, message="the first has begun")
    given_up.cancel()
    await kept
    assert given_up.cancelled()
    assert made(memory, 1) == home(1)
    assert readers.open == 0
    gc.collect()  # a consumer that nobody closed says so


async def test_what_the_state_knows_is_not_taken_over(memory: CustomerMemory) -> None:
    half = len(CUSTOMERS) // 2
    await memory.recover(0, ME, Claimed(offset=half, timestamp=0))
    assert made(memory, 0) == [customer for customer in home(0) if int(customer[1:]) >= half]
    memory.passed(0, len(CUSTOMERS) - 5)
    assert made(memory, 0) == [customer for customer in home(0) if int(customer[1:]) >= len(CUSTOMERS) - 5]


async def test_the_log_is_ahead_until_all_its_decisions_are_taken_over(memory: CustomerMemory) -> None:
    await memory.recover(0, ME, OLD)
    assert memory.ahead(0)
    memory.passed(0, len(CUSTOMERS))
    assert not memory.ahead(0)


async def test_decisions_on_what_the_log_does_not_hold_are_not_waited_for(
    memory: CustomerMemory, bench: Bench
) -> None:
    """Of a topic that was made anew: such a place is never passed, or is another touchpoint's."""
    beyond = decision(home(0)[0])
    beyond.decision_id = f"touchpoints:0:{len(CUSTOMERS)}"
    async with Publisher(bench.bootstrap, bench.topics) as publisher:
        await publisher.publish([(DECISIONS, home(0)[0], encode(beyond))])
    await memory.recover(0, ME, OLD)
    memory.passed(0, len(CUSTOMERS))
    assert not memory.ahead(0)


async def test_a_state_that_is_gone_learns_how_often_everybody_was_asked(
    memory: CustomerMemory, bench: Bench
) -> None:
    customer = home(0)[0]
    sent = [request(customer, f"r{number}", NOW + number * DAY) for number in range(3)]
    waiting = request(customer, "r3", NOW + 3 * DAY, state="scheduled")
    async with Publisher(bench.bootstrap, bench.topics) as publisher:
        await publisher.publish([(REQUESTS, customer, encode(one)) for one in [*sent, waiting, sent[0]]])
    await memory.recover(0, ME, Claimed(offset=None, timestamp=0))
    known = await CustomersStore(bench.redis, bench.namespace).known(0, [customer])
    assert known.contacts[customer] == ContactState(
        asked={"nps": NOW + 2 * DAY}, recent={"r0": NOW, "r1": NOW + DAY, "r2": NOW + 2 * DAY}
    )


def going(customer: str, offset: int, at: int, *settles: str) -> DecisionRecord:
    """A survey was sent off, at once or as an ask that was scheduled."""
    id_ = settles[0] if settles else f"r{offset}"
    return DecisionRecord(
        decision_id=f"touchpoints:0:{offset}" if not settles else f"settled:{id_}",
        customer_id=customer,
        event_id=f"e{offset}",
        event="Order Delivered",
        decided_at=from_ms(at),
        verdicts=[Verdict(survey_id="nps", decision="asked", reason="triggered", request_id=id_)],
        settles=settles[0] if settles else None,
    )


@pytest.mark.parametrize(
    "claim",
    [
        Claimed(offset=None, timestamp=0),
        Claimed(offset=0, timestamp=0),
        Claimed(offset=9, timestamp=2**41),  # nothing is new, and yet a cap is
    ],
    ids=["lost", "older", "new cap"],
)
async def test_what_the_log_says_was_sent_off_counts_against_the_caps(bench: Bench, claim: Claimed) -> None:
    customer = home(0)[0]
    records = [
        going(customer, 1, NOW),
        going(customer, 2, NOW),
        going(customer, 2, NOW),  # published twice
        going(customer, 3, NOW, "scheduled"),
        going(customer, 4, NOW - DAY),
        going(customer, 5, NOW - 3 * DAY),
    ]
    async with Publisher(bench.bootstrap, bench.topics) as publisher:
        await publisher.publish([(DECISIONS, customer, encode(one)) for one in records])
    caps = Caps({"nps": 9, ALL: 9})
    memory = await over(bench, caps)
    for _ in range(2):  # as of a claim that was given up in between
        await memory.recover(0, ME, claim)
    store = CustomersStore(bench.redis, bench.namespace, counted=lambda: (caps.around(NOW), ()))
    today, counts = caps.day(NOW), (await store.known(0, [])).sent
    assert {place: n for place, n in counts.items() if n} == {
        Place(today, "nps"): 3,
        Place(today, ALL): 3,
        Place(today - 1, "nps"): 1,
        Place(today - 1, ALL): 1,
    }


@pytest.mark.parametrize("claim", [Claimed(offset=None, timestamp=0), OLD], ids=["lost", "older"])
async def test_links_and_offers_that_the_state_has_forgotten_work_again(
    memory: CustomerMemory, bench: Bench, claim: Claimed
) -> None:
    now = int(time.time() * SECOND)
    ann, bob, *_ = home(0)
    due = [replace(request(customer, f"due-{customer}", now), channel="web") for customer in (ann, bob)]
    sent = Attempt(
        request_id=due[0].request_id,
        survey_id="nps",
        customer_id=ann,
        channel="web",
        outcome="sent",
        at=from_ms(now),
    )
    async with Publisher(bench.bootstrap, bench.topics) as publisher:
        await publisher.publish([(REQUESTS, one.customer_id, encode(one)) for one in due])
        await publisher.publish([(ATTEMPTS, f"{ann}\0nps", encode(sent))], partition_key=ann)
    for _ in range(2):  # as of a claim that was given up in between
        await memory.recover(0, ME, claim)
    requests = RequestsStore(bench.redis, bench.namespace)
    found = await requests.find(due[0].request_id)
    assert found
    assert found.request == due[0]
    assert await requests.offered(ann, 0) == [due[0].request_id]
    assert await requests.find(due[1].request_id) is None  # delivery is still to come
    assert await requests.offered(bob, 0) == []


def request(customer: str, request_id: str, at: int, state: Literal["due", "scheduled"] = "due") -> SurveyRequest:
    return SurveyRequest(
        request_id=request_id,
        survey_id="nps",
        customer_id=customer,
        channel="log",
        state=state,
        decided_at=from_ms(NOW),
        due_at=from_ms(at),
        contact=Contact(),
    )
