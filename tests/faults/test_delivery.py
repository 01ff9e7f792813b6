"""A survey that is on its way when the program ends."""

import json
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.conftest import Serve
from tests.faults.site import RESTART, Site, serving, site
from tests.real.kafka import Kafka
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
