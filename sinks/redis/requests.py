"""Requests under delivery: leases and outcomes, and what the survey page has to know of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec

from sinks.redis import keys
from sinks.redis.client import Client, Script, ask, script, to_json
from streams.delivery import Begun
from streams.events import AnswerValue, Outcome, SurveyRequest
from streams.times import DAY, SECOND, to_ms

KEEP = 90 * DAY
OFFERS = 20  # that wait for one customer at most

Reaction = Literal["opened", "responded", "declined", "bounced", "unsubscribed"]
REACTIONS: tuple[Reaction, ...] = get_args(Reaction)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the survey page finds it, with what was answered so far.

    ``answered_at`` and ``updated_at`` (ms) are of the first and of the newest version. ``answers`` has what was
    given for each key, among them the score and the comment.
    """

    request: SurveyRequest
    answered_at: int | None
    updated_at: int
    answers: dict[str, AnswerValue]


class RequestsStore:
    """See ``lua/deliver_begin.lua`` for the keys. What was answered are more fields of the same hash:

    ``answered`` and ``updated`` (ms), and the key of each answer behind ``=``, as JSON. What else came of it are
    flags there, see ``lua/note.lua``.
    What waits on the site and in the app is shown for ``show_for`` ms, see ``lua/offer.lua``.
    """

    def __init__(self, redis: Client, prefix: str, show_for: int = KEEP) -> None:
        self._redis = redis
        self._prefix = prefix
        self._show_for = show_for
        self._offer = Script(redis, script("offer"))
        self._begin = Script(redis, script("deliver_begin"))
        self._settle = Script(redis, script("deliver_settle"))
        self._restore = Script(redis, script("deliver_restore"))
        self._note = Script(redis, script("note"))
        self._bounce = Script(redis, script("bounce"))

    async def begun(self, request: SurveyRequest) -> bool:
        return bool(await ask(self._redis.hexists(self._lease(request), "state")))

    async def begin(self, request: SurveyRequest, lease: int, by: str) -> Begun | float:
        reply = await ask(self._begin(keys=self._leases(request), args=[to_json(request), lease, KEEP, by]))
        if isinstance(reply, int):
            return reply / SECOND
        begun: Begun = reply.decode()
        return begun

    async def settle(self, request: SurveyRequest, outcome: Outcome) -> None:
        name = "survey_reminders_total" if request.reminds else "survey_deliveries_total"
        count = to_json((name, request.survey_id, request.channel, outcome))
        counts = keys.delivery(self._prefix, request.request_id) + ":counts"
        await ask(self._settle(keys=[self._lease(request), counts], args=[outcome, count]))

    async def count_dead_letter(self, topic: str, reason: str) -> None:
        base = keys.base(self._prefix, "d", 0)
        await ask(self._redis.hincrby(f"{base}:counts", to_json(("livenps_dead_letters_total", topic, reason)), 1))

    async def count_bounce(self, kind: str, customer_id: str, id_: str) -> None:
        """Count a mail that came back, once of each kind; ``id_`` tells the customer's mails apart."""
        base = keys.delivery(self._prefix, customer_id)
        told = f"{base}:bounce:{to_json((kind, customer_id, id_))}"
        count = to_json(("livenps_bounces_total", kind))
        await ask(self._bounce(keys=[told, f"{base}:counts"], args=[count, KEEP]))

    async def note(self, request: SurveyRequest, reaction: Reaction) -> None:
        """Count what came of an invitation, each reaction once; what came of its reminder came of it too."""
        id_ = request.reminds or request.request_id
        count = to_json((f"survey_{reaction}_total", request.survey_id, request.channel))
        counts = keys.delivery(self._prefix, id_) + ":counts"
        await ask(self._note(keys=[self._key(id_), counts], args=[reaction, count]))

    async def restore(self, request: SurveyRequest, outcome: Outcome) -> None:
        """Know a request again that was attempted before the state was lost; one that was offered waits on.

        One whose outcome the log does not tell is left to delivery, which reads it again and finds it interrupted.
        So is one that was delayed: delivery looks into the log.
        """
        if request.channel == "web" and outcome == "sent":
            await self.offer(request)
        state = "attempted" if outcome == "delayed" else outcome
        await ask(self._restore(keys=self._leases(request), args=[to_json(request), state, KEEP]))

    async def find(self, request_id: str) -> Asked | None:
        """The request behind a link, or None where it is not known (any more)."""
        fields = await ask(self._redis.hgetall(self._key(request_id)))
        if not (text := fields.get(b"request")):
            return None
        return Asked(
            request=_request.decode(text),
            answered_at=int(fields[b"answered"]) if b"answered" in fields else None,
            updated_at=int(fields.get(b"updated", 0)),
            answers={key[1:].decode(): _answer.decode(value) for key, value in fields.items() if key[:1] == b"="},
        )

    async def keep(self, request_id: str, answers: Mapping[str, AnswerValue], at: int) -> None:
        """Know what was answered at ``at`` (ms); None takes an answer back."""
        fields: list[str] = ["updated", str(at)]
        for key, value in answers.items():
            fields += [f"={key}", to_json(value)]
        await ask(self._redis.hsetnx(self._key(request_id), "answered", str(at)))
        await ask(self._redis.hset(self._key(request_id), items=fields))

    async def offer(self, request: SurveyRequest) -> None:
        """Have a request wait for its customer on the site and in the app.

        A reminder has its invitation wait anew: whoever is shown both answers once.
        """
        id_ = request.reminds or request.request_id
        offers = self._offers(request.customer_id)
        await ask(self._offer(keys=[offers], args=[id_, to_ms(request.due_at), self._show_for, OFFERS]))

    async def offered(self, customer_id: str, since: int) -> list[str]:
        """The ids of the requests that wait for a customer and were due after ``since`` (ms), the newest first."""
        found = await ask(self._redis.zrevrangebyscore(self._offers(customer_id), "+inf", f"({since}"))
        return [id_.decode() for id_ in found]

    async def withdraw(self, request: SurveyRequest) -> None:
        """Offer a request no longer."""
        await ask(self._redis.zrem(self._offers(request.customer_id), request.request_id))

    def _offers(self, customer_id: str) -> str:
        return f"{keys.delivery(self._prefix, customer_id)}:offers:{customer_id}"

    def _lease(self, request: SurveyRequest) -> str:
        """Each channel that is tried after another one has a lease of its own."""
        key = self._key(request.request_id)
        return f"{key}:{request.channel}" if request.tried else key

    def _leases(self, request: SurveyRequest) -> list[str]:
        return list(dict.fromkeys((self._lease(request), self._key(request.request_id))))

    def _key(self, request_id: str) -> str:
        return f"{keys.delivery(self._prefix, request_id)}:req:{request_id}"


_request = msgspec.json.Decoder(SurveyRequest)
_answer: msgspec.json.Decoder[AnswerValue] = msgspec.json.Decoder(AnswerValue)
