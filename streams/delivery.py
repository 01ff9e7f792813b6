"""Delivery: each request is a conversation of its own, so this is no lane; `streams.channel` reads them.

An attempt is written to Kafka before each try to send a survey, and its outcome after. A crash in between leaves a
visible ``unknown`` that is not sent again: not asking beats asking twice. One between two tries leaves
``delayed``, and whoever reads the request again tries it again. What waits on the site is offered
again: twice is once.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import structlog
from aiokafka.errors import KafkaError
from msgspec.structs import replace

from streams.attempts import HORIZON, Attempts
from streams.codec import Codec
from streams.errors import BadRecord, DeliveryDelayed, DeliveryFailed, DeliveryUnknown, LivenpsError
from streams.events import Attempt, Outcome, SurveyRequest, encode
from streams.letters import dead_letter
from streams.publisher import Publisher
from streams.times import SECOND, from_ms, to_ms
from streams.topics import ATTEMPTS, DEAD_LETTERS, REQUESTS
from surveys.contacts import NOBODY, ContactState, refuses
from surveys.edition import Edition, edition
from surveys.personal import WordsFailed
from surveys.survey import Survey
from surveys.wording import filled

TRIES = 5  # that a gateway refuses; while it is away none counts
AWAY_S = 60.0  # between two tries at most where it is away
PAUSE_S = 10.0  # else
LEASE = 60 * SECOND
HOLD_S = 20.0  # how often a lease is held for longer while its request waits
SEND_S = 50.0  # of one try: nobody else may take it for interrupted
REPEATABLE = ("web",)  # channels over which sending twice is sending once
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


class LeaseLost(Exception):
    """Another worker has taken a request that we took too long for."""


Begun = Literal["new", "interrupted", "done"]


class Requests(Protocol):
    """The state of requests under delivery. Every method raises StoreUnavailable."""

    async def begun(self, request: SurveyRequest) -> bool:
        """Whether some worker has taken it."""
        ...

    async def begin(self, request: SurveyRequest, lease: int, by: str) -> Begun | float:
        """Take the lease; seconds to wait where another worker holds it.

        ``by`` tells our own call, which is "new" again and holds the lease for longer.
        """
        ...

    async def settle(self, request: SurveyRequest, outcome: Outcome) -> None:
        """Write and count the outcome, once."""
        ...

    async def count_dead_letter(self, topic: str, reason: str) -> None: ...


# Takes a channel's next turn: seconds until then; may raise StoreUnavailable.
Turn = Callable[[str], Awaitable[float]]


async def at_once(_: str) -> float:
    """The turn of a channel that may send as often as there is something."""
    return 0.0


# What is known of a customer now; may raise StoreUnavailable.
Known = Callable[[str], Awaitable[ContactState]]


async def nothing(_: str) -> ContactState:
    return NOBODY


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
        turn: Turn = at_once,
        known: Known = nothing,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._surveys, self._senders, self._requests = surveys, senders, requests
        self._publisher, self.attempts = publisher, attempts
        self._topic, self._link, self._brand, self._clock = topic, link, brand, clock
        self._turn, self._known = turn, known
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
        if not await insist(lambda: self._requests.begun(request)):
            # Before anything is written: whoever stops while it waits has attempted nothing.
            await asyncio.sleep(await insist(lambda: self._turn(request.channel)))
        by = uuid.uuid4().hex  # of this try: a reply that got lost must not look like another worker's attempt
        while True:
            with contextlib.suppress(LeaseLost):  # whoever has it now, or a lost Redis, may leave it to us again
                await self._carry_out(request, invitation, by)
                return

    async def _carry_out(self, request: SurveyRequest, invitation: Invitation | None, by: str) -> None:
        """Take the lease and bring it to an outcome, unless it has one; raises LeaseLost."""
        begun = await insist(lambda: self._requests.begin(request, LEASE, by))
        while isinstance(begun, float):
            await asyncio.sleep(min(begun, LOOK_S))
            begun = await insist(lambda: self._requests.begin(request, LEASE, by))
        if begun == "done":
            return
        told = await insist(lambda: self.attempts.outcome(request))
        if begun == "interrupted" or told == "delayed":  # another worker may have begun one more try
            told = await insist(lambda: self.attempts.outcome(request, anew=True))
        outcome: Outcome
        if told not in (None, "attempted", "delayed"):  # Redis has not heard of it, or has forgotten
            await self._settle(request, told)
            return
        interrupted = told == "attempted" or (begun == "interrupted" and told is None)
        if interrupted and request.channel not in REPEATABLE:
            outcome, reason = "unknown", "a worker stopped between the attempt and its outcome"
        elif told is None and self._late(request):
            # Not written: the log keeps one attempt for a customer and survey, and this one reached nobody.
            log.warning("survey not delivered", request=request.request_id, reason="it is more than a day late")
            await insist(lambda: self._requests.settle(request, "failed"))
            return
        else:
            outcome, reason = await self._send(request, invitation, by)
        await self._write(request, outcome, reason)
        await self._settle(request, outcome)
        if outcome != "sent":
            log.warning("survey not delivered", request=request.request_id, outcome=outcome, reason=reason)

    async def _settle(self, request: SurveyRequest, outcome: Outcome) -> None:
        """Where it has failed, and only then, its next channel comes to know of it: before the state is told."""
        passes_on = request.fallback and self._surveys(request.survey_id) and not self._late(request)
        if outcome == "failed" and passes_on:
            channel, *fallback = request.fallback
            tried = [*request.tried, request.channel]
            passed_on = encode(replace(request, channel=channel, fallback=fallback, tried=tried))
            await insist(lambda: self._publisher.publish([(REQUESTS, request.customer_id, passed_on)]))
        await insist(lambda: self._requests.settle(request, outcome))

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

    async def _send(self, request: SurveyRequest, invitation: Invitation | None, by: str) -> tuple[Outcome, str]:
        """Try it under the lease, some times and as long as its gateway is away; raises LeaseLost.

        Stopped between two tries it leaves ``delayed``, and the lease to whoever reads it next.
        """
        tries = refused = 0
        reason = "it was delayed"
        while not self._late(request):
            # It may have waited for hours: who has unsubscribed since is not written to.
            state = await insist(lambda: self._known(request.customer_id))
            if refusal := refuses(request, state):
                return "failed", refusal
            await self._write(request, "attempted", "")
            await self._keep(request, by)  # the log may have taken its time, and another worker the request
            try:
                return await self._try(request, invitation)
            except DeliveryDelayed as error:
                reason, away = str(error), error.gateway_away
            tries, refused = tries + 1, refused + (not away)
            if refused == TRIES:
                return "failed", f"gave up after {TRIES} tries: {reason}"
            await self._write(request, "delayed", reason)
            try:
                await self._hold(request, by, _backoff(tries, reason, AWAY_S if away else PAUSE_S))
                await self._hold(request, by, await insist(lambda: self._turn(request.channel)))
            except asyncio.CancelledError:
                with contextlib.suppress(LivenpsError):
                    await self._requests.begin(request, 0, by)
                raise
        return "failed", f"it is more than a day late: {reason}"

    async def _try(self, request: SurveyRequest, invitation: Invitation | None) -> tuple[Outcome, str]:
        """Send it once: the outcome and the reason. Raises DeliveryDelayed where it may be tried again."""
        if invitation is None:
            return "failed", "the survey is no longer configured"
        if request.channel not in self._senders:
            return "failed", f"the channel {request.channel} is not configured"
        try:
            async with asyncio.timeout(SEND_S):
                await self._senders[request.channel].send(invitation)
        except DeliveryFailed as error:
            return "failed", str(error)
        except DeliveryUnknown as error:
            return "unknown", str(error)
        except TimeoutError:
            return "unknown", f"no answer within {SEND_S:g} s"
        return "sent", ""

    async def _hold(self, request: SurveyRequest, by: str, seconds: float) -> None:
        """Wait with the lease held, and for a whole one more; raises LeaseLost."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, HOLD_S))
            await self._keep(request, by)

    async def _keep(self, request: SurveyRequest, by: str) -> None:
        """Hold the lease for longer; raises LeaseLost."""
        if await insist(lambda: self._requests.begin(request, LEASE, by)) != "new":
            raise LeaseLost(request.request_id)

    async def _write(self, request: SurveyRequest, outcome: Outcome, reason: str) -> None:
        attempt = Attempt(
            request_id=request.request_id,
            survey_id=request.survey_id,
            customer_id=request.customer_id,
            channel=request.channel,
            outcome=outcome,
            reason=reason[:200],
            at=from_ms(self.attempts.next_at(request, self._now())),
            reminds=request.reminds,
        )
        # The topic keeps the newest of a key: a reminder shall not take the place of who was asked when.
        key = f"{request.customer_id}\0{request.survey_id}" + ("\0reminder" if request.reminds else "")
        message = (ATTEMPTS, key, encode(attempt))
        await insist(lambda: self._publisher.publish([message], partition_key=request.customer_id))
        self.attempts.add(attempt)

    def _late(self, request: SurveyRequest) -> bool:
        return self._now() - to_ms(request.due_at) > HORIZON

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
    await asyncio.sleep(_backoff(failures, reason, PAUSE_S))


def _backoff(failures: int, reason: str, most: float) -> float:
    # An outage of hours has more failures than a float has powers of two.
    seconds: float = min(most, 0.25 * 2 ** min(failures, 10)) * random.uniform(0.5, 1)  # noqa: S311 - jitter
    log.warning("delivery waits", seconds=round(seconds, 1), reason=reason)
    return seconds
