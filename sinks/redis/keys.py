"""Every key of the state, in one place.

All keys of one partition of one lane share a hash tag, so position and counters live in one slot and roll back
together. ``lane`` is ``a`` (answers), ``c`` (customers), ``m`` (comments) or ``d`` (delivery, by shards).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b

DELIVERY_SHARDS = 16
INDEX_BUCKETS = 16_384


def base(prefix: str, lane: str, partition: int) -> str:
    """What all keys of a partition begin with: ``livenps:{a3}``."""
    return f"{prefix}:{{{lane}{partition}}}"


def bases(prefix: str, partitions: int) -> list[str]:
    """All bases there can be, for readers: no key lists them, because it would be lost on its own in a cluster."""
    lanes = [base(prefix, lane, partition) for lane in "acm" for partition in range(partitions)]
    return lanes + [base(prefix, "d", shard) for shard in range(DELIVERY_SHARDS)]


def delivery(prefix: str, request_id: str) -> str:
    """The base of a request's delivery state."""
    shard = int.from_bytes(blake2b(request_id.encode(), digest_size=2).digest(), "big") % DELIVERY_SHARDS
    return base(prefix, "d", shard)


def digest(id_: str) -> bytes:
    """Where an id stands in an index of small hashes: two bytes for the hash's number, eight for the field.

    Small hashes are stored as listpacks: a fraction of what a key or a large hash costs per entry.
    """
    return blake2b(id_.encode(), digest_size=10).digest()


@lru_cache(maxsize=8_192)  # a place is asked for when it is looked up, and again when it is filled
def place(*parts: str) -> str:
    """The same for an id of several parts, as a text: 4 hex digits for the hash, 11 for the field."""
    found = digest("".join(f"{len(part)}:{part}" for part in parts))  # ids may hold any separator
    number = int.from_bytes(found[:2], "big") % INDEX_BUCKETS
    return f"{number:04x}{urlsafe_b64encode(found[2:])[:11].decode()}"
