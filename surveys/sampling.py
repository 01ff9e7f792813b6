"""Sticky sampling: the same person gets the same draw for a whole period."""

from __future__ import annotations

from hashlib import blake2b

from streams.times import DAY

PERIOD = 90 * DAY


def sampled(customer_id: str, survey_id: str, rate: float, now: int) -> bool:
    """Whether this customer is in the sample of this survey in the period around ``now`` (ms).

    Drawing again at every trigger would turn 1 % into 100 % for who comes often; so the draw is a hash of
    customer, survey and period.
    """
    if rate >= 1:
        return True
    digest = blake2b(f"{now // PERIOD}\0{survey_id}\0{customer_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < rate * 2**64
