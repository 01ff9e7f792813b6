"""A survey that is on its way when the program ends."""

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from streams.channel import IN_FLIGHT
from tests.conftest import Serve
from tests.faults.site import RESTART, Site, serving, site
from tests.real.kafka import Kafka
from tests.real.ports import free_port
from tests.real.smtp import Mailbox
from tests.real.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.slow]

SURVEYS = [{"id": "post-purchase", "trigger": "Order Delivered", "channel": "mail"}]


class SlowMailbox(Mailbox):
    """A receiver that says yes only once it may; `asked` counts the mails that wait or waited."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.may = threading.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.asked += 1
        self.may.wait(20)  # the receiver has a thread of its own
        return await super().handle_DATA(server, session, envelope)


@pytest.fixture
def slow() -> Iterator[SlowMailbox]:
    mailbox = SlowMailbox()
    mailbox.start()
    yield mailbox
    mailbox.may.set()
    mailbox.stop()


@pytest.fixture
async def here(kafka: Kafka, redis_url: str, namespace: str) -> AsyncIterator[Site]:
    async with site(kafka.bootstrap, redis_url, namespace, lane="c", role="touchpoints") as here:
        yield here


async def test_a_mail_on_its_way_is_finished_before_the_program_ends(
    here: Site, serve: Serve, slow: SlowMailbox
) -> None:
    changes = {"surveys": SURVEYS, "mail": {"url": f"smtp://{slow.host}:{slow.port}"}}
    program = serve(changes)
    event = {
        "type": "touchpoint",
        "event": "Order Delivered",
        "event_id": "e1",
        "customer_id": "c1",
        "occurred_at": time.time(),
        "contact": {"email": "ann@example.com"},
    }
    await here.feed([("c1", json.dumps(event).encode())])
    await until(lambda: slow.asked, timeout=20)
    program.signal(signal.SIGTERM)
    await until(lambda: not program.answers())
    slow.may.set()
    assert program.exit_code() == 0
    assert [one["outcome"] for one in await here.read("survey.attempts")] == ["attempted", "sent"]

    program.launch()
    await until(program.answers, timeout=RESTART)
    await serving(program)
    assert slow.asked == 1


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    yield mailbox
    mailbox.stop()


async def test_mails_wait_for_a_server_that_is_away_through_a_restart(
    here: Site, serve: Serve, mailbox: Mailbox
) -> None:
    """More of them than are in flight at a time, each with a telephone number that would cost money."""
    customers = [f"c{n}" for n in range(IN_FLIGHT + 14)]
    program = serve(
        {
            "surveys": [{**SURVEYS[0], "channel": ["mail", "sms"]}],
            "mail": {"url": f"smtp://{mailbox.host}:{mailbox.port}"},
            "sms": {"url": f"http://127.0.0.1:{free_port()}/"},
        }
    )
    await here.feed([(one, json.dumps(ordered(one)).encode()) for one in customers])

    async def tried(times: int) -> bool:
        """Whether all that are in flight were delayed so many times."""
        found = Counter(one["customer_id"] for one in await attempts(here) if one["outcome"] == "delayed")
        return sum(n >= times for n in found.values()) >= IN_FLIGHT

    await until(lambda: tried(6), timeout=90, every=0.5, message="more tries than a refusal would have got")
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0
    newest = {one["customer_id"]: one["outcome"] for one in await attempts(here)}
    assert set(newest.values()) == {"delayed"}

    program.launch()
    await until(program.answers, timeout=RESTART)
    mailbox.start()
    await until(lambda: len(mailbox.messages) == len(customers), timeout=RESTART, message="all arrive")
    await serving(program)

    async def settled() -> bool:
        return bool(sum(one["outcome"] == "sent" for one in await attempts(here)) == len(customers))

    await until(settled, timeout=20, message="each has its outcome")
    assert sorted(str(mail["To"]) for mail in mailbox.messages) == sorted(f"{c}@example.com" for c in customers)
    assert {one["outcome"] for one in await attempts(here)} == {"attempted", "delayed", "sent"}
    assert {one["channel"] for one in await here.read("survey.requests")} == {"mail"}


async def attempts(here: Site) -> list[Any]:
    return await here.read("survey.attempts")


def ordered(customer: str) -> dict[str, Any]:
    number = f"+4917012345{int(customer[1:]):02}"
    return {
        "type": "touchpoint",
        "event": "Order Delivered",
        "event_id": f"e-{customer}",
        "customer_id": customer,
        "occurred_at": time.time(),
        "contact": {"email": f"{customer}@example.com", "phone": number, "consent": {"sms": True}},
    }
