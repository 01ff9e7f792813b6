"""Delivery over real Kafka, Redis and SMTP: an attempt stands before a send, and nothing is sent twice."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import msgspec
import pytest

from sinks.mail import MailSender, MailServer
from sinks.redis import client
from sinks.redis.requests import RequestsStore
from sinks.web import WebSender
from streams import delivery
from streams.attempts import Attempts
from streams.delivery import Delivery, Invitation, Sender, Turn, at_once
from streams.errors import DeliveryDelayed, DeliveryFailed, DeliveryUnknown
from streams.events import Attempt, Contact, SurveyRequest, encode
from streams.publisher import Publisher
from streams.times import DAY, SECOND
from streams.topics import ATTEMPTS, DEAD_LETTERS, REQUESTS
from surveys.contacts import NOBODY, ContactState
from surveys.survey import Survey
from tests.make import NOW
from tests.real import records
from tests.real.ports import free_port
from tests.real.redis import Redis
from tests.real.smtp import Mailbox
from tests.real.wait import until
from tests.sinks.invitations import invitation, request
from tests.streams.worker import Bench

SURVEYS = {"nps": Survey(id="nps", channel="mail", trigger="Order Delivered")}
LINK = "https://feedback.example.com/s/"
DELAYED = [("q1", "attempted"), ("q1", "delayed")]
SUBJECT = "One question, ten seconds"


@dataclass
class Told:
    """A channel that does as it is told: one outcome after the other, the last one for ever."""

    outcomes: list[BaseException | None] = field(default_factory=lambda: [None])
    sent: list[str] = field(default_factory=list)
    tries: int = 0
    before: Callable[[], Any] | None = None

    async def send(self, invitation: Invitation) -> None:
        if self.before:
            await self.before()
        self.tries += 1
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if outcome:
            raise outcome
        self.sent.append(invitation.request.request_id)


@dataclass
class Desk:
    """A delivery with its real state and topics, over a channel of the test's choice."""

    bench: Bench
    publisher: Publisher
    requests: RequestsStore
    now: float = NOW / SECOND
    state: ContactState = NOBODY  # what is known of every customer

    async def known(self, _: str) -> ContactState:
        return self.state

    def over(
        self,
        sender: Sender,
        surveys: Callable[[str], Survey | None] = SURVEYS.get,
        turn: Turn = at_once,
        **others: Sender,
    ) -> Delivery:
        topic = self.bench.topics[REQUESTS].name
        senders = {"mail": sender, **others}
        attempts = Attempts(self.bench.bootstrap, self.bench.topics[ATTEMPTS])
        return Delivery(
            surveys,
            senders,
            self.requests,
            self.publisher,
            attempts,
            topic,
            lambda id_: LINK + id_,
            "Our shop",
            turn,
            self.known,
            clock=lambda: self.now,
        )

    async def attempts(self) -> list[tuple[str, str]]:
        """Request id and outcome of every attempt's record, in the order of the log."""
        found = await records.read(self.bench.bootstrap, self.bench.topics[ATTEMPTS].name)
        return [(one["request_id"], one["outcome"]) for one in (json.loads(record.value) for record in found)]

    async def reason(self) -> str:
        found = await records.read(self.bench.bootstrap, self.bench.topics[ATTEMPTS].name)
        return str(json.loads(found[-1].value).get("reason", ""))

    async def letters(self) -> list[dict[str, Any]]:
        found = await records.read(self.bench.bootstrap, self.bench.topics[DEAD_LETTERS].name)
        return [json.loads(record.value) for record in found]

    async def deliveries(self, outcome: str) -> int:
        return (await self.bench.board()).count("survey_deliveries_total", "nps", "mail", outcome)


@pytest.fixture
async def desk(bench: Bench) -> AsyncIterator[Desk]:
    publisher = Publisher(bench.bootstrap, bench.topics)
    async with publisher:
        yield Desk(bench, publisher, RequestsStore(bench.redis, bench.namespace))


def by_mail(smtp: Mailbox) -> MailSender:
    server = MailServer(smtp.host, smtp.port, tls=False, username=None, password=None)
    return MailSender(server, "shop@example.com", "Our shop")


def record(one: SurveyRequest | None = None) -> bytes:
    return encode(one or request())


# what is sent


async def test_a_template_that_fails_on_one_contact_is_a_dead_letter_and_the_rest_go_on(
    desk: Desk, smtp: Mailbox
) -> None:
    wording = {"subject": "How is your {{ product }}?"}
    survey = Survey(id="made", channel="mail", wording=wording, variables=["product"])
    delivery = desk.over(by_mail(smtp), {"made": survey}.get)
    requests = [
        request("q1", survey_id="made"),
        request("q2", survey_id="made", properties={"product": "espresso\r\nBcc: all@example.com"}),
    ]
    for offset, one in enumerate(requests):
        await delivery.handle(record(one), 0, offset)
    (letter,) = await desk.letters()
    assert (letter["reason"], letter["offset"]) == ("template", 0)
    assert letter["detail"] == "survey made: subject: 'product' is undefined"
    assert [message["Subject"] for message in smtp.messages] == ["How is your espresso Bcc: all@example.com?"]
    assert await desk.attempts() == [("q2", "attempted"), ("q2", "sent")]

    repaired = Survey(id="made", channel="mail", wording={"subject": "How is it?"})
    await desk.over(by_mail(smtp), {"made": repaired}.get).handle(record(requests[0]), 0, 2)  # as it is replayed
    assert [message["Subject"] for message in smtp.messages][1:] == ["How is it?"]


async def test_a_due_request_is_sent_with_its_link(desk: Desk, smtp: Mailbox) -> None:
    await desk.over(by_mail(smtp)).handle(record(), 0, 0)
    (message,) = smtp.messages
    assert f"{LINK}q1" in text(message)
    assert await desk.attempts() == [("q1", "attempted"), ("q1", "sent")]
    assert await desk.deliveries("sent") == 1


async def test_a_reminder_leads_to_the_invitations_page_and_leaves_its_attempt_alone(
    desk: Desk, smtp: Mailbox
) -> None:
    """The topic keeps the newest attempt of a key, which tells who was asked and when."""
    delivery = desk.over(by_mail(smtp))
    for offset, one in enumerate([request(), request("q1-reminder", reminds="q1")]):
        await delivery.handle(record(one), 0, offset)
    invitation, reminder = smtp.messages
    assert (invitation["Subject"], reminder["Subject"]) == (SUBJECT, f"Reminder: {SUBJECT}")
    assert [line for line in text(invitation).splitlines() if line.startswith(LINK)] == [f"{LINK}q1"]
    assert [line for line in text(reminder).splitlines() if line.startswith(LINK)] == [f"{LINK}q1"]
    found = await records.read(desk.bench.bootstrap, desk.bench.topics[ATTEMPTS].name)
    newest = {one.key: json.loads(one.value) for one in found}
    assert [(one["request_id"], one["outcome"], one.get("reminds")) for one in newest.values()] == [
        ("q1", "sent", None),
        ("q1-reminder", "sent", "q1"),
    ]
    assert await desk.deliveries("sent") == 1
    board = await desk.bench.board()
    assert board.count("survey_reminders_total", "nps", "mail", "sent") == 1


def text(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    content: str = body.get_content()
    return content


async def test_the_attempt_is_on_the_log_before_the_send_and_the_outcome_is_not(desk: Desk) -> None:
    seen: list[list[tuple[str, str]]] = []

    async def look() -> None:
        seen.append(await desk.attempts())

    await desk.over(Told(before=look)).handle(record(), 0, 0)
    assert seen == [[("q1", "attempted")]]
    assert await desk.attempts() == [("q1", "attempted"), ("q1", "sent")]


@pytest.mark.parametrize("outcomes", [[None], [DeliveryFailed("no")], [DeliveryUnknown("half")]], ids=str)
async def test_what_redis_has_forgotten_the_log_has_not(desk: Desk, outcomes: list[BaseException | None]) -> None:
    """A lost Redis, and the request comes again: from this worker, and from one that has just started."""
    channel = Told(outcomes)
    first = desk.over(channel)
    await first.handle(record(), 0, 0)
    before = await desk.attempts()
    for worker in (first, desk.over(channel)):
        await desk.bench.redis.flushall()
        await worker.handle(record(), 0, 1)
    assert channel.tries == 1
    assert await desk.attempts() == before
    assert await desk.deliveries(before[-1][1]) == 1


async def test_an_attempt_that_only_the_log_knows_and_nobody_finished_is_unknown(desk: Desk) -> None:
    channel = Told([asyncio.CancelledError()], before=desk.bench.redis.flushall)
    with pytest.raises(asyncio.CancelledError):
        await desk.over(channel).handle(record(), 0, 0)
    await desk.over(channel).handle(record(), 0, 0)
    assert channel.tries == 1
    assert await desk.attempts() == [("q1", "attempted"), ("q1", "unknown")]


async def test_an_interrupted_attempt_that_was_restored_gets_its_outcome(desk: Desk) -> None:
    """Who fills a lost state again must not settle what only delivery can write to the log."""
    channel = Told([asyncio.CancelledError()], before=desk.bench.redis.flushall)
    with pytest.raises(asyncio.CancelledError):
        await desk.over(channel).handle(record(), 0, 0)
    await desk.requests.restore(request(), "attempted")
    await desk.over(channel).handle(record(), 0, 0)
    assert channel.tries == 1
    assert await desk.attempts() == [("q1", "attempted"), ("q1", "unknown")]
    assert await desk.deliveries("unknown") == 1


async def test_another_workers_attempts_are_read_after_the_group_has_changed(desk: Desk) -> None:
    channel = Told()
    first, second = desk.over(channel), desk.over(channel)
    await first.handle(record(), 0, 0)
    await second.handle(record(request("q2")), 0, 1)
    await first.handle(record(request("q3")), 0, 2)
    await desk.bench.redis.flushall()
    second.attempts.forget()
    await second.handle(record(request("q3")), 0, 2)
    assert channel.sent == ["q1", "q2", "q3"]


async def test_a_request_that_is_more_than_a_day_late_is_not_sent_and_leaves_the_memory_alone(desk: Desk) -> None:
    channel = Told()
    late = desk.over(channel)
    desk.now += (DAY + SECOND) / SECOND
    await late.handle(record(), 0, 0)
    assert channel.tries == 0
    assert await desk.attempts() == []
    assert await desk.deliveries("failed") == 1


@pytest.mark.parametrize("state", ["scheduled", "cancelled"])
async def test_what_is_not_due_is_not_sent(desk: Desk, state: str) -> None:
    channel = Told()
    await desk.over(channel).handle(record(request(state=state)), 0, 0)
    assert channel.tries == 0
    assert await desk.attempts() == []


async def test_a_request_that_is_read_again_is_not_sent_again(desk: Desk) -> None:
    channel = Told()
    for _ in range(3):
        await desk.over(channel).handle(record(), 0, 0)
    assert channel.sent == ["q1"]
    assert await desk.attempts() == [("q1", "attempted"), ("q1", "sent")]
    assert await desk.deliveries("sent") == 1


async def test_two_workers_with_one_request_send_it_once(desk: Desk) -> None:
    channel = Told()
    held = asyncio.Event()
    channel.before = held.wait
    first = asyncio.create_task(desk.over(channel).handle(record(), 0, 0))
    await until(lambda: _attempted(desk))
    second = asyncio.create_task(desk.over(channel).handle(record(), 0, 0))
    held.set()
    async with asyncio.timeout(10):  # long before a lease would be over
        await asyncio.gather(first, second)
    assert channel.sent == ["q1"]
    assert await desk.attempts() == [("q1", "attempted"), ("q1", "sent")]


async def _attempted(desk: Desk) -> bool:
    return bool(await desk.attempts())


async def test_an_interrupted_attempt_is_unknown_and_not_sent_again(desk: Desk) -> None:
    channel = Told()
    assert await desk.requests.begin(request(), lease=1, by="it") == "new"  # a worker that ended right then
    for _ in range(2):
        await desk.over(channel).handle(record(), 0, 0)
    assert channel.tries == 0
    assert await desk.attempts() == [("q1", "unknown")]
    assert await desk.deliveries("unknown") == 1


@pytest.mark.parametrize("written", [False, True])
async def test_an_interrupted_card_is_offered_again_and_waits_once(desk: Desk, written: bool) -> None:
    """Whether the attempt had reached the log or not, and whether it had been offered or not."""
    desk.now = time.time()  # Redis' own clock says what waits
    waiting = request(channel="web", due_at=desk.now)
    if written:
        cut = Told([asyncio.CancelledError()], before=lambda: desk.requests.offer(waiting))
        with pytest.raises(asyncio.CancelledError):
            await desk.over(cut, web=cut).handle(record(waiting), 0, 0)
        await desk.bench.redis.hset(desk.requests._key("q1"), "until", 0)  # its lease has run out
    else:
        assert await desk.requests.begin(waiting, lease=1, by="it") == "new"
    for _ in range(2):
        await desk.over(Told(), web=WebSender(desk.requests)).handle(record(waiting), 0, 0)
    assert await desk.requests.offered("c1", 0) == ["q1"]
    assert (await desk.attempts())[-1] == ("q1", "sent")
    assert ("q1", "unknown") not in await desk.attempts()
    assert (await desk.bench.board()).count("survey_deliveries_total", "nps", "web", "sent") == 1


async def test_a_card_waits_for_a_redis_that_is_away() -> None:
    """However long: a try that takes more than its time would be unknown."""
    away = client.connect(f"redis://127.0.0.1:{free_port()}")
    with pytest.raises(DeliveryDelayed) as raised:
        await WebSender(RequestsStore(away, "livenps")).send(invitation(channel="web"))
    assert raised.value.gateway_away
    await away.aclose()


async def test_what_may_have_arrived_is_unknown_and_not_sent_again(desk: Desk) -> None:
    channel = Told([DeliveryUnknown("the connection ended")])
    for _ in range(2):
        await desk.over(channel).handle(record(), 0, 0)
    assert channel.tries == 1
    assert await desk.attempts() == [("q1", "attempted"), ("q1", "unknown")]
    assert await desk.reason() == "the connection ended"


# what is refused


async def test_a_refusal_for_good_is_one_try(desk: Desk, smtp: Mailbox) -> None:
    smtp.reply = "550 no such user"
    await desk.over(by_mail(smtp)).handle(record(), 0, 0)
    assert await desk.attempts() == [("q1", "attempted"), ("q1", "failed")]
    assert await desk.reason() == "550 no such user"
    smtp.reply = "250 OK"
    await desk.over(by_mail(smtp)).handle(record(), 0, 0)
    assert smtp.messages == []
    assert await desk.deliveries("failed") == 1


async def test_a_server_that_is_busy_is_tried_again(desk: Desk, smtp: Mailbox) -> None:
    smtp.reply = "451 try later"
    delivering = asyncio.create_task(desk.over(by_mail(smtp)).handle(record(), 0, 0))
    await until(lambda: _attempted(desk))
    smtp.reply = "250 OK"
    await delivering
    assert len(smtp.messages) == 1
    *tries, last = await desk.attempts()
    assert last == ("q1", "sent")
    assert {outcome for _, outcome in tries} == {"attempted", "delayed"}


async def test_after_many_tries_it_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "TRIES", 2)
    channel = Told([DeliveryDelayed("451 try later")])
    await desk.over(channel).handle(record(), 0, 0)
    assert channel.tries == 2
    assert await desk.attempts() == [*DELAYED, ("q1", "attempted"), ("q1", "failed")]
    assert await desk.reason() == "gave up after 2 tries: 451 try later"


async def test_a_delay_and_then_a_refusal(desk: Desk) -> None:
    channel = Told([DeliveryDelayed("not now"), DeliveryFailed("not ever")])
    await desk.over(channel).handle(record(), 0, 0)
    assert channel.tries == 2
    assert await desk.reason() == "not ever"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"survey_id": "gone"}, "the survey is no longer configured"),
        ({"channel": "webhook"}, "the channel webhook is not configured"),
        ({"email": None}, "no usable address"),
        ({"email": "a@b.c\r\nBcc: d@e.f"}, "no usable address"),
    ],
)
async def test_what_cannot_be_sent_has_failed_and_says_why(
    desk: Desk, smtp: Mailbox, change: dict[str, Any], reason: str
) -> None:
    await desk.over(by_mail(smtp)).handle(record(request(**change)), 0, 0)
    assert await desk.attempts() == [("q1", "attempted"), ("q1", "failed")]
    assert await desk.reason() == reason
    assert await desk.letters() == []


# a gateway that is away

AWAY = DeliveryDelayed("connection refused", gateway_away=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two tries while a gateway is away, and so many refusals."""
    monkeypatch.setattr(delivery, "AWAY_S", 0.01)
    monkeypatch.setattr(delivery, "TRIES", 2)


@pytest.mark.usefixtures("impatient")
async def test_while_the_gateway_is_away_no_try_counts(desk: Desk) -> None:
    channel = Told([AWAY, AWAY, AWAY, DeliveryDelayed("450 greylisted"), AWAY, None])
    await desk.over(channel, sms=Told()).handle(record(both()), 0, 0)
    assert channel.sent == ["q1"]
    assert await desk.attempts() == [*DELAYED * 5, ("q1", "attempted"), ("q1", "sent")]
    assert await passed_on(desk) == []


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("state", "reason", "others"),
    [
        (ContactState(unsubscribed=True), "the customer has unsubscribed", []),
        (ContactState(contact=Contact(consent={"mail": False})), "the customer has refused mail", ["q1"]),
        (ContactState(bounced="Ann@example.com"), "the address has come back", ["q1"]),
    ],
)
async def test_who_says_no_while_it_waits_is_not_written_to(
    desk: Desk, state: ContactState, reason: str, others: list[str]
) -> None:
    """The mail server is away, and the customer hears of it by another way."""

    async def say() -> None:
        desk.state = state

    mail, sms = Told([DeliveryDelayed("away", gateway_away=True), None], before=say), Told()
    due = request(fallback=["sms"])
    await desk.over(mail, sms=sms).handle(record(due), 0, 0)
    assert mail.sent == []
    assert await desk.attempts() == [*DELAYED, ("q1", "failed")]
    assert await desk.reason() == reason
    [passed_on] = await records.read(desk.bench.bootstrap, desk.bench.topics[REQUESTS].name)
    await desk.over(mail, sms=sms).handle(passed_on.value, 0, 1)
    assert sms.sent == others


async def test_after_a_day_it_is_given_up_and_no_other_channel_is_paid_for_it(desk: Desk) -> None:
    async def pass_a_day() -> None:
        desk.now += (DAY + SECOND) / SECOND

    channel = Told([AWAY], before=pass_a_day)
    await desk.over(channel, sms=Told()).handle(record(both()), 0, 0)
    assert channel.tries == 1
    assert await desk.attempts() == [*DELAYED, ("q1", "failed")]
    assert await desk.reason() == "it is more than a day late: connection refused"
    assert await passed_on(desk) == []
    assert await desk.deliveries("failed") == 1


async def test_mails_wait_for_a_server_that_is_away_and_arrive_once(desk: Desk, smtp: Mailbox) -> None:
    ids, sms = [f"q{n}" for n in range(10)], Told()
    smtp.stop()
    first = desk.over(by_mail(smtp), sms=sms)
    stopped = [asyncio.create_task(first.handle(record(both(request_id=id_)), 0, 0)) for id_ in ids]
    await until(lambda: _delayed(desk, ids), message="each was tried")
    for one in stopped:
        one.cancel()
    await asyncio.gather(*stopped, return_exceptions=True)

    second = desk.over(by_mail(smtp), sms=sms)
    async with asyncio.timeout(20):  # long before a lease would be over
        going_on = [asyncio.create_task(second.handle(record(both(request_id=id_)), 0, 0)) for id_ in ids]
        before = len(await desk.attempts())
        await until(lambda: _more(desk, before), message="the next worker tries them")
        smtp.start()
        await asyncio.gather(*going_on)
    assert len(smtp.messages) == len(ids)
    assert {outcome for _, outcome in await desk.attempts()} == {"attempted", "delayed", "sent"}
    assert sorted(id_ for id_, outcome in await desk.attempts() if outcome == "sent") == ids
    assert (sms.tries, await passed_on(desk)) == (0, [])


async def _delayed(desk: Desk, ids: list[str]) -> bool:
    return {id_ for id_, outcome in await desk.attempts() if outcome == "delayed"} == {*ids}


async def _more(desk: Desk, than: int) -> bool:
    return len(await desk.attempts()) > than


async def stopped_between_tries(desk: Desk) -> None:
    stopped = asyncio.create_task(desk.over(Told([AWAY])).handle(record(), 0, 0))
    await until(lambda: _delayed(desk, ["q1"]))
    stopped.cancel()
    await asyncio.gather(stopped, return_exceptions=True)


@pytest.mark.parametrize("how", ["killed", "redis lost", "redis restored"])
async def test_who_ends_between_two_tries_leaves_nothing_unknown(desk: Desk, how: str) -> None:
    await stopped_between_tries(desk)
    begun = len(await desk.attempts())
    if how == "killed":  # and nobody let the lease go
        assert await desk.requests.begin(request(), lease=1, by="killed") == "interrupted"
    else:
        await desk.bench.redis.flushall()
    if how == "redis restored":
        await desk.requests.restore(request(), "delayed")
    channel = Told()
    for _ in range(2):
        await desk.over(channel).handle(record(), 0, 0)
    assert channel.sent == ["q1"]
    assert (await desk.attempts())[begun:] == [("q1", "attempted"), ("q1", "sent")]


@pytest.mark.parametrize("lost", [False, True], ids=["redis knows", "redis lost"])
async def test_who_knows_of_a_delay_looks_whether_another_try_was_begun(desk: Desk, lost: bool) -> None:
    """Between reading the log and the request another worker died amid its next try, which may have arrived."""
    await stopped_between_tries(desk)
    channel = Told()
    worker = desk.over(channel)
    await worker.attempts.outcome(request())
    with pytest.raises(asyncio.CancelledError):
        await desk.over(Told([asyncio.CancelledError()])).handle(record(), 0, 0)
    if lost:
        await desk.bench.redis.flushall()
    else:
        await desk.bench.redis.hset(await _key(desk), "until", "0")
    await worker.handle(record(), 0, 0)
    assert channel.tries == 0
    assert (await desk.attempts())[-1] == ("q1", "unknown")


async def _key(desk: Desk) -> str:
    [key] = [key async for key in desk.bench.redis.scan_iter(match=f"{desk.bench.namespace}*:req:q1")]
    return str(key.decode())


async def test_a_redis_that_forgets_between_two_tries_loses_no_survey(desk: Desk) -> None:
    """What is restored is nobody's lease: whoever waits takes it again and goes on."""
    turns = [0.0, 0.5]

    async def turn(_: str) -> float:
        if len(turns) == 1:
            await desk.bench.redis.flushall()
            await desk.requests.restore(request(), "delayed")
        return turns.pop(0)

    channel = Told([AWAY, None])
    async with asyncio.timeout(20):
        await desk.over(channel, turn=turn).handle(record(), 0, 0)
    assert channel.sent == ["q1"]
    assert await desk.attempts() == [*DELAYED, ("q1", "attempted"), ("q1", "sent")]


@pytest.mark.parametrize("failures", [1, 5, 5_000])
def test_a_pause_is_bounded_however_long_an_outage_lasts(failures: int) -> None:
    assert 0.25 <= delivery._backoff(failures, "away", 60) <= 60


# what cannot be processed


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "malformed"),
        (b"", "malformed"),
        (None, "empty"),
        (b'{"type":"survey_request"}', "invalid"),
        (b'{"type":"touchpoint"}', "unknown_type"),
        (b'{"type":"survey_request","version":2}', "unknown_version"),
        (b"x" * 900_000, "malformed"),
    ],
)
async def test_poison_becomes_a_dead_letter_and_the_next_is_sent(
    desk: Desk, value: bytes | None, reason: str
) -> None:
    channel = Told()
    worker = desk.over(channel)
    await worker.handle(value, 1, 41)
    await worker.handle(record(), 1, 42)
    assert channel.sent == ["q1"]
    (letter,) = await desk.letters()
    assert letter["topic"] == desk.bench.topics[REQUESTS].name
    assert (letter["partition"], letter["offset"], letter["reason"]) == (1, 41, reason)
    assert (await desk.bench.board()).count("livenps_dead_letters_total", REQUESTS, reason) == 1


async def test_a_channel_that_breaks_becomes_a_dead_letter(desk: Desk) -> None:
    channel = Told([ZeroDivisionError("a bug")])
    await desk.over(channel).handle(record(), 0, 7)
    (letter,) = await desk.letters()
    assert (letter["offset"], letter["reason"]) == (7, "delivery")
    assert "a bug" in letter["detail"]


# parts that fail


async def test_a_redis_that_is_away_before_the_send(
    desk: Desk, redis_server: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    channel = Told()
    redis_server.kill()
    delivering = asyncio.create_task(desk.over(channel).handle(record(), 0, 0))
    await until(lambda: "delivery waits" in capsys.readouterr().out)
    redis_server.launch()
    await until(redis_server.answers)
    await delivering
    assert channel.sent == ["q1"]
    assert await desk.attempts() == [("q1", "attempted"), ("q1", "sent")]


async def test_a_redis_that_goes_away_after_the_send(
    desk: Desk, redis_server: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """The outcome waits: it would be wrong to call the own attempt an interrupted one."""

    async def kill() -> None:
        redis_server.kill()

    channel = Told(before=kill)
    delivering = asyncio.create_task(desk.over(channel).handle(record(), 0, 0))
    await until(lambda: "delivery waits" in capsys.readouterr().out)
    redis_server.launch()
    await until(redis_server.answers)
    async with asyncio.timeout(20):
        await delivering
    assert channel.sent == ["q1"]
    assert await desk.attempts() == [("q1", "attempted"), ("q1", "sent")]
    assert await desk.deliveries("sent") == 1
    await desk.over(channel).handle(record(), 0, 0)
    assert channel.sent == ["q1"]


# turns and leases


async def test_a_request_waits_for_its_turn_before_anything_is_written(desk: Desk) -> None:
    """Whoever is stopped while it waits has attempted nothing, so it is sent later."""
    channel, asked = Told(), asyncio.Event()

    async def never(_: str) -> float:
        asked.set()
        return 1_000.0

    waiting = asyncio.create_task(desk.over(channel, turn=never).handle(record(), 0, 0))
    await asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await desk.attempts() == []
    await desk.over(channel).handle(record(), 0, 0)
    assert channel.sent == ["q1"]


async def test_each_try_has_a_turn_and_what_was_sent_has_none(desk: Desk) -> None:
    turns: list[str] = []

    async def turn(channel: str) -> float:
        turns.append(channel)
        return 0.0

    worker = desk.over(Told([DeliveryDelayed("not now"), None]), turn=turn)
    for _ in range(3):
        await worker.handle(record(), 0, 0)
    assert turns == ["mail", "mail"]


async def test_a_lease_is_held_while_a_request_waits(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """For much longer than a lease lasts: nobody else may call it interrupted."""
    monkeypatch.setattr(delivery, "LEASE", 300)
    monkeypatch.setattr(delivery, "HOLD_S", 0.1)
    waits = [0.0, 1.5]

    async def turn(_: str) -> float:
        return waits.pop(0)

    channel = Told([DeliveryDelayed("not now"), None])
    first = asyncio.create_task(desk.over(channel, turn=turn).handle(record(), 0, 0))
    await until(lambda: channel.tries == 1)
    await desk.over(channel).handle(record(), 0, 0)  # another worker
    await first
    assert channel.sent == ["q1"]
    assert await desk.attempts() == [*DELAYED, ("q1", "attempted"), ("q1", "sent")]


async def test_who_has_lost_the_lease_sends_no_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker takes it over between two tries, where nothing is unknown."""
    channel, turns = Told([DeliveryDelayed("not now"), None]), [0.0, 1.5]

    async def turn(_: str) -> float:
        return turns.pop(0)

    with monkeypatch.context() as short:
        short.setattr(delivery, "LEASE", 1)
        first = asyncio.create_task(desk.over(channel, turn=turn).handle(record(), 0, 0))
        await until(lambda: not turns, message="it waits for its second turn")
    await desk.over(channel).handle(record(), 0, 0)
    await first
    assert channel.sent == ["q1"]
    assert await desk.attempts() == [*DELAYED, ("q1", "attempted"), ("q1", "sent")]


async def test_a_channel_that_never_answers_is_unknown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "SEND_S", 0.1)
    await desk.over(Told(before=asyncio.Event().wait)).handle(record(), 0, 0)
    assert await desk.attempts() == [("q1", "attempted"), ("q1", "unknown")]
    assert await desk.reason() == "no answer within 0.1 s"


# the next channel


def both(**fields: Any) -> SurveyRequest:
    return request(**{"fallback": ["sms"], **fields})


async def passed_on(desk: Desk) -> list[bytes]:
    found = await records.read(desk.bench.bootstrap, desk.bench.topics[REQUESTS].name)
    return [one.value for one in found]


async def outcomes(desk: Desk) -> list[tuple[str, str]]:
    found = await records.read(desk.bench.bootstrap, desk.bench.topics[ATTEMPTS].name)
    return [(one["channel"], one["outcome"]) for one in (json.loads(record.value) for record in found)]


async def test_where_a_channel_fails_for_good_the_next_one_is_tried(desk: Desk) -> None:
    mail, sms = Told([DeliveryFailed("no such user")]), Told()
    worker = desk.over(mail, sms=sms)
    await worker.handle(record(both()), 0, 0)
    [copy] = await passed_on(desk)
    assert json.loads(copy)["channel"] == "sms"
    assert sms.tries == 0  # it waits for no other channel
    for _ in range(2):
        await worker.handle(copy, 0, 1)
        await worker.handle(record(both()), 0, 0)
    assert (mail.tries, sms.sent) == (1, ["q1"])
    assert await outcomes(desk) == [
        ("mail", "attempted"),
        ("mail", "failed"),
        ("sms", "attempted"),
        ("sms", "sent"),
    ]
    asked = await desk.requests.find("q1")
    assert asked
    assert asked.request.channel == "sms"
    assert await desk.deliveries("failed") == 1


@pytest.mark.parametrize("outcome", [None, DeliveryUnknown("half")], ids=str)
async def test_what_was_sent_or_may_have_been_is_not_passed_on(desk: Desk, outcome: BaseException | None) -> None:
    await desk.over(Told([outcome]), sms=Told()).handle(record(both()), 0, 0)
    assert await passed_on(desk) == []


async def test_the_last_channel_has_no_next(desk: Desk) -> None:
    await desk.over(Told([DeliveryFailed("no")])).handle(
        record(both(channel="sms", fallback=[], tried=["mail"])), 0, 0
    )
    assert await passed_on(desk) == []


async def test_a_request_that_is_too_late_is_not_passed_on(desk: Desk) -> None:
    desk.now += (DAY + SECOND) / SECOND
    await desk.over(Told(), sms=Told()).handle(record(both()), 0, 0)
    assert await passed_on(desk) == []


async def test_a_worker_that_ends_before_it_is_passed_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log knows that it failed, so another worker passes it on and calls nothing unknown."""
    worker = desk.over(Told([DeliveryFailed("no")]), sms=Told())

    async def end(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(delivery, "LEASE", 1)
    monkeypatch.setattr(worker, "_settle", end)
    with pytest.raises(asyncio.CancelledError):
        await worker.handle(record(both()), 0, 0)
    await desk.over(Told(), sms=Told()).handle(record(both()), 0, 0)
    assert len(await passed_on(desk)) == 1
    assert await outcomes(desk) == [("mail", "attempted"), ("mail", "failed")]
    assert await desk.deliveries("failed") == 1


async def test_a_lost_redis_and_a_compacted_log_send_by_no_second_channel(desk: Desk) -> None:
    """Of a customer and survey the log keeps the newest attempt, which tells of the channels before its own."""
    mail, sms = Told([DeliveryFailed("no")]), Told()
    first = desk.over(mail, sms=sms)
    await first.handle(record(both()), 0, 0)
    [copy] = await passed_on(desk)
    await first.handle(copy, 0, 1)
    sent = (await records.read(desk.bench.bootstrap, desk.bench.topics[ATTEMPTS].name))[-1]
    await desk.bench.redis.flushall()
    mail.outcomes = [None]
    fresh = desk.over(mail, sms=sms)
    fresh.attempts._read = {0, 1}  # as if this were all the log had
    fresh.attempts.add(msgspec.json.decode(sent.value, type=Attempt))
    await fresh.handle(record(both()), 0, 0)
    for one in await passed_on(desk):
        await fresh.handle(one, 0, 1)
    assert (mail.tries, sms.tries) == (1, 1)
