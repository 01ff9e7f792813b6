"""What the Python peers have in common: an answer decoded, the series it feeds, a result encoded."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import msgspec

SCORES = 11
BANDS = (18, 25, 35, 45, 55, 65)
LABELS = (
    f"under {BANDS[0]}",
    *(f"{low}-{high - 1}" for low, high in pairwise(BANDS)),
    f"{BANDS[-1]}+",
)
WINDOWS = {"1h": 1, "24h": 15, "7d": 120, "30d": 480, "90d": 1_440, "all": 0}  # minutes per bucket

Bucket = tuple[str, int, str, str]  # window, number, dimension, value
Histogram = list[int]


class Attributes(msgspec.Struct):
    plan: str
    region: str
    age: int


class Response(msgspec.Struct):
    score: int
    attributes: Attributes
    answered_at: datetime


class Cell(NamedTuple):
    """Answers of the same minute and attributes, which feed the same buckets."""

    minute: int
    plan: str
    region: str
    age: str

    def series(self) -> list[tuple[str, str]]:
        """Dimension and value of every series that it feeds."""
        pair = f"{self.plan}|{self.region}"
        single = [("plan", self.plan), ("region", self.region), ("age", self.age)]
        return [("", ""), *single, ("plan x region", pair)]


class Answer(NamedTuple):
    """What of an answer is counted."""

    cell: Cell
    score: int


def decode(value: bytes) -> Answer:
    response = _decoder.decode(value)
    attributes = response.attributes
    minute = int(response.answered_at.timestamp()) // 60
    band = LABELS[bisect_right(BANDS, attributes.age)]
    return Answer(Cell(minute, attributes.plan, attributes.region, band), response.score)


class Buckets:
    """The buckets of all windows. Answers are summed into cells first; `spread` puts these into their buckets."""

    def __init__(self) -> None:
        self._buckets: dict[Bucket, Histogram] = {}
        self._cells: dict[Cell, Histogram] = {}

    def add(self, answer: Answer, n: int) -> None:
        self._cells.setdefault(answer.cell, [0] * SCORES)[answer.score] += n

    def spread(self) -> list[tuple[Bucket, Histogram]]:
        """What has changed since the last time."""
        changed: dict[Bucket, Histogram] = {}
        for cell, counts in self._cells.items():
            for window, minutes in WINDOWS.items():
                number = cell.minute // minutes if minutes else 0
                for dimension, value in cell.series():
                    bucket = (window, number, dimension, value)
                    before = changed.get(bucket) or self._buckets.get(bucket) or [0] * SCORES
                    changed[bucket] = [a + b for a, b in zip(before, counts, strict=True)]
        self._buckets |= changed
        self._cells.clear()
        return list(changed.items())

    def copy(self) -> Buckets:
        """A copy that later changes do not reach."""
        copied = Buckets()
        copied._buckets = self._buckets.copy()
        copied._cells = {cell: counts.copy() for cell, counts in self._cells.items()}
        return copied


def result(bucket: Bucket, counts: Histogram) -> bytes:
    """A result as the harness reads it."""
    window, number, dimension, value = bucket
    fields = {"window": window, "bucket": number, "dimension": dimension, "value": value, "counts": counts}
    return _encoder.encode(fields)


_decoder = msgspec.json.Decoder(Response)
_encoder = msgspec.json.Encoder()
