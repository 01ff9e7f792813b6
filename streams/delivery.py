"""Delivery: each request is a conversation of its own, so this is an agent and no lane.

An attempt is written to Kafka before a survey is sent, and its outcome after. A crash in between leaves a visible
``unknown`` that is not sent again: not asking beats asking twice.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import structlog
from aiokafka.errors import KafkaError

from streams.attempts import HORIZON, Attempts
from streams.codec import Codec
from streams.errors import BadRecord, DeliveryDelayed, DeliveryFailed, DeliveryUnknown, LivenpsError
from streams.events import Attempt, Outcome, SurveyRequest, encode
from streams.letters import dead_letter
from streams.publisher import Publisher
from streams.times import SECOND, from_ms, to_ms
from streams.topics import ATTEMPTS, DEAD_LETTERS, REQUESTS
from surveys.edition import Edition, edition
from surveys.personal import WordsFailed
from surveys.survey import Survey
from surveys.wording import filled

TRIES = 5
LEASE = 60 * SECOND
LOOK_S = 1.0  # how often a request under another worker's lease is looked at

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a channel sends: the request, its survey in the customer's words, and the link to the survey page."""

    request: SurveyRequest
    survey: Survey
    edition: Edition
    link: str

    @property
    def subject(self) -> str:
        words = self.edition.words
        text = words["reminder_subject"] if self.request.reminds else "{subject}"
        return filled(text, subject=words["subject"])


class Sender(Protocol):
    """One channel. Raises DeliveryFailed, DeliveryDelayed or DeliveryUnknown."""

    async def send(self, invitation: Invitation) -> None: ...


Begun = Literal["new", "interrupted", "done"]


class Requests(Protocol):
    """The state of requests under delivery. Every method raises StoreUnavailable."""

    async def begin(self, request: SurveyRequest, lease: int, by: str) -> Begun | float:
        """Take the lease; seconds to wait where another worker holds it. ``by`` tells our own repeated call."""
        ...

    async def settle(self, request: SurveyRequest, outcome: Outcome) -> None:
        """Write and count the outcome, once."""
        ...

    async def count_dead_letter(self, topic: str, reason: str) -> None: ...


class Delivery:
    """Sends what is due, over the channel of its survey."""

    def __init__(
        self,
        surveys: Callable[[str], Survey | None],
        senders: Mapping[str, Sender],
        requests: Requests,
        publisher: Publisher,
        attempts: Attempts,
        topic: str,
        link: Callable[[str], str],
        brand: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._surveys, self._senders, self._requests = surveys, senders, requests
        self._publisher, self.attempts = publisher, attempts
        self._topic, self._link, self._brand, self._clock = topic, link, brand, clock
        self._codec = Codec([SurveyRequest])

    async def handle(self, value: bytes | None, partition: int, offset: int) -> None:
        """Deliver one record of ``survey.requests``; never raises, because nobody above could try again.

        Transient failures wait here; what cannot be processed at all becomes a dead letter.
        """
        try:
            request = self._codec.decode(value)
            assert isinstance(request, SurveyRequest)  # noqa: S101 - the codec knows one type
            if request.state == "due":
                await self.deliver(request)
        except Exception as error:
            reason, detail = (
                (error.reason, error.detail) if isinstance(error, BadRecord) else ("delivery", repr(error))
            )
            await self._bury(value, partition, offset, reason, detail)

    async def _bury(self, value: bytes | None, partition: int, offset: int, reason: str, detail: str) -> None:
        log.error("survey request set aside", partition=partition, offset=offset, reason=reason, detail=detail)
        letter = dead_letter(self._topic, partition, offset, reason, detail, value, self._now())
        message = (DEAD_LETTERS, f"{letter.topic}:{partition}", encode(letter))
        await insist(lambda: self._publisher.publish([message]))
        await insist(lambda: self._requests.count_dead_letter(REQUESTS, reason))

    async def deliver(self, request: SurveyRequest) -> None:
        """Send one due request unless it was sent before.

        Raises BadRecord where its words cannot be put together; nothing was attempted then, so it can be replayed.
        """
        invitation = self._invitation(request)
        by = uuid.uuid4().hex  # of this try: a reply that got lost must not look like another worker's attempt
        begun = await insist(lambda: self._requests.begin(request, LEASE, by))
        while isinstance(begun, float):
            await asyncio.sleep(min(begun, LOOK_S))
            begun = await insist(lambda: self._requests.begin(request, LEASE, by))
        if begun == "done":
            return
        told = await insist(lambda: self.attempts.outcome(request)) if begun == "new" else "attempted"
        outcome: Outcome
        if told and told != "attempted":  # Redis has forgotten that it was sent
            await insist(lambda: self._requests.settle(request, told))
            return
        if told:
            outcome, reason = "unknown", "a worker stopped between the attempt and its outcome"
        elif self._now() - to_ms(request.due_at) > HORIZON:
            # Not written: the log keeps one attempt for a customer and survey, and this one reached nobody.
            log.warning("survey not delivered", request=request.request_id, reason="it is more than a day late")
            await insist(lambda: self._requests.settle(request, "failed"))
            return
        else:
            await self._write(request, "attempted", "")
            outcome, reason = await self._send(request, invitation)
        await self._write(request, outcome, reason)
        await insist(lambda: self._requests.settle(request, outcome))
        if outcome != "sent":
            log.warning("survey not delivered", request=request.request_id, outcome=outcome, reason=reason)

    def _invitation(self, request: SurveyRequest) -> Invitation | None:
        """None where the survey is no longer configured."""
        survey = self._surveys(request.survey_id)
        if survey is None:
            return None
        try:
            words = edition(survey, request, self._brand)
        except WordsFailed as error:
            raise BadRecord("template", f"survey {survey.id}: {error}") from error
        # A reminder leads to the invitation's page: whoever opens both answers once.
        return Invitation(request, survey, words, self._link(request.reminds or request.request_id))

    async def _send(self, request: SurveyRequest, invitation: Invitation | None) -> tuple[Outcome, str]:
        if invitation is None:
            return "failed", "the survey is no longer configured"
        if request.channel not in self._senders:
            return "failed", f"the channel {request.channel} is not configured"
        reason = ""
        for failures in range(1, TRIES + 1):
            try:
                await self._senders[request.channel].send(invitation)
            except DeliveryFailed as error:
                return "failed", str(error)
            except DeliveryUnknown as error:
                return "unknown", str(error)
            except DeliveryDelayed as error:
                reason = str(error)
                if failures < TRIES:
                    await _pause(failures, reason)
            else:
                return "sent", ""
        return "failed", f"gave up after {TRIES} tries: {reason}"

    async def _write(self, request: SurveyRequest, outcome: Outcome, reason: str) -> None:
        attempt = Attempt(
            request_id=request.request_id,
            survey_id=request.survey_id,
            customer_id=request.customer_id,
            channel=request.channel,
            outcome=outcome,
            reason=reason[:200],
            at=from_ms(self._now()),
            reminds=request.reminds,
        )
        # The topic keeps the newest of a key: a reminder shall not take the place of who was asked when.
        key = f"{request.customer_id}\0{request.survey_id}" + ("\0reminder" if request.reminds else "")
        message = (ATTEMPTS, key, encode(attempt))
        await insist(lambda: self._publisher.publish([message], partition_key=request.customer_id))
        self.attempts.add(attempt)

    def _now(self) -> int:
        return int(self._clock() * SECOND)


async def insist(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try until a transient failure is over: to give up half-way would make our own attempt look interrupted."""
    failures = 0
    while True:
        try:
            return await attempt()
        except (LivenpsError, KafkaError) as error:
            if not error.retriable:
                raise
            failures += 1
            await _pause(failures, str(error))


async def _pause(failures: int, reason: str) -> None:
    seconds = min(10.0, 0.25 * 2**failures) * random.uniform(0.5, 1)  # noqa: S311 - jitter
    log.warning("delivery waits", seconds=round(seconds, 1), reason=reason)
    await asyncio.sleep(seconds)
