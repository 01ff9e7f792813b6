"""Faust: an agent with two tables, what was counted of each id, and hours of each series per Kafka partition."""

from __future__ import annotations

import os

import faust
from answers import SCORES, Answer, Bucket, Cell, decode, result

PARTITIONS = 4

app = faust.App(
    os.environ["GROUP"],
    broker=f"kafka://{os.environ['BOOTSTRAP']}",
    store="memory://",
    datadir=os.environ["STATE"],
    topic_partitions=PARTITIONS,
    broker_commit_interval=1.0,
    web_enabled=False,
)
answers = app.topic(
    os.environ["TOPIC"], key_type=str, key_serializer="raw", value_type=bytes, value_serializer="raw"
)
results = app.topic(os.environ["RESULTS"], key_serializer="raw", value_serializer="raw")
counted = app.Table("counted", partitions=PARTITIONS)
hours = app.Table("hours", partitions=PARTITIONS)
changed: dict[str, Bucket] = {}


@app.agent(answers)
async def count(stream: faust.Stream) -> None:
    """Keep what was counted of an id; a correction takes it out again."""
    async for event in stream.events():
        answer = decode(event.value)
        id_, partition = event.key, event.message.partition
        before = counted.get(id_)
        if before is not None:
            cell, score = before
            old = Answer(Cell(*cell), score)
            if old == answer:
                continue
            add(partition, old, -1)
        add(partition, answer, 1)
        counted[id_] = [list(answer.cell), answer.score]


def add(partition: int, answer: Answer, n: int) -> None:
    for dimension, value in answer.cell.series():
        bucket = ("hours", answer.cell.minute // 60, dimension, value)
        key = "/".join((str(partition), *map(str, bucket)))
        counts = hours.get(key) or [0] * SCORES
        counts[answer.score] += n
        hours[key] = counts
        changed[key] = bucket


@app.timer(1.0)
async def emit() -> None:
    """Publish the buckets that have changed."""
    while changed:  # which grows while one is sent
        key, bucket = changed.popitem()
        await results.send(key=key.encode(), value=result(bucket, hours[key]))


if __name__ == "__main__":
    app.main()
