"""The watch lane's rule: answers of watched series, one after the other, against a baseline that stands still."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import Struct

from scoring.detector import Baseline as Frozen
from scoring.detector import Detector, State
from scoring.scales import SCORES, Scale
from scoring.segments import Series
from streams.events import Baseline, Event, Increment
from streams.store import Batch, Item, Outgoing, Plan, Refused
from streams.times import DAY, HOUR, from_ms, to_ms
from streams.topics import BASELINES

LEARNED_BY = "livenps"

FRESH = State()


class WatchedSeries(Struct, frozen=True):
    """What is known of a watched series: its baseline, or the answers that one is learned from, and the detectors.

    ``seen`` is the last offset by source, which tells a repeat; ``learned`` are counts by score, ``since`` in ms.
    """

    baseline: Baseline | None = None
    learned: list[int] = []
    since: int = 0
    answers: int = 0  # that the detectors have seen
    drop: State = FRESH
    rise: State = FRESH
    seen: dict[str, int] = {}


NEW = WatchedSeries()


@dataclass(frozen=True, slots=True)
class Watch:
    """Which series are watched, by their scales, and how: at most about one false alarm in ``days`` over all.

    A change by less than ``dead_band``, in units of the mean (0.05: 5 points of an NPS or a CSAT, 0.15 of a CES),
    is none. Where none is set, a baseline is learned for ``learn_days``, and until there are ``learn`` answers:
    weekends have their own.
    """

    series: Mapping[Series, Scale] = field(default_factory=dict)
    days: float = 90.0
    dead_band: float = 0.05
    learn: int = 500
    learn_days: float = 7.0

    def detectors(self, baseline: Baseline) -> tuple[Detector, Detector]:
        """Of a drop and of a rise."""
        scale = self.series[series_of(baseline)]
        frozen = Frozen.of(scale.moments(baseline.answers), scale, baseline.days, baseline.covered_days)
        count = 2 * len(self.series)  # each is watched in both directions
        drop, rise = (
            Detector.of(frozen, scale, direction, series=count, days=self.days, dead_band=self.dead_band)
            for direction in ("drop", "rise")
        )
        return drop, rise


@dataclass(slots=True)
class WatchPlan(Plan):
    """What becomes known, by the series' keys."""

    series: dict[str, WatchedSeries] = field(default_factory=dict)


class WatchScores:
    """Pure: steps of watched series, and baselines that are set for them."""

    types = (Increment, Baseline)
    max_records = 8  # of up to 10,000 answers each

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._scales = {series.key: scale for series, scale in watch.series.items()}

    def key(self, event: Event) -> str:
        return series_of(event).key  # type: ignore[arg-type]

    def decide(self, batch: Batch, known: Mapping[str, WatchedSeries], now: int) -> WatchPlan:
        plan = WatchPlan()
        for item in batch.items:
            key = self.key(item.event)
            if key not in self._scales:  # somebody has stopped to watch it
                continue
            before = self._fitting(key, plan.series.get(key) or known.get(key, NEW))
            if isinstance(item.event, Baseline):
                try:
                    to_ms(item.event.set_at)
                except (ValueError, OverflowError) as error:
                    plan.refused.append(Refused(item, "invalid", f"set_at: {error}"))
                    continue
                plan.series[key] = self.set(before, item.event)
                plan.outgoing.append(Outgoing(BASELINES, key, item.event))
            else:
                after = plan.series[key] = self._follow(before, item)
                if after.baseline is not None and after.baseline is not before.baseline:
                    plan.outgoing.append(Outgoing(BASELINES, key, after.baseline))
        return plan

    def set(self, before: WatchedSeries, baseline: Baseline) -> WatchedSeries:
        """A series with another baseline, or with none that is learned anew; what was seen stays seen."""
        return WatchedSeries(baseline=baseline if any(baseline.answers) else None, seen=before.seen)

    def _fitting(self, key: str, known: WatchedSeries) -> WatchedSeries:
        """Without what is of another scale, where the survey's metric was changed."""
        fits = self._scales[key].holds(known.baseline.answers if known.baseline else known.learned)
        return known if fits else WatchedSeries(seen=known.seen)

    def _follow(self, before: WatchedSeries, item: Item) -> WatchedSeries:
        increment: Increment = item.event  # type: ignore[assignment]
        scale = self._scales[self.key(increment)]
        last = before.seen.get(increment.source, -1)
        taken = [*zip(increment.scores, increment.offsets, strict=False)]
        scores = [score for score, offset in taken if offset > last and score in scale.scores]
        if not scores:
            return before
        seen = {**before.seen, increment.source: max(increment.offsets)}
        if before.baseline is None:
            return self._learn(before, increment, scores, item.timestamp, seen)
        drop, rise = self._watch.detectors(before.baseline)
        values = [scale.value(score) for score in scores]
        return WatchedSeries(
            baseline=before.baseline,
            answers=before.answers + len(scores),
            drop=drop.run(before.drop, values),
            rise=rise.run(before.rise, values),
            seen=seen,
        )

    def _learn(
        self, before: WatchedSeries, increment: Increment, scores: Iterable[int], at: int, seen: dict[str, int]
    ) -> WatchedSeries:
        learned = before.learned or [0] * SCORES
        counts = [n + added for n, added in zip(learned, _histogram(scores), strict=True)]
        since = before.since or at
        if sum(counts) < self._watch.learn or at - since < self._watch.learn_days * DAY:
            return WatchedSeries(learned=counts, since=since, seen=seen)
        baseline = Baseline(
            survey_id=increment.survey_id,
            dimension=increment.dimension,
            segment=increment.segment,
            answers=counts,
            days=max(at - since, HOUR) / DAY,
            set_at=from_ms(at),
            set_by=LEARNED_BY,
            reason=f"learned from the first {sum(counts)} answers",
        )
        return WatchedSeries(baseline=baseline, seen=seen)


def series_of(event: Increment | Baseline) -> Series:
    return Series(event.survey_id, event.dimension, event.segment)


class Reading(NamedTuple):
    """A watched series as it is shown: the score it is held against, the evidence that it fell or rose, and
    whether that is an alarm, which ends later than it begins."""

    baseline: float  # points
    drop: float
    rise: float
    threshold: float
    drop_alarmed: bool
    rise_alarmed: bool


def reading(watch: Watch, known: WatchedSeries) -> Reading | None:
    """None while its baseline is being learned."""
    if known.baseline is None:
        return None
    scale = watch.series[series_of(known.baseline)]
    if not scale.holds(known.baseline.answers):  # the survey's metric was changed: it is learned anew
        return None
    drop, _ = watch.detectors(known.baseline)
    return Reading(
        baseline=scale.score(known.baseline.answers),
        drop=known.drop.evidence,
        rise=known.rise.evidence,
        threshold=drop.level,
        drop_alarmed=known.drop.alarmed,
        rise_alarmed=known.rise.alarmed,
    )


def _histogram(scores: Iterable[int]) -> list[int]:
    counts = [0] * SCORES
    for score in scores:
        counts[score] += 1
    return counts
