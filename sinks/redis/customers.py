"""The customer lane's state: contacts, occasions seen, asks that are due later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

import msgspec

from scoring.windows import Window
from sinks.redis import keys
from sinks.redis.client import Client, Script, ask, script, to_json
from sinks.redis.cohorts import fields, oldest
from sinks.redis.lane import NO_POSITION, RedisLane, sweep
from streams.customers import CustomersPlan, Known, Occasion
from streams.events import SurveyRequest
from streams.partitions import partition_of
from streams.store import Batch, Outcome, Token
from streams.times import DAY, HOUR, to_ms
from surveys.caps import Place
from surveys.contacts import NOBODY, ContactState
from surveys.draws import Cell, Round

DUE_CHUNK = 200
WALK_CHUNK = 500


class CustomersStore(RedisLane[CustomersPlan]):
    """See ``lua/customers.lua`` for the keys. ``counted`` says which counts are read: see `Rules`."""

    lane = "c"
    script = "customers"
    parts = ("fence", "packed", "sweep")

    def __init__(
        self,
        redis: Client,
        prefix: str,
        remember: int = 37 * DAY,
        counted: Callable[[], tuple[Sequence[Place], Sequence[Round]]] = lambda: ((), ()),
        windows: Sequence[Window] = (),
    ) -> None:
        super().__init__(redis, prefix)
        self._remember = remember
        self._counted = counted
        self._windows = windows

    async def read(self, batch: Batch) -> Known:
        occasions = tuple(map(_occasion, batch.items))
        customers = dict.fromkeys(customer for customer, _ in occasions)
        return await self._known(batch.partition, list(customers), occasions)

    async def known(self, partition: int, customers: Sequence[str]) -> Known:
        return await self._known(partition, list(dict.fromkeys(customers)), ())

    async def due(self, partition: int, now: int) -> list[SurveyRequest]:
        """The oldest asks whose time has come, a bounded number."""
        base = self.base(partition)
        ids = await ask(self._redis.zrangebyscore(base + ":due", "-inf", now, start=0, num=DUE_CHUNK))
        if not ids:
            return []
        found = await ask(self._redis.hmget(base + ":asks", ids))
        return [_request.decode(text) for text in found if text]

    async def walk(self, partition: int, cursor: int) -> tuple[int, dict[str, ContactState]]:
        """Some of all customers, and the cursor that goes on from there; 0 begins, and ends, a walk over all."""
        key = self.base(partition) + ":contacts"
        cursor, found = await ask(self._redis.hscan(key, cursor, count=WALK_CHUNK))
        return cursor, {id_.decode(): _state.decode(text) for id_, text in found.items()}

    async def forget(self, partition: int, token: Token, now: int) -> Outcome:
        """A tick that keeps the lease, and forgets occasions that cannot come again, and what no window holds."""
        kept = {"hour": str(now // HOUR), "oldest": oldest(self._windows, now)}
        plan = to_json({**sweep(now - self._remember), **kept})
        return self._outcome(partition, await self._run("forget", partition, token, NO_POSITION, plan))

    async def settle(self, partition: int, token: Token, plan: CustomersPlan) -> Outcome:
        return await self._apply(partition, token, NO_POSITION, plan)

    def encode(self, partition: int, plan: CustomersPlan) -> tuple[object, bytes, bytes]:
        contacts: list[bytes] = []
        for customer, state in plan.contacts.items():
            contacts += customer.encode(), _encode(state)
        body = {
            "day": str(plan.day),
            "contacts": list(map(len, contacts)),
            "due": [(ask_.request_id, to_ms(ask_.due_at), to_json(ask_)) for ask_ in plan.due],
            "settled": plan.settled,
            "cancelled": plan.cancelled,
            "cohorts": list(fields(plan.cohorts, self._windows).items()),
            "sent": [(_sent(place), request_id) for place, request_id in plan.sent],
            "drawn": [(_draws(cell.round), _field(cell), n, cell.round.kept) for cell, n in plan.drawn.items()],
            "eligible": [
                (_eligible(cell), _draws(cell.round), _field(cell), list(customers), cell.round.kept)
                for cell, customers in plan.eligible.items()
            ],
        }
        return body, b"".join(contacts), keys.places(tuple(plan.seen))

    async def _known(self, partition: int, customers: list[str], occasions: tuple[Occasion, ...]) -> Known:
        if "known" not in self._scripts:
            self._scripts["known"] = Script(self._redis, script("packed", "known"))
        base = self.base(partition)
        ids = [customer.encode() for customer in customers]
        days, rounds = self._counted()
        counted = to_json(([_sent(place) for place in days], [_draws(one) for one in rounds]))
        arguments = [to_json(list(map(len, ids))), b"".join(ids), keys.places(occasions), counted]
        contacts, seen, sent, draws = await ask(
            self._scripts["known"](keys=[base, f"{base}:lane"], args=arguments)
        )
        return Known(
            {id_: _state.decode(text) for id_, text in zip(customers, contacts, strict=True) if text},
            frozenset(occasions[number] for number in seen),
            dict(zip(days, sent, strict=True)),
            {
                Cell(one, *_names.decode(name)): int(n)
                for one, found in zip(rounds, draws, strict=True)
                for name, n in zip(found[::2], found[1::2], strict=True)
            },
        )


class ContactReader:
    """What is known of one customer, for who shows them something."""

    def __init__(self, redis: Client, prefix: str, partitions: int) -> None:
        self._redis, self._prefix, self._partitions = redis, prefix, partitions

    async def state(self, customer_id: str) -> ContactState:
        base = keys.base(self._prefix, CustomersStore.lane, partition_of(customer_id, self._partitions))
        text = await ask(self._redis.hget(f"{base}:contacts", customer_id))
        return _state.decode(text) if text else NOBODY


def _sent(place: Place) -> str:
    return f":sent:{place.day}:{place.scope}"


def _draws(one: Round) -> str:
    return f":draws:{one.survey}:{one.period}"


def _eligible(cell: Cell) -> str:
    return f":eligible:{cell.round.survey}:{cell.round.period}:{cell.segment}"


def _field(cell: Cell) -> str:
    return to_json((cell.segment, cell.what))


_occasion = attrgetter("event.customer_id", "event.event_id")
_encode = msgspec.json.Encoder().encode
_request = msgspec.json.Decoder(SurveyRequest)
_state = msgspec.json.Decoder(ContactState)
_names = msgspec.json.Decoder(tuple[str, str])
