"""Every key of the state, in one place.

All keys of one partition of one lane share a hash tag, so position and counters live in one slot and roll back
together. ``lane`` is ``a`` (answers), ``c`` (customers), ``m`` (comments), ``w`` (watch),
``i`` (incidents), ``g`` (incentives), or ``d`` (delivery, by shards).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

DELIVERY_SHARDS = 16
INDEX_BUCKETS = 16_384


def base(prefix: str, lane: str, partition: int) -> str:
    """What all keys of a partition begin with: ``livenps:{a3}``."""
    return f"{prefix}:{{{lane}{partition}}}"


def bases(prefix: str, partitions: int) -> list[str]:
    """All bases there can be, for readers: no key lists them, because it would be lost on its own in a cluster."""
    lanes = [base(prefix, lane, partition) for lane in "acgimw" for partition in range(partitions)]
    return lanes + [base(prefix, "d", shard) for shard in range(DELIVERY_SHARDS)]


def delivery(prefix: str, id_: str) -> str:
    """The base of the delivery state of a request, or of a customer."""
    shard = int.from_bytes(blake2b(id_.encode(), digest_size=2).digest(), "big") % DELIVERY_SHARDS
    return base(prefix, "d", shard)


def digest(id_: str) -> bytes:
    """Where an id stands in an index of small hashes: two bytes for the hash's number, eight for the field.

    Small hashes are stored as listpacks: a fraction of what a key or a large hash costs per entry.
    """
    return blake2b(id_.encode(), digest_size=10).digest()


def located(ids: Iterable[str]) -> tuple[NDArray[np.bytes_], NDArray[np.void]]:
    """The same side by side: the hashes' numbers, as four hex digits, and the fields."""
    found = np.frombuffer(b"".join([digest(id_) for id_ in ids]), _DIGEST)
    return _HASHES[found["hash"] % INDEX_BUCKETS], found["field"]


@lru_cache(maxsize=16)  # of a batch they are asked for when it is read, and again when it is applied
def places(ids: tuple[tuple[str, str], ...]) -> bytes:
    """The same for ids of two parts, as one text: 4 hex digits for the hash and 11 for the field of each."""
    # Their lengths tell the parts apart: an id may hold any separator.
    hashes, fields = located(f"{len(one)}:{one}{len(two)}:{two}" for one, two in ids)
    padded = np.zeros(len(fields), _PADDED)
    padded["field"] = fields
    table = np.empty(len(fields), _PLACE)
    table["hash"] = hashes
    table["field"] = np.frombuffer(urlsafe_b64encode(padded.tobytes()), "S12")
    return table.tobytes()


_HASHES = np.array([f"{number:04x}" for number in range(INDEX_BUCKETS)], "S4")
_DIGEST = np.dtype([("hash", ">u2"), ("field", "V8")])
_PADDED = np.dtype([("field", "V8"), ("pad", "V1")])  # nine bytes: so Base64 needs no padding of its own
_PLACE = np.dtype([("hash", "S4"), ("field", "S11")])
