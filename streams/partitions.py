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
    longest_first = np.argsort(-lengths)
    words = lengths.max(initial=0) // 4 + 1
    every = np.array(encoded, f"S{4 * words}").view("<u4").reshape(len(keys), words)
    hashes: NDArray[np.uint32] = np.empty(len(keys), np.uint32)
    hashes[longest_first] = _murmur2(every[longest_first], lengths[longest_first])
    return (hashes & np.uint32(_POSITIVE)) % np.uint32(partitions)


def _murmur2(words: NDArray[np.uint32], lengths: NDArray[np.int64]) -> NDArray[np.uint32]:
    """The 32-bit hash of each row: a key's bytes as little-endian words, padded with zeros; the longest first.

    Source: ``org.apache.kafka.common.utils.Utils.murmur2``.
    """
    hashes = (_SEED ^ lengths).astype(np.uint32)
    whole, rest = np.divmod(lengths, 4)
    for at, word in enumerate(words.T):
        keys = np.count_nonzero(whole > at)  # that have this word
        mixed = word[:keys] * _M
        hashes[:keys] = (hashes[:keys] * _M) ^ ((mixed ^ (mixed >> np.uint32(24))) * _M)
    last = words[np.arange(len(words)), whole]
    hashes = np.where(rest, (hashes ^ last) * _M, hashes)
    hashes = (hashes ^ (hashes >> np.uint32(13))) * _M
    return hashes ^ (hashes >> np.uint32(15))
