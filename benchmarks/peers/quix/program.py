"""Quix Streams: the newest version of every answer by its id, then the hours of each series behind a topic."""

from __future__ import annotations

import os
from typing import Any

from answers import SCORES, Answer, Bucket, Cell, decode, result
from quixstreams import Application, State

Change = dict[str, Any]


def newest(value: bytes, state: State) -> list[Change]:
    """Keep what was counted of an id; a correction takes it out again."""
    answer = decode(value)
    before = state.get("counted")
    if before is None:
        counted = changes(answer, 1)
    else:
        cell, score = before
        old = Answer(Cell(*cell), score)
        counted = [] if old == answer else [*changes(old, -1), *changes(answer, 1)]
    state.set("counted", [list(answer.cell), answer.score])
    return counted


def changes(answer: Answer, n: int) -> list[Change]:
    hour = answer.cell.minute // 60
    return [
        {"bucket": ["hours", hour, dimension, value], "score": answer.score, "n": n}
        for dimension, value in answer.cell.series()
    ]


def count(change: Change, state: State) -> bytes:
    counts = state.get("counts", default=[0] * SCORES)
    counts[change["score"]] += change["n"]
    state.set("counts", counts)
    bucket: Bucket = tuple(change["bucket"])
    return result(bucket, counts)


def main() -> None:
    app = Application(
        broker_address=os.environ["BOOTSTRAP"],
        consumer_group=os.environ["GROUP"],
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=1.0,
        state_dir=os.environ["STATE"],
        loglevel="WARNING",
    )
    answers = app.topic(os.environ["TOPIC"], key_deserializer="str", value_deserializer="bytes")
    results = app.topic(os.environ["RESULTS"], key_serializer="str", value_serializer="bytes")
    stream = app.dataframe(answers).apply(newest, stateful=True, expand=True)
    stream = stream.group_by(lambda change: "/".join(map(str, change["bucket"])), name="bucket")
    stream.apply(count, stateful=True).to_topic(results)
    app.run()


if __name__ == "__main__":
    main()
