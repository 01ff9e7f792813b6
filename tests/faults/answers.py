"""Answers as the world sends them, and an independent recount of what their topic holds."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord

SURVEY = "relationship"
MINUTE = 60_000
HOUR = 60 * MINUTE
FRESH = 7 * 24 * HOUR  # what is older is no step of a watched series
# Window -> minutes it lasts, minutes per bucket.
WINDOWS = {
    "1h": (60, 1),
    "24h": (24 * 60, 15),
    "7d": (7 * 24 * 60, 120),
    "30d": (30 * 24 * 60, 480),
    "90d": (90 * 24 * 60, 1440),
}
AGES = [(18, "under 18"), (25, "18-24"), (35, "25-34"), (45, "35-44"), (55, "45-54"), (65, "55-64"), (999, "65+")]

Groups = tuple[int, int, int]  # promoters, passives, detractors
Segment = tuple[str, str]  # dimension and value, both "" for the whole survey
POISON = (b"{", b"\xff", b'{"type":"response","survey_id":"relationship","score":11,"response_id":"x"}')


def answers(count: int, seed: int, now: float) -> list[tuple[str, bytes]]:
    """Keys and records: new answers, repeats, corrections, versions that come too late, and a little poison."""
    chance = random.Random(seed)
    sent: list[dict[str, Any]] = []
    records: list[tuple[str, bytes]] = []
    while len(records) < count:
        kind = chance.choices(["new", "repeat", "correction", "late", "poison"], [70, 10, 12, 6, 2])[0]
        if kind == "poison":
            records.append((f"p{len(records)}", chance.choice(POISON)))
            continue
        if kind == "new" or not sent:
            answer = _new(f"r{seed}-{len(sent)}", chance, now)
            sent.append(answer)
        else:
            answer = dict(chance.choice(sent))
        if kind in ("correction", "late") and "updated_at" in answer:
            answer = {**answer, **_content(chance, now)}
            answer["updated_at"] += chance.randint(1, 500) * (1 if kind == "correction" else -1)
        records.append((answer["response_id"], json.dumps(answer).encode()))
    return records


def _new(response_id: str, chance: random.Random, now: float) -> dict[str, Any]:
    answer = {"type": "response", "response_id": response_id, "survey_id": SURVEY, **_content(chance, now)}
    if chance.random() < 0.8:
        answer["updated_at"] = round(now - chance.uniform(1_000, 1_000_000), 3)
    if chance.random() < 0.2:
        answer["customer_id"] = f"c-{response_id}"
    return answer


def _content(chance: random.Random, now: float) -> dict[str, Any]:
    attributes = {"age": chance.randint(10, 90), "region": chance.choice(["eu", "us", "apac"])}
    if chance.random() < 0.7:
        attributes["plan"] = chance.choice(["free", "pro"])
    content: dict[str, Any] = {"score": chance.randint(0, 10), "attributes": attributes}
    if chance.random() < 0.7:
        past = chance.choice([7_000, 100_000, 120 * 86_400])
        content["answered_at"] = round(now - chance.uniform(0, past), 3)
    return content


@dataclass
class Counted:
    """One answer as it counts."""

    version: int
    at: int
    score: int
    attributes: dict[str, Any]


class Recount:
    """What the topic's records, read in order, have to come to."""

    def __init__(self, records: Sequence[ConsumerRecord]) -> None:
        self.answers: dict[str, Counted] = {}
        self.first: Counter[str] = Counter()
        self.customers: set[str] = set()
        self.poison: set[tuple[int, int]] = set()
        self.steps: dict[tuple[int, int], int] = {}  # partition and offset of each first answer -> its score
        self.aged: set[tuple[int, int]] = set()  # those that may be too old for it, by the time they are read
        for record in records:
            self._read(record)

    def _read(self, record: ConsumerRecord) -> None:
        if record.value in POISON:
            self.poison.add((record.partition, record.offset))
            return
        answer = json.loads(record.value)
        known = self.answers.get(answer["response_id"])
        version = _ms(answer.get("updated_at"), record.timestamp)
        if known is None:
            self.first[_group(answer["score"])] += 1
            if "customer_id" in answer:
                self.customers.add(answer["response_id"])
        elif version < known.version:
            return
        at = min(_ms(answer.get("answered_at"), record.timestamp), record.timestamp)
        if known is None and record.timestamp - at < FRESH + HOUR:
            self.steps[record.partition, record.offset] = answer["score"]
            if record.timestamp - at > FRESH - HOUR:
                self.aged.add((record.partition, record.offset))
        if known and "answered_at" not in answer:
            at = known.at
        self.answers[answer["response_id"]] = Counted(version, at, answer["score"], answer["attributes"])

    def groups(self, window: str, now: int) -> dict[Segment, Groups]:
        """Promoters, passives and detractors per segment, in a window as it is at `now` (ms)."""
        counts: dict[Segment, Counter[str]] = {}
        for one in self.answers.values():
            if window == "all" or _inside(one.at // MINUTE, now, *WINDOWS[window]):
                for segment in _segments(one.attributes):
                    counts.setdefault(segment, Counter())[_group(one.score)] += 1
        return {segment: (n["promoter"], n["passive"], n["detractor"]) for segment, n in counts.items()}


def _ms(seconds: float | None, otherwise: int) -> int:
    return otherwise if seconds is None else round(seconds * 1_000)


def _inside(minute: int, now: int, length: int, width: int) -> bool:
    bucket = minute // width
    return (now // MINUTE - length) // width < bucket <= now // MINUTE // width


def _group(score: int) -> str:
    return "promoter" if score >= 9 else "passive" if score >= 7 else "detractor"


def _segments(attributes: dict[str, Any]) -> Iterator[Segment]:
    yield "", ""
    yield "region", attributes["region"]
    yield "age", next(label for below, label in AGES if attributes["age"] < below)
    if "plan" in attributes:
        yield "plan", attributes["plan"]
        yield "plan x region", f"{attributes['plan']}|{attributes['region']}"
