"""From touchpoint to mail, whatever dies in between: what the logs and the mailbox say of 10,000 touchpoints."""

import asyncio
import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.conftest import RunPart, Serve
from tests.faults.site import RESTART, Site, serving, site
from tests.faults.test_customers import every_ask_settled_once, one_decision_each, settled
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.redis import Redis
from tests.real.smtp import Mailbox
from tests.real.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(600)]

TOUCHPOINTS, CONTACTS, LIVELY = 10_000, 3_000, 200  # to the lively ones happens half of it all
PER_DAY = 1_200  # fewer than would be sent without a cap
QUIET_S = {"all": 4, "purchase": 10, "support": 6}
SURVEYS = [
    {
        "id": "purchase",
        "trigger": "Order Delivered",
        "channel": "mail",
        "delay": "2s",
        "quiet_period": f"{QUIET_S['purchase']}s",
        "reminder": "6s",
        "cancel": ["Order Returned"],
    },
    {
        "id": "support",
        "trigger": "Ticket Solved",
        "channel": "mail",
        "quiet_period": f"{QUIET_S['support']}s",
        "delay": "1s",
        "defer": "20s",
    },
]
NAMES = ["Order Delivered", "Ticket Solved", "Order Returned", *["Page Viewed"] * 7]


class DeadlyMailbox(Mailbox):
    """A receiver that may kill who sends, before it takes the mail or after; no reply reaches anybody."""

    def __init__(self) -> None:
        super().__init__()
        self.victim: Livenps | None = None
        self.struck = threading.Event()
        self.takes = True

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        victim, self.victim = self.victim, None
        if victim:
            victim.kill()
        reply = await super().handle_DATA(server, session, envelope) if self.takes or not victim else "451 later"
        if victim:
            self.struck.set()
        return reply


@pytest.fixture
def mailbox() -> Iterator[DeadlyMailbox]:
    mailbox = DeadlyMailbox()
    mailbox.start()
    yield mailbox
    mailbox.stop()


@pytest.fixture
def redis(run_part: RunPart) -> Redis:
    return run_part(Redis())


@pytest.fixture
async def here(kafka: Kafka, redis: Redis, namespace: str) -> AsyncIterator[Site]:
    async with site(kafka.bootstrap, redis.url, namespace, lane="c", role="touchpoints") as here:
        yield here


def happenings(chance: random.Random) -> list[dict[str, Any]]:
    """Touchpoints of many contacts, some of whom answer, decline or unsubscribe; some events come twice."""
    events: list[dict[str, Any]] = []
    for number in range(TOUCHPOINTS):
        who = chance.randrange(LIVELY if number % 2 else CONTACTS)
        common = {"customer_id": f"c{who}", "event_id": f"e{number}", "contact": {"email": f"c{who}@example.com"}}
        event = {"type": "touchpoint", "event": chance.choice(NAMES), **common}
        events += [event] * chance.choice([1] * 9 + [2])
        if chance.random() < 0.05:
            what = chance.choice(["answered", "declined", "declined", "unsubscribed"])
            other = {"type": what, "customer_id": f"c{who}", "event_id": f"{what}{number}"}
            events.append(other if what == "unsubscribed" else {**other, "survey_id": "purchase"})
    return events


class Faults:
    """What dies, and when: each method is one fault at a random step of the way."""

    def __init__(
        self, here: Site, program: Livenps, redis: Redis, mailbox: DeadlyMailbox, chance: random.Random
    ) -> None:
        self._here, self._program, self._redis = here, program, redis
        self._mailbox, self._chance = mailbox, chance

    async def deciding(self) -> None:
        """The worker dies at some batch or tick of the customer lane."""
        await self._here.reached(await self._here.position() + self._chance.randrange(1, 300))
        self._again()

    async def publishing(self) -> None:
        """It dies while returned events wait for the relay."""
        keys = [f"{self._here.namespace}:{{c{n}}}:out" for n in range(self._here.partitions)]

        async def waiting() -> bool:
            return any([await self._here.redis.xlen(key) for key in keys])

        await until(waiting, timeout=RESTART, every=0.001, message="returned events wait")
        self._again()

    async def sending(self) -> None:
        """It dies amid a mail, which the server has taken or not."""
        self._mailbox.takes = self._chance.random() < 0.5
        self._mailbox.victim = self._program
        await until(self._mailbox.struck.is_set, timeout=RESTART, message="a mail was on its way")
        self._mailbox.struck.clear()
        self._program.launch()

    async def forgetting(self) -> None:
        """Redis forgets everything."""
        await self._here.redis.flushall()

    async def going_back(self) -> None:
        """Redis comes back with an older append-only file."""
        kept = self._redis.keep()
        before = len(self._mailbox.messages)
        await until(
            lambda: len(self._mailbox.messages) >= before + 50, timeout=RESTART, message="mails since the backup"
        )
        self._redis.kill()
        self._redis.put_back(kept)
        self._redis.launch()
        await until(self._redis.answers, timeout=RESTART)

    def _again(self) -> None:
        self._program.kill()
        self._program.launch()


async def test_10_000_touchpoints_from_the_event_to_the_mail(
    here: Site, serve: Serve, redis: Redis, mailbox: DeadlyMailbox
) -> None:
    chance = random.Random(17)
    now = round(time.time(), 3)
    given = [{**event, "occurred_at": now} for event in happenings(chance)]
    program = serve(
        {
            "redis": {"url": redis.url},
            "asking": {"quiet_period": f"{QUIET_S['all']}s", "per_day": PER_DAY},
            "surveys": SURVEYS,
            "mail": {"url": f"smtp://{mailbox.host}:{mailbox.port}"},
        }
    )
    faults = Faults(here, program, redis, mailbox, chance)
    async with here.feeding([(one["customer_id"], json.dumps(one).encode()) for one in given]):
        await here.reached(1_000)
        # One who was killed amid a mail leaves a lease of a minute behind, which only a lost or older Redis ends.
        for fault in (
            faults.sending,
            faults.deciding,
            faults.forgetting,
            faults.publishing,
            faults.going_back,
        ):
            await fault()
            await asyncio.sleep(chance.uniform(0, 1))  # where the next one strikes
    await serving(program)
    await faults.sending()
    await faults.forgetting()
    await serving(program)
    await settled(here)
    await until(lambda: delivered(here), timeout=240, every=1, message="every request has an outcome")

    decisions = await here.read("survey.decisions")
    touchpoints = {(one["customer_id"], one["event_id"]) for one in given if one["type"] == "touchpoint"}
    one_decision_each(decisions, touchpoints, ["purchase", "support"])
    reasons = every_ask_settled_once(decisions)
    assert reasons >= {"due", "cancelled", "reminder", "answered", "declined", "unsubscribed", "cap_all"}
    nobody_asked_inside_a_quiet_period(decisions)
    nobody_written_to_who_has_unsubscribed(decisions, given)
    requests, attempts = await here.read("survey.requests"), await here.read("survey.attempts")
    the_cap_holds(requests)
    no_mail_twice(requests, attempts, mailbox)
    unknown = sum(one["outcome"] == "unknown" for one in newest(attempts).values())
    print(f"{len(newest(attempts))} requests, {len(mailbox.messages)} mails, {unknown} sends ended unknown")
    assert await here.read("dead-letters") == []


async def delivered(here: Site) -> bool:
    due = {one["request_id"] for one in await here.read("survey.requests") if one["state"] == "due"}
    outcomes = newest(await here.read("survey.attempts"))
    return all(id_ in outcomes and outcomes[id_]["outcome"] != "attempted" for id_ in due)


def newest(attempts: list[Any]) -> dict[str, Any]:
    """The last attempt's record of each request."""
    return {one["request_id"]: one for one in attempts}


def nobody_asked_inside_a_quiet_period(decisions: list[Any]) -> None:
    asked: dict[str, set[tuple[float, str]]] = defaultdict(set)
    for one in decisions:
        for verdict in one["verdicts"]:
            if verdict["decision"] == "asked":
                at = datetime.fromisoformat(one["decided_at"]).timestamp()
                asked[one["customer_id"]].add((at, verdict["survey_id"]))
    assert sum(map(len, asked.values())) > len(asked) + 10 > 500  # some more than once
    for sent in asked.values():
        times = sorted(sent)
        assert all(later - earlier >= QUIET_S["all"] for (earlier, _), (later, _) in pairwise(times))
        for survey in ("purchase", "support"):
            own = [at for at, of in times if of == survey]
            assert all(later - earlier >= QUIET_S[survey] for earlier, later in pairwise(own))


def nobody_written_to_who_has_unsubscribed(decisions: list[Any], given: list[dict[str, Any]]) -> None:
    """As soon as the log shows that the lane has passed it: by a decision on something that happened later."""
    left: dict[str, int] = {}
    places = {}
    for place, one in enumerate(given):
        places[one["event_id"]] = place
        if one["type"] == "unsubscribed":
            left.setdefault(one["customer_id"], place)
    passed: set[str] = set()
    told: dict[str, Any] = {}  # once each: a worker that died may have told some again
    for one in decisions:
        told.setdefault(one["decision_id"], one)
    for one in told.values():
        customer = one["customer_id"]
        if "settles" not in one and places[one["event_id"]] > left.get(customer, len(given)):
            passed.add(customer)
        if customer in passed:
            assert not {verdict["decision"] for verdict in one["verdicts"]} & {"asked", "scheduled", "reminded"}
    assert passed


def the_cap_holds(requests: list[Any]) -> None:
    """Of a day, reminders too; each partition keeps to its share, and there are customers enough in each."""
    days: dict[str, set[str]] = defaultdict(set)
    for one in requests:
        if one["state"] == "due":
            days[one["due_at"][:10]].add(one["request_id"])
    assert 0.9 * PER_DAY <= max(map(len, days.values())) <= PER_DAY


def no_mail_twice(requests: list[Any], attempts: list[Any], mailbox: Mailbox) -> None:
    """What was sent has arrived once, what is unknown once or not at all, and nothing else has."""
    due = {one["request_id"]: one for one in requests if one["state"] == "due"}
    arrived = [str(mail["Message-ID"]).strip("<>").partition("@")[0] for mail in mailbox.messages]
    assert len(set(arrived)) == len(arrived)
    outcomes = newest(attempts)
    assert set(outcomes) == set(due)
    sent = {id_ for id_, one in outcomes.items() if one["outcome"] == "sent"}
    unknown = {id_ for id_, one in outcomes.items() if one["outcome"] == "unknown"}
    assert sent <= {*arrived} <= sent | unknown
    begun = [one["request_id"] for one in attempts if one["outcome"] == "attempted"]
    assert len(set(begun)) == len(begun)
    for id_, mail in zip(arrived, mailbox.messages, strict=True):
        assert mail["To"] == f"{due[id_]['customer_id']}@example.com"
    reminders = {id_: one["reminds"] for id_, one in due.items() if "reminds" in one and id_ in arrived}
    assert len(reminders) > 100
    assert all(arrived.index(of) < arrived.index(id_) for id_, of in reminders.items() if of in arrived)
