"""Bytewax: the newest version of every answer by its id, then the windows' buckets for each Kafka partition."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bytewax.operators as op
from answers import Answer, Bucket, Buckets, Histogram, decode, result
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

BROKERS = [os.environ["BOOTSTRAP"]]
EMIT = timedelta(seconds=1)

Change = tuple[str, Answer, int]  # Kafka partition, what is counted, 1 or -1
Versions = tuple[str, Answer]
Emitted = list[tuple[Bucket, Histogram]]
Message = KafkaSinkMessage[bytes, bytes]


def keyed(message: KafkaSourceMessage[bytes, bytes]) -> tuple[str, Versions]:
    return message.key.decode(), (str(message.partition), decode(message.value))


def newest(before: Answer | None, arrived: Versions) -> tuple[Answer, list[Change]]:
    """Keep what was counted of an id; a correction takes it out again."""
    partition, answer = arrived
    if before is None:
        return answer, [(partition, answer, 1)]
    if before == answer:
        return answer, []
    return answer, [(partition, before, -1), (partition, answer, 1)]


class Count(StatefulBatchLogic[tuple[Answer, int], tuple[Bucket, Histogram], Buckets]):
    """Counts into buckets, and emits once a second those that have changed."""

    def __init__(self, resumed: Buckets | None) -> None:
        self._buckets = resumed or Buckets()
        self._due: datetime | None = None

    def on_batch(self, values: list[tuple[Answer, int]]) -> tuple[Emitted, bool]:
        for answer, n in values:
            self._buckets.add(answer, n)
        self._due = self._due or datetime.now(UTC) + EMIT
        return [], self.RETAIN

    def on_notify(self) -> tuple[Emitted, bool]:
        self._due = None
        return self._buckets.spread(), self.RETAIN

    def on_eof(self) -> tuple[Emitted, bool]:
        return self._buckets.spread(), self.RETAIN

    def notify_at(self) -> datetime | None:
        return self._due

    def snapshot(self) -> Buckets:
        return self._buckets.copy()


def message(keyed_bucket: tuple[str, tuple[Bucket, Histogram]]) -> Message:
    partition, (bucket, counts) = keyed_bucket
    return KafkaSinkMessage("/".join((partition, *map(str, bucket))).encode(), result(bucket, counts))


def flow() -> Dataflow:
    made = Dataflow("scores")
    read = kafka.input(
        "answers",
        made,
        brokers=BROKERS,
        topics=[os.environ["TOPIC"]],
        tail=False,
        batch_size=1_000,
        add_config={"fetch.queue.backoff.ms": "5"},
    )
    answers = op.map("decode", read.oks, keyed)
    changes = op.stateful_flat_map("newest", answers, newest)
    by_partition = op.map("by partition", changes, lambda change: (change[1][0], change[1][1:]))
    buckets = op.stateful_batch("count", by_partition, Count)
    kafka.output("results", op.map("encode", buckets, message), brokers=BROKERS, topic=os.environ["RESULTS"])
    return made


def main() -> None:
    state = Path(os.environ["STATE"]) / "recovery"
    state.mkdir()
    init_db_dir(state, 1)
    cli_main(
        flow(),
        workers_per_process=int(os.environ["WORKERS"]),
        epoch_interval=timedelta(seconds=10),
        recovery_config=RecoveryConfig(state, timedelta(0)),
    )


if __name__ == "__main__":
    main()
