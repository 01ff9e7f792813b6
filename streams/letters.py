"""Dead letters: what could not be processed, with where it stood and why."""

from __future__ import annotations

from streams.events import DeadLetter
from streams.times import from_ms

MAX_PAYLOAD = 256 * 1024  # what a broker takes also after Base64
MAX_DETAIL = 2_000


def dead_letter(
    topic: str, partition: int, offset: int, reason: str, detail: str, payload: bytes | None, now: int
) -> DeadLetter:
    """The letter for one record. A payload of any size fits: its beginning is kept."""
    return DeadLetter(
        topic=topic,
        partition=partition,
        offset=offset,
        reason=reason,
        detail=detail[:MAX_DETAIL],
        payload=(payload or b"")[:MAX_PAYLOAD],
        at=from_ms(now),
    )
