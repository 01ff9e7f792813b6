"""The answers that every peer reads, always the same for a seed, and what they add up to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from scoring.segments import Dimension, Dimensions
from scoring.windows import ALL, DEFAULT_WINDOWS
from streams.times import DAY, MINUTE, rfc3339

SURVEY = "post-purchase"
DIMENSIONS = Dimensions(
    (Dimension("plan"), Dimension("region"), Dimension("age", bands=(18, 25, 35, 45, 55, 65))),
    (("plan", "region"),),
)
PLANS = ("free", "starter", "pro", "enterprise")
REGIONS = ("eu", "us", "latam", "apac")
AGES = range(16, 81)
SCORES = 11
LIVE = 10 * MINUTE
BACKFILL = 90 * DAY - MINUTE
RECENT = 1_000  # a repeat follows within so many answers

KINDS = [(plan, region, age) for plan in PLANS for region in REGIONS for age in AGES]

Cell = tuple[str, int, str, str]  # window, bucket, dimension, value
Counts = dict[Cell, list[int]]


class Answer(NamedTuple):
    """One record, and what of it is counted."""

    response_id: str
    kind: int  # which combination of attributes
    at: int  # ms
    score: int


@dataclass(frozen=True)
class Input:
    """``count`` records whose event times lie within ``span`` ms before ``until``.

    One in a hundred is a repeat of a recent answer, one in a hundred a correction of its score.
    """

    count: int
    until: int
    span: int = LIVE
    customers: bool = False
    seed: int = 20_260_101

    def records(self) -> Iterator[tuple[str, bytes]]:
        """Key and value of every record: our Response as JSON."""
        attributes = [
            f'"attributes":{{"plan":"{plan}","region":"{region}","age":{age}}}' for plan, region, age in KINDS
        ]
        for id_, kind, at, score in self.answers():
            customer = f'"customer_id":"c{id_[:7]}",' if self.customers else ""
            yield (
                id_,
                f'{{"response_id":"{id_}","survey_id":"{SURVEY}","score":{score},{customer}'
                f'{attributes[kind]},"answered_at":"{rfc3339(at)}"}}'.encode(),
            )

    def answers(self) -> Iterator[Answer]:
        """All answers in the order of the log; the newest of an id counts."""
        return islice(self._endless(), self.count)

    def _endless(self) -> Iterator[Answer]:
        chance = random.Random(self.seed)  # noqa: S311 - the same for every run is what is wanted
        drawn = chance.random
        recent: list[Answer] = []
        while True:
            dice = drawn()
            if dice < 0.02 and recent:
                answer = recent[int(drawn() * len(recent))]
                if dice < 0.01:
                    answer = answer._replace(score=int(drawn() * SCORES))
                    recent = [answer if one.response_id == answer.response_id else one for one in recent]
            else:
                id_ = str(UUID(int=chance.getrandbits(128), version=4))
                at = self.until - int(drawn() * self.span)
                answer = Answer(id_, int(drawn() * len(KINDS)), at, _score(drawn()))
                recent = [answer] if len(recent) == RECENT else recent
                recent.append(answer)
            yield answer


@cache
def expected(read: Input, windows: tuple[str, ...], *, once: bool) -> Counts:
    """What the buckets of these windows (or ``hours``) hold, every answer counted once, or every record."""
    answers = {answer.response_id: answer for answer in read.answers()}.values() if once else read.answers()
    minutes = Counter((kind, at // MINUTE, score) for _, kind, at, score in answers)
    widths = {ALL: 0, "hours": 60} | {window.name: window.width // MINUTE for window in DEFAULT_WINDOWS}
    counts: Counts = {}
    series = [
        DIMENSIONS.series(SURVEY, {"plan": plan, "region": region, "age": age}) for plan, region, age in KINDS
    ]
    for (kind, minute, score), n in minutes.items():
        for window in windows:
            bucket = minute // widths[window] if widths[window] else 0
            for one in series[kind]:
                cell = (window, bucket, one.dimension, one.value)
                counts.setdefault(cell, [0] * SCORES)[score] += n
    return counts


def compared(wanted: Mapping[Cell, object], found: Mapping[Cell, object]) -> str:
    """Say what differs; empty where nothing does."""
    wrong = [cell for cell in wanted.keys() | found.keys() if wanted.get(cell) != found.get(cell)]
    if not wrong:
        return ""
    first = min(wrong)
    return (
        f"{len(wrong)} of {len(wanted)} differ, the first is {first}: "
        f"expected {wanted.get(first)}, found {found.get(first)}"
    )


def _score(dice: float) -> int:
    """A usual spread: half promoters, a quarter passives, a quarter detractors."""
    if dice < 0.5:
        return 9 + int(dice * 4)
    if dice < 0.75:
        return 7 + int((dice - 0.5) * 8)
    return int((dice - 0.75) * 28)
