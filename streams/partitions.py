"""Which partition a key belongs to: Kafka's own murmur2, which Java's clients and aiokafka use.

librdkafka's default is another one, and a producer may name no key at all; lanes forward what stands elsewhere.
"""

from __future__ import annotations

from aiokafka.partitioner import murmur2


def partition_of(key: str, partitions: int) -> int:
    number: int = murmur2(key.encode()) & 0x7FFFFFFF
    return number % partitions
