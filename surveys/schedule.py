"""Relationship surveys: everybody who is known is asked every so often, spread evenly over the time between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from hashlib import blake2b

from streams.events import Ask
from streams.times import DAY, from_ms, to_ms
from surveys.caps import UNCAPPED, Sent
from surveys.contacts import ContactState
from surveys.decide import decide_ask
from surveys.draws import Draws
from surveys.filters import matches
from surveys.rules import Rules
from surveys.survey import Survey

SCHEDULED = "every:"  # what the ids of these asks begin with


def asks(
    rules: Rules,
    customer_id: str,
    state: ContactState,
    now: int,
    sent: Sent = UNCAPPED,
    draws: Draws | None = None,
) -> Iterator[Ask]:
    """The asks of a customer that are due by schedule, and that no rule forbids now.

    One has the same id for a whole day (UTC): whoever makes it again in between repeats it. What would be sent off
    at once is added to ``sent``, so that no more are asked for than a daily cap lets go; who is not in a steered
    sample is counted in ``draws``.
    """
    for survey in rules.repeated:
        if _next(survey, customer_id, state) > now:
            continue
        if not all(matches(condition, state.contact.traits) for condition in survey.where):
            continue
        ask = Ask(
            event_id=f"{SCHEDULED}{survey.id}:{now // DAY}",
            customer_id=customer_id,
            survey_id=survey.id,
            occurred_at=from_ms(now),
        )
        decided = decide_ask(rules, ask, state, now, sent, draws)
        if decided.invitations:
            yield ask
        elif draws:
            draws.decided(customer_id, state.contact, {}, decided.verdicts, now)


def _next(survey: Survey, customer_id: str, state: ContactState) -> int:
    """When (ms) a survey is due: so long after it was sent last, or at the customer's place in the first round."""
    last = state.asked.get(survey.id)
    return first(survey, customer_id) if last is None else last + survey.every


def first(survey: Survey, customer_id: str) -> int:
    """When (ms) a customer who was never asked is due: places are hashes, so that they spread evenly."""
    digest = blake2b(f"{survey.id}\0{customer_id}".encode(), digest_size=8).digest()
    begin = to_ms(datetime.combine(survey.starts, time(), UTC)) if survey.starts else 0
    return begin + int.from_bytes(digest, "big") * survey.every // 2**64
