"""Dead letters: what could not be processed, with where it stood and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streams.events import DeadLetter
from streams.times import from_ms

MAX_PAYLOAD = 256 * 1024  # what a broker takes also after Base64
MAX_DETAIL = 2_000
MAX_KEY = 4_000
MAX_HEADER = 1_000  # no value that an event of ours is read by is longer

# The headers of CloudEvents in Kafka, in lower case: a record is not the same without them, and is without others.
CLOUD_EVENT = frozenset(
    {
        "content-type",
        "ce_specversion",
        "ce_type",
        "ce_source",
        "ce_id",
        "ce_time",
        "ce_subject",
        "ce_dataschema",
    }
)


def dead_letter(
    topic: str,
    partition: int,
    offset: int,
    reason: str,
    detail: str,
    payload: bytes | None,
    now: int,
    *,
    key: bytes | None = None,
    headers: Sequence[tuple[str, bytes | None]] = (),
) -> DeadLetter:
    """The letter for one record. A payload of any size fits: its beginning is kept; a key is kept whole or not.

    ``headers`` are those that ``payload`` is read by; none where it was written anew from the event.
    """
    value = payload or b""
    known = key or b""
    return DeadLetter(
        topic=topic,
        partition=partition,
        offset=offset,
        reason=reason,
        detail=detail[:MAX_DETAIL],
        payload=value[:MAX_PAYLOAD],
        at=from_ms(now),
        key=known if len(known) <= MAX_KEY else b"",
        headers={
            name.lower(): (text or b"")[:MAX_HEADER] for name, text in headers if name.lower() in CLOUD_EVENT
        },
        size=len(value),
    )


def letter_of(topic: str, record: Any, reason: str, detail: str, now: int) -> DeadLetter:
    """The letter for a record as Kafka gave it."""
    return dead_letter(
        topic,
        record.partition,
        record.offset,
        reason,
        detail,
        record.value,
        now,
        key=record.key,
        headers=record.headers,
    )


def letter_id(topic: str, partition: int, offset: int) -> str:
    """What tells the letter of one record from all others, and a repeated letter from a new one."""
    return f"{topic}:{partition}:{offset}"
