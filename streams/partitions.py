"""Which partition a key belongs to: Kafka's own murmur2, which Java's clients and aiokafka use.

librdkafka's default is another one, and a producer may name no key at all; lanes forward what stands elsewhere.
A lane asks this of every record, so it hashes the keys of a batch side by side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from aiokafka.partitioner import murmur2
from numpy.typing import NDArray

_SEED = 0x9747B28C
_M = np.uint32(0x5BD1E995)
_POSITIVE = 0x7FFFFFFF


def partition_of(key: str, partitions: int) -> int:
    number: int = murmur2(key.encode()) & _POSITIVE
    return number % partitions


def partitions_of(keys: Sequence[str], partitions: int) -> NDArray[np.uint32]:
    """The partition of each key of a topic with so many ``partitions``."""
    encoded = [key.encode() for key in keys]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    words = lengths.max(initial=0) // 4 + 1
    every = np.array(encoded, f"S{4 * words}").view("<u4").reshape(len(keys), words)
    hashes: NDArray[np.uint32] = np.empty(len(keys), np.uint32)
    for length in np.unique(lengths):
        same = lengths == length
        hashes[same] = _murmur2(every[same], int(length))
    return (hashes & np.uint32(_POSITIVE)) % np.uint32(partitions)


def _murmur2(words: NDArray[np.uint32], length: int) -> NDArray[np.uint32]:
    """The 32-bit hash of each row: a key of ``length`` bytes in little-endian words, padded with zeros.

    Source: ``org.apache.kafka.common.utils.Utils.murmur2``.
    """
    hashes: NDArray[np.uint32] = np.full(len(words), _SEED ^ length, np.uint32)
    for word in words.T[: length // 4]:
        mixed = word * _M
        hashes = (hashes * _M) ^ ((mixed ^ (mixed >> np.uint32(24))) * _M)
    if length % 4:
        hashes = (hashes ^ words[:, length // 4]) * _M
    hashes = (hashes ^ (hashes >> np.uint32(13))) * _M
    return hashes ^ (hashes >> np.uint32(15))
