"""Reports that are sent by themselves: made when one is due, and sent once to each recipient, whatever crashes.

Every worker that delivers looks. Who claims a recipient's report sends it; a worker that stops in between leaves a
visible ``unknown`` that is not sent again, like a survey. What comes late, after an outage, comes.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import structlog
from mode import Service

from livenps.schedule import Schedule
from livenps.settings import Config
from scoring.board import Board
from scoring.digest import digest
from sinks.digest import Report
from sinks.mail import MailServer, mail
from sinks.redis.reports import ReportsStore, Sending
from sinks.webhook import WebhookSender
from streams.delivery import Begun, insist
from streams.errors import DeliveryDelayed, DeliveryFailed, DeliveryUnknown
from streams.events import Outcome
from streams.times import HOUR, MINUTE, rfc3339

LOOK_S = 15.0
LEASE = 5 * MINUTE  # more than one try takes
PATIENCE = 12 * HOUR  # so long after it was due a report is tried again: before the next one is

log = structlog.get_logger(__name__)


def report(config: Config, board: Board, since: str) -> Report:
    """What moved in a window, which is one of those that `Config.compared` has."""
    recent, longer = config.compared()[since]
    found = digest(board, config.scales(), config.scored_dimensions(), recent, longer)
    surveys = {survey.id: survey for survey in config.surveys}
    return Report(
        brand=config.http.brand,
        at=board.as_of,
        recent=recent.name,
        longer=longer.name,
        surveys=[(surveys[one.survey], one) for one in found],
    )


@dataclass(frozen=True, slots=True)
class Recipient:
    """``place`` is where the configuration names it, for logs. ``send`` takes a report and its id, and raises
    DeliveryFailed, DeliveryDelayed or DeliveryUnknown."""

    channel: Literal["mail", "webhook"]
    address: str
    place: str
    send: Callable[[Report, str], Awaitable[None]]


def recipients(config: Config, hooks: WebhookSender) -> list[Recipient]:
    """Those that the configuration names."""
    found = []
    if config.mail.url:
        server, sender = MailServer.parse(config.mail.url), config.mail.sender
        for number, address in enumerate(config.report.mail):
            send = partial(_mail, server, sender, address)
            found.append(Recipient("mail", address, f"report.mail[{number}]", send))
    if url := config.report.webhook_url:
        found.append(Recipient("webhook", url, "report.webhook_url", partial(_post, hooks, url)))
    return found


async def _mail(server: MailServer, sender: str, to: str, what: Report, id_: str) -> None:
    text, html = what.text(), what.html()
    await server.send(mail(id_, sender=sender, to=to, subject=what.title, text=text, html=html))


async def _post(hooks: WebhookSender, url: str, what: Report, id_: str) -> None:
    body: Mapping[str, Any] = {
        "report_id": id_,
        "subject": what.title,
        "text": what.text(),
        "report": what.facts(),
    }
    await hooks.post(url, id_, body)


class Reports:
    """Sends the report of a schedule. ``make`` returns it, or None while there are no scores to tell."""

    def __init__(
        self,
        schedule: Schedule,
        to: Sequence[Recipient],
        store: ReportsStore,
        make: Callable[[], Awaitable[Report | None]],
    ) -> None:
        self._schedule, self._to, self._store, self._make = schedule, to, store, make
        self._looked = False
        self._settled = 0  # the newest that is done with, ms

    async def look(self, now: int) -> None:
        """Send what is due and not sent yet. Raises StoreUnavailable."""
        due = self._schedule.last(now)
        if due <= self._settled:
            return
        since = await self._store.since(now)
        if not self._looked:
            self._looked = True
            log.info("reports", since=rfc3339(since), next=rfc3339(self._schedule.next(now)), to=len(self._to))
        if due < since:
            self._settled = due
            return
        what = await self._make()
        if what and all([await self._send(what, one, due, now) for one in self._to]):
            self._settled = due

    async def _send(self, what: Report, to: Recipient, due: int, now: int) -> bool:
        """Whether it is settled, by this worker or another."""
        sending, by = Sending(due, to.channel, to.address), uuid.uuid4().hex
        begun = await insist(lambda: self._store.begin(sending, LEASE, by))
        if begun == "done" or isinstance(begun, float):
            return begun == "done"
        outcome: Outcome
        try:
            outcome, reason = await _attempt(what, to, sending.id, begun)
        except DeliveryDelayed as error:
            if now - due < PATIENCE:
                log.warning("report waits", to=to.place, due=rfc3339(due), reason=str(error))
                await insist(lambda: self._store.release(sending, by))
                return False
            outcome, reason = "failed", f"gave up: {error}"
        await insist(lambda: self._store.settle(sending, outcome))
        level = log.info if outcome == "sent" else log.error
        level("report", outcome=outcome, to=to.place, due=rfc3339(due), reason=reason)
        return True


async def _attempt(what: Report, to: Recipient, id_: str, begun: Begun) -> tuple[Outcome, str]:
    """Send it, unless somebody may have; raises DeliveryDelayed."""
    if begun == "interrupted":
        return "unknown", "a worker stopped between the claim and its outcome"
    try:
        await to.send(what, id_)
    except DeliveryFailed as error:
        return "failed", str(error)
    except DeliveryUnknown as error:
        return "unknown", str(error)
    return "sent", ""


class ReportsService(Service):
    """Looks now and again, for as long as the worker runs."""

    def __init__(self, reports: Reports, clock: Callable[[], int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._reports, self._clock = reports, clock

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            try:
                await self._reports.look(self._clock())
            except Exception as error:  # a report that cannot be made must not end what counts answers
                log.exception("report waits", reason=repr(error))
            await self.sleep(LOOK_S)


async def made(config: Config, read: Callable[[], Awaitable[Board]]) -> Report | None:
    """The configured report, beside the loop; None while answers are counted again."""
    board = await read()
    return None if board.recovering else await asyncio.to_thread(report, config, board, config.report.since)
