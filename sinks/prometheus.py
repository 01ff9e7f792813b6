"""The board as metrics, made fresh for every scrape: a rolling score changes with no event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from types import MappingProxyType

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from scoring.board import Board, Count
from scoring.explanation import RECENT, REFERENCE, changes
from scoring.scales import GROUPS, NPS
from scoring.segments import Dimensions, Series
from scoring.tally import Tally
from streams.topics import RESPONSES
from streams.watch import Reading

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

MetricFamily = CounterMetricFamily | GaugeMetricFamily
Samples = Iterable[tuple[Sequence[str], float]]  # label values, and a value

_SEGMENT_CORRECTIONS = "nps_segment_corrections_total"
# Counters of the state: name -> labels and help. The first element of a count is the name.
COUNTERS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "nps_corrections_total": (
        ("survey", "from_group", "to_group"),
        "Answers that a newer version of the same answer has changed.",
    ),
    _SEGMENT_CORRECTIONS: (
        ("survey", "dimension", "segment", "from_group", "to_group"),
        "Answers of a segment that a newer version of the same answer has changed.",
    ),
    "survey_touchpoints_total": (
        ("event",),
        "Touchpoints, repeats not counted; events that no survey uses: other.",
    ),
    "survey_decisions_total": (("survey", "decision", "reason"), "Verdicts on touchpoints and on scheduled asks."),
    "survey_requests_total": (("survey", "channel"), "Surveys given to delivery."),
    "survey_deliveries_total": (("survey", "channel", "outcome"), "Deliveries by outcome: sent, failed, unknown."),
    "survey_answered_total": (("survey",), "Surveys sent that were answered."),
    "livenps_dead_letters_total": (("topic", "reason"), "Records that could not be processed, by reason."),
    "livenps_late_responses_total": ((), "Answers too late for every window; they count in all."),
}
# Those that start again where answers are counted again.
OF_ANSWERS = {"nps_corrections_total", _SEGMENT_CORRECTIONS, "livenps_late_responses_total"}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The lanes' health: lag per (topic, partition), last batch per topic (s), partitions that had to stop,
    and batches whose returned events wait."""

    lag: Mapping[tuple[str, int], int] = field(default_factory=dict)
    last_processed: Mapping[str, float] = field(default_factory=dict)
    stopped: Mapping[tuple[str, int], bool] = field(default_factory=dict)
    outbox: Mapping[tuple[str, int], int] = field(default_factory=dict)


def exposition(
    board: Board | None,
    surveys: Sequence[str],
    dimensions: Dimensions,
    pipeline: Pipeline,
    zeros: Iterable[Count] = (),
    watched: Mapping[Series, Reading] = MappingProxyType({}),
) -> bytes:
    """One scrape's text, of the pipeline alone where there is no board to be read.

    ``zeros`` are counts that are exposed before anything was counted. While a partition recovers nothing is
    exposed that its answers count in: it would be too small, and a counter would be seen to climb.
    """
    if board is None:
        return generate_latest(_Collected([*_pipeline(pipeline)]))
    families = _Families(board, surveys, dimensions, zeros)
    found = [*families.counters(), *_recovering(board), *_pipeline(pipeline)]
    if not board.recovering:
        found = [*families.scores(), *families.changes(), *families.responses(), *_watched(watched), *found]
    return generate_latest(_Collected(found))


class _Collected(Collector):
    """Families as a registry has them."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _family(kind: type[MetricFamily], name: str, text: str, labels: Sequence[str], samples: Samples) -> Metric:
    family = kind(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


class _Families:
    """What a board says."""

    def __init__(
        self, board: Board, surveys: Sequence[str], dimensions: Dimensions, zeros: Iterable[Count]
    ) -> None:
        self._board, self._surveys, self._dimensions = board, surveys, dimensions
        self._counts: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        for (name, *values), n in {**dict.fromkeys(zeros, 0), **board.counts}.items():
            self._counts.setdefault(name, []).append(((*values,), n))

    def scores(self) -> Iterator[Metric]:
        yield from _scores("nps", _WINDOWS, self._totals())
        yield from _scores("nps_segment", (*_WINDOWS, *_SEGMENT), self._segments())

    def changes(self) -> Iterator[Metric]:
        """What each segment adds to the change of its survey's score; of a dimension they add up to all of it."""
        within: dict[Sequence[str], float] = {}
        mix: dict[Sequence[str], float] = {}
        for survey in self._surveys:
            for dimension, split in changes(self._board, survey, self._dimensions).items():
                for found, parts in ((within, split.within), (mix, split.mix)):
                    found |= {(survey, dimension, value): NPS.unit * part for value, part in parts.items()}
        for name, what, samples in (
            ("within", "the score of a segment", within),
            ("mix", "its share of answers", mix),
        ):
            text = f"Points that {what} adds to a survey's change, {RECENT} against the rest of {REFERENCE}."
            labels = ("survey", *_SEGMENT)
            yield _family(GaugeMetricFamily, f"nps_segment_change_{name}", text, labels, samples.items())

    def responses(self) -> Iterator[Metric]:
        of_surveys: dict[Sequence[str], Tally] = {(survey,): Tally() for survey in self._surveys}
        of_segments: dict[Sequence[str], Tally] = {}
        for series, histogram in self._board.first.items():
            if self._exposed(series) and series.dimension:
                of_segments[series] = Tally.of(histogram)
            elif self._exposed(series):
                of_surveys[series.survey,] = Tally.of(histogram)
        yield _responses("nps_responses_total", ("survey",), of_surveys)
        yield _responses("nps_segment_responses_total", ("survey", *_SEGMENT), of_segments)

    def counters(self) -> Iterator[Metric]:
        for name, (names, text) in COUNTERS.items():
            if name in OF_ANSWERS and self._board.recovering:
                continue
            counts = self._counts.get(name, [])
            if name == _SEGMENT_CORRECTIONS:
                counts = [(values, n) for values, n in counts if self._exposed(Series(*values[:3]))]
            yield _family(CounterMetricFamily, name, text, names, counts)

    def _totals(self) -> Iterator[tuple[Sequence[str], Tally]]:
        for survey in self._surveys:
            for window in self._board.windows:
                yield (survey, window), self._board.tally(survey, window)

    def _segments(self) -> Iterator[tuple[Sequence[str], Tally]]:
        for survey in self._surveys:
            for window in self._board.windows:
                for dimension in self._dimensions.names:
                    segments = self._board.segments(survey, window, dimension, self._dimensions)
                    for value, tally in segments.items():
                        yield (survey, window, dimension, value), tally

    def _exposed(self, series: Series) -> bool:
        """The same series that have a gauge of their own: what is exposed stays bounded."""
        if not series.dimension:
            return series.survey in self._surveys
        return series.value in self._shown.get((series.survey, series.dimension), ())

    @cached_property
    def _shown(self) -> dict[tuple[str, str], set[str]]:
        return {
            (survey, name): self._board.shown(survey, name, self._dimensions)
            for survey in self._surveys
            for name in self._dimensions.names
        }


def _scores(name: str, labels: Sequence[str], tallies: Iterable[tuple[Sequence[str], Tally]]) -> Iterator[Metric]:
    found = list(tallies)
    # No answers, no score.
    points = [(values, tally.nps, tally.interval) for values, tally in found]
    scores = [(values, nps) for values, nps, _ in points if nps is not None]
    lower = [(values, interval[0]) for values, _, interval in points if interval is not None]
    upper = [(values, interval[1]) for values, _, interval in points if interval is not None]
    gauge = GaugeMetricFamily
    yield _family(gauge, f"{name}_score", "Net Promoter Score in points, -100 to 100.", labels, scores)
    yield _family(gauge, f"{name}_score_lower_bound", "Lower end of its 95 % interval.", labels, lower)
    yield _family(gauge, f"{name}_score_upper_bound", "Upper end of its 95 % interval.", labels, upper)
    text = "Answers in the window by group."
    yield _family(gauge, f"{name}_window_responses", text, (*labels, "group"), _by_group(found))


def _responses(name: str, labels: Sequence[str], tallies: Mapping[Sequence[str], Tally]) -> Metric:
    text = "Answers accepted, first versions only."
    return _family(CounterMetricFamily, name, text, (*labels, "group"), _by_group(tallies.items()))


def _by_group(tallies: Iterable[tuple[Sequence[str], Tally]]) -> Samples:
    for values, tally in tallies:
        for group in GROUPS:
            yield (*values, group), tally.count(group)


def _watched(watched: Mapping[Series, Reading]) -> Iterator[Metric]:
    """Of surveys, and of segments of them; evidence is compared with its threshold, by series."""
    surveys = {series[:1]: one for series, one in watched.items() if not series.dimension}
    segments = {series: one for series, one in watched.items() if series.dimension}
    for prefix, labels, found in (("nps", ("survey",), surveys), ("nps_segment", ("survey", *_SEGMENT), segments)):
        for name, (text, value) in _WATCHED.items():
            samples = [(values, value(one)) for values, one in found.items()]
            yield _family(GaugeMetricFamily, f"{prefix}_{name}", text, labels, samples)


def _recovering(board: Board) -> Iterator[Metric]:
    samples = [((RESPONSES, str(p)), int(progress.recovering)) for p, progress in board.progress.items()]
    text = "1 while the answers of a partition are being counted again: no score is exposed."
    yield _family(GaugeMetricFamily, "livenps_recovering", text, _PARTITION, samples)


def _pipeline(pipeline: Pipeline) -> Iterator[Metric]:
    by_partition: dict[str, tuple[str, Mapping[tuple[str, int], int]]] = {
        "livenps_lag_records": ("Records not yet processed.", pipeline.lag),
        "livenps_outbox_entries": ("Batches whose returned events are not yet on Kafka.", pipeline.outbox),
        "livenps_partition_stopped": ("1 where a partition may not go on by itself.", pipeline.stopped),
    }
    for name, (text, found) in by_partition.items():
        samples = [((topic, str(partition)), value) for (topic, partition), value in found.items()]
        yield _family(GaugeMetricFamily, name, text, _PARTITION, samples)
    last = [((topic,), seconds) for topic, seconds in pipeline.last_processed.items()]
    text = "When the last batch was applied."
    yield _family(GaugeMetricFamily, "livenps_last_processed_timestamp_seconds", text, ("topic",), last)


_WATCHED: Mapping[str, tuple[str, Callable[[Reading], float]]] = {
    "baseline": ("The score that the series is held against, in points.", attrgetter("baseline")),
    "drop_evidence": ("Evidence that the score fell below its baseline.", attrgetter("drop")),
    "drop_evidence_threshold": ("Evidence, of a drop or a rise, that is an alarm.", attrgetter("threshold")),
    "rise_evidence": ("Evidence that the score rose above its baseline.", attrgetter("rise")),
}
_WINDOWS = ("survey", "window")
_SEGMENT = ("dimension", "segment")
_PARTITION = ("topic", "partition")
