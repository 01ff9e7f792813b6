"""Delivery: each request is a conversation of its own, so this is an agent and no lane.

An attempt is written to Kafka before a survey is sent, and its outcome after. A crash in between leaves a visible
``unknown`` that is not sent again: not asking beats asking twice.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from streams.codec import Codec
from streams.errors import BadRecord, DeliveryDelayed, DeliveryFailed, LivenpsError
from streams.events import Attempt, DeadLetter, Outcome, SurveyRequest, encode
from streams.publisher import Publisher
from streams.times import SECOND, from_ms
from streams.topics import ATTEMPTS, DEAD_LETTERS, REQUESTS
from surveys.survey import Survey

TRIES = 5
LEASE = 60 * SECOND

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a channel sends: the request, its survey, and the personal link to the survey page."""

    request: SurveyRequest
    survey: Survey
    link: str


class Sender(Protocol):
    """One channel. Raises DeliveryFailed or DeliveryDelayed."""

    async def send(self, invitation: Invitation) -> None: ...


Begun = Literal["new", "interrupted", "done"]


class Requests(Protocol):
    """The state of requests under delivery. Every method raises StoreUnavailable."""

    async def begin(self, request: SurveyRequest, lease: int) -> Begun | float:
        """Take the lease; seconds to wait where another worker holds it."""
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
        link: Callable[[str], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._surveys, self._senders, self._requests = surveys, senders, requests
        self._publisher, self._link, self._clock = publisher, link, clock
        self._codec = Codec([SurveyRequest])

    async def handle(self, value: bytes, partition: int, offset: int) -> None:
        """Deliver one record of ``survey.requests``; never raises, because nobody above could try again.

        Transient failures wait here; what cannot be processed at all becomes a dead letter.
        """
        failures = 0
        while True:
            try:
                await self._handle(value)
            except Exception as error:
                if isinstance(error, LivenpsError) and error.retriable:
                    failures += 1
                    await _pause(failures, str(error))
                    continue
                reason = error.reason if isinstance(error, BadRecord) else "delivery"
                await self._bury(value, partition, offset, reason, repr(error))
            return

    async def _handle(self, value: bytes) -> None:
        request = self._codec.decode(value)
        assert isinstance(request, SurveyRequest)  # noqa: S101 - the codec knows one type
        if request.state == "due":
            await self.deliver(request)

    async def _bury(self, value: bytes, partition: int, offset: int, reason: str, detail: str) -> None:
        log.error("survey request set aside", partition=partition, offset=offset, reason=reason, detail=detail)
        letter = DeadLetter(
            topic=REQUESTS,
            partition=partition,
            offset=offset,
            reason=reason,
            detail=detail[:2_000],
            payload=value,
            at=from_ms(int(self._clock() * SECOND)),
        )
        failures = 0
        while True:
            try:
                await self._publisher.publish([(DEAD_LETTERS, f"{REQUESTS}:{partition}", encode(letter))])
                await self._requests.count_dead_letter(REQUESTS, reason)
            except LivenpsError as error:
                if not error.retriable:
                    raise
                failures += 1
                await _pause(failures, str(error))
            else:
                return

    async def deliver(self, request: SurveyRequest) -> None:
        """Send one due request unless it was sent before."""
        begun = await self._requests.begin(request, LEASE)
        while isinstance(begun, float):
            await asyncio.sleep(begun)
            begun = await self._requests.begin(request, LEASE)
        if begun == "done":
            return
        outcome: Outcome
        if begun == "interrupted":
            outcome, reason = "unknown", "a worker stopped between the attempt and its outcome"
        else:
            await self._write(request, "attempted", "")
            outcome, reason = await self._send(request)
        await self._write(request, outcome, reason)
        await self._requests.settle(request, outcome)
        if outcome != "sent":
            log.warning("survey not delivered", request=request.request_id, outcome=outcome, reason=reason)

    async def _send(self, request: SurveyRequest) -> tuple[Outcome, str]:
        survey = self._surveys(request.survey_id)
        if survey is None:
            return "failed", "the survey is no longer configured"
        invitation = Invitation(request, survey, self._link(request.request_id))
        reason = ""
        for failures in range(1, TRIES + 1):
            try:
                await self._senders[request.channel].send(invitation)
            except DeliveryFailed as error:
                return "failed", str(error)
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
            at=from_ms(int(self._clock() * SECOND)),
        )
        key = f"{request.customer_id}\0{request.survey_id}"
        await self._publisher.publish([(ATTEMPTS, key, encode(attempt))], partition_key=request.customer_id)


async def _pause(failures: int, reason: str) -> None:
    seconds = min(10.0, 0.25 * 2**failures) * random.uniform(0.5, 1)  # noqa: S311 - jitter
    log.warning("delivery waits", seconds=round(seconds, 1), reason=reason)
    await asyncio.sleep(seconds)
