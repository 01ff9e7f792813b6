"""Asks by hand: who is in a file becomes events, or, in a dry run, what the rules would say to each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from livenps.settings import Config
from sinks.redis import client
from sinks.redis.customers import CustomersStore
from sources.csv_table import CsvTable
from sources.rows import Refusal, Row
from streams.events import Ask, Identify, encode
from streams.partitions import partition_of
from streams.publisher import Message
from streams.times import from_ms
from streams.topics import TOUCHPOINTS
from surveys.caps import Sent
from surveys.contacts import NOBODY, apply
from surveys.decide import decide_ask
from surveys.draws import Draws
from surveys.profile import FIELDS
from surveys.rules import Rules

CUSTOMER = "customer_id"
CONSENT = "consent."  # what the columns of consent begin with, before the channel
YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


class Asked(NamedTuple):
    """One customer of the file: what is told of them, and the ask."""

    identify: Identify | None
    ask: Ask

    def messages(self) -> list[Message]:
        """The contact first, so that the ask is decided on what the file tells."""
        events = [self.identify, self.ask] if self.identify else [self.ask]
        return [(TOUCHPOINTS, self.ask.customer_id, encode(event)) for event in events]

    def forwarded(self, customer_id: str) -> Asked:
        """The same of the customer whom this one was merged into."""
        identify = self.identify and replace(self.identify, customer_id=customer_id)
        return Asked(identify, replace(self.ask, customer_id=customer_id))


@dataclass
class Contacts:
    """The rows of a file as asks of one survey. ``name`` tells this occasion from others."""

    table: CsvTable
    survey_id: str
    name: str
    now: int
    asked: int = 0
    repeated: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    def chunks(self, size: int) -> Iterator[list[Asked]]:
        """Every customer of the file once; what cannot be one is added to the refusals."""
        seen: set[str] = set()
        chunk: list[Asked] = []
        for row in self.table.rows():
            one = row if isinstance(row, Refusal) else self._asked(row)
            if isinstance(one, Refusal):
                self.refusals.append(one)
            elif one.ask.customer_id in seen:
                self.repeated += 1
            else:
                seen.add(one.ask.customer_id)
                self.asked += 1
                chunk.append(one)
            if len(chunk) == size:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _asked(self, row: Row) -> Asked | Refusal:
        told = {name: str(value).strip() for name, value in row.values.items() if name and str(value).strip()}
        customer = told.pop(CUSTOMER, "")
        own = {name: told.pop(name) for name in FIELDS if name in told}
        consent = {
            name.removeprefix(CONSENT): told.pop(name).lower() for name in [*told] if name.startswith(CONSENT)
        }
        if unclear := next((name for name, told_ in consent.items() if told_ not in YES_NO), None):
            return Refusal(row.line, f"{CONSENT}{unclear}: expected yes or no, found {consent[unclear][:50]!r}")
        common = {"customer_id": customer, "occurred_at": from_ms(self.now)}
        event_id = f"ask:{self.survey_id}:{self.name}"
        try:
            ask = msgspec.convert({"event_id": event_id, "survey_id": self.survey_id, **common}, Ask)
            if not (own or consent or told):
                return Asked(None, ask)
            contact = {**own, "consent": {name: YES_NO[one] for name, one in consent.items()}}
            contact["attributes"] = told
            identify = msgspec.convert({"event_id": f"{event_id}:contact", "contact": contact, **common}, Identify)
        except msgspec.ValidationError as error:
            return Refusal(row.line, str(error))
        return Asked(identify, ask)


async def weighed(config: Config, rules: Rules, contacts: Contacts, size: int) -> Counter[tuple[str, str]]:
    """What the rules would say now, by decision and reason; nothing is written. Raises StoreUnavailable."""
    found: Counter[tuple[str, str]] = Counter()
    redis = client.connect(config.redis.url)
    try:
        store = CustomersStore(redis, config.redis.prefix, counted=lambda: rules.counted(contacts.now))
        sent: dict[int, Sent] = {}
        seen: set[str] = set()
        for chunk in contacts.chunks(size):
            found.update(await _weighed(store, rules, chunk, sent, seen, contacts.now))
    finally:
        await redis.aclose()
    return found


async def _weighed(
    store: CustomersStore, rules: Rules, chunk: Sequence[Asked], sent: dict[int, Sent], seen: set[str], now: int
) -> list[tuple[str, str]]:
    """Decision and reason of each; ``sent``, by partition, and who was ``seen`` go on from chunk to chunk.

    Who was merged into another one is asked as that one, once.
    """
    homes: dict[int, list[Asked]] = {}
    for one in chunk:
        if one.ask.customer_id in seen:
            continue
        seen.add(one.ask.customer_id)
        homes.setdefault(partition_of(one.ask.customer_id, rules.partitions), []).append(one)
    found: list[tuple[str, str]] = []
    moved: list[Asked] = []
    for partition, those in homes.items():
        known = await store.known(partition, [one.ask.customer_id for one in those])
        going = sent.setdefault(partition, Sent(rules.caps, partition, known.sent))
        draws = Draws(rules.steered, known.draws, now)
        for identify, ask in those:
            state = known.contacts.get(ask.customer_id, NOBODY)
            if state.merged_into:
                moved.append(Asked(identify, ask).forwarded(state.merged_into))
                continue
            state = apply(identify, state) if identify else state
            [verdict] = decide_ask(rules, ask, state, now, going, draws).verdicts
            found.append((verdict.decision, verdict.reason))
    return [*found, *await _weighed(store, rules, moved, sent, seen, now)] if moved else found
