"""Every key of the state, in one place.

All keys of one partition of one lane share a hash tag, so position and counters live in one slot and roll back
together. ``lane`` is ``a`` (answers), ``c`` (customers), ``m`` (comments) or ``d`` (delivery, by shards).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b

DELIVERY_SHARDS = 16
INDEX_BUCKETS = 16_384


def base(prefix: str, lane: str, partition: int) -> str:
    """What all keys of a partition begin with: ``livenps:{a3}``."""
    return f"{prefix}:{{{lane}{partition}}}"


def lanes(prefix: str) -> str:
    """The set of bases that exist, for readers."""
    return f"{prefix}:lanes"


def delivery(prefix: str, request_id: str) -> str:
    """The base of a request's delivery state."""
    shard = int.from_bytes(blake2b(request_id.encode(), digest_size=2).digest(), "big") % DELIVERY_SHARDS
    return base(prefix, "d", shard)


def index(*parts: str) -> tuple[int, str]:
    """Where an id stands in an index of small hashes: the hash's number and the field, 94 bits together.

    Small hashes are stored as listpacks: a fraction of what a key or a large hash costs per entry.
    """
    text = "".join(f"{len(part)}:{part}" for part in parts)  # ids may hold any character, so no separator is safe
    digest = blake2b(text.encode(), digest_size=12).digest()
    number = int.from_bytes(digest[:2], "big") % INDEX_BUCKETS
    return number, urlsafe_b64encode(digest[2:]).decode().rstrip("=")
