"""A steady stream of answers, sent by a process of its own, with markers in it whose way can be followed.

At high rates the generator must not take what it measures: everything is made and encoded before, and a record
costs one call into librdkafka, about a microsecond of CPU with all that follows (its calls for many cost as much).
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from confluent_kafka import Producer

from benchmarks.input import Input
from streams.events import Response, encode
from streams.partitions import partition_of
from streams.times import SECOND

MARKED = "relationship"  # the survey of the markers, of which nobody else answers
LOTS_PER_S = 200  # at most

Record = tuple[str, bytes]


class Lot(NamedTuple):
    """What is sent at one moment: a marker before its share of the answers."""

    partition: int  # of the marker
    records: list[Record]


@dataclass(frozen=True)
class Sent:
    """What was sent, by the clock that all processes of a machine share."""

    began: float
    answers: int
    answers_per_s: float
    cores: float  # that sending has used
    markers: dict[int, list[float]]  # partition -> when each was sent, in its order


def send(bootstrap: str, topic: str, partitions: int, rate: int, seconds: float) -> Sent:
    """Send so many a second, each lot at its moment whatever the last one has cost."""
    made = list(lots(partitions, rate, seconds))
    gc.freeze()  # a look at all of them would hold the stream up
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 2, "partitioner": "murmur2_random"})
    producer.list_topics(topic)  # and connects
    markers: dict[int, list[float]] = {partition: [] for partition in range(partitions)}
    began, cpu = time.monotonic(), time.process_time()
    answers = 0
    for lot in made:
        time.sleep(max(0.0, began + answers / rate - time.monotonic()))
        answers += len(lot.records)
        markers[lot.partition].append(time.monotonic())
        for key, value in lot.records:
            producer.produce(topic, value, key)
        producer.poll(0)
    producer.flush()
    took, cpu = time.monotonic() - began, time.process_time() - cpu
    return Sent(began, answers, answers / took, cpu / took, markers)


def lots(partitions: int, rate: int, seconds: float) -> Iterator[Lot]:
    """All that is to be sent, always the same but for its times."""
    answers = Input(int(rate * seconds), until=int(time.time() * SECOND)).records()
    size = max(1, rate // LOTS_PER_S)
    for number in range(int(rate * seconds) // size):
        id_ = f"marker {number}"
        partition = partition_of(id_, partitions)
        marker = Response(response_id=id_, survey_id=MARKED, score=9, attributes={"plan": str(partition)})
        yield Lot(partition, [(id_, encode(marker)), *islice(answers, size - 1)])
