"""The board as metrics, made fresh for every scrape: a rolling score changes with no event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from scoring.board import Board, Count
from scoring.scales import GROUPS
from scoring.segments import Dimensions, Series
from scoring.tally import Tally

# Counters of the state: name -> labels and help. The first element of a count is the name.
COUNTERS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "nps_corrections_total": (
        ("survey", "from_group", "to_group"),
        "Answers that a newer version of the same answer has changed.",
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
_SEGMENT_CORRECTIONS = "nps_segment_corrections_total"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The lanes' health: lag per (topic, partition), last batch per topic (s), partitions that had to stop."""

    lag: Mapping[tuple[str, int], int] = field(default_factory=dict)
    last_processed: Mapping[str, float] = field(default_factory=dict)
    stopped: Mapping[tuple[str, int], bool] = field(default_factory=dict)


class BoardCollector(Collector):
    """One scrape's families. ``zeros`` are counts that are exposed before anything was counted."""

    def __init__(
        self,
        board: Board,
        surveys: Sequence[str],
        dimensions: Dimensions,
        pipeline: Pipeline,
        zeros: Iterable[Count] = (),
    ) -> None:
        self._board, self._surveys, self._dimensions = board, surveys, dimensions
        self._pipeline = pipeline
        self._counts = {**dict.fromkeys(zeros, 0), **board.counts}
        # The same values that have a gauge of their own: what is exposed stays bounded.
        self._shown = {
            (survey, name): board.shown(survey, name, dimensions)
            for survey in surveys
            for name in dimensions.names
        }

    def collect(self) -> Iterator[Metric]:
        yield from self._scores("nps", (), self._totals())
        yield from self._scores("nps_segment", ("dimension", "segment"), self._segments())
        yield self._responses("nps_responses_total", ())
        yield self._responses("nps_segment_responses_total", ("dimension", "segment"))
        yield self._segment_corrections()
        yield from self._counters()
        yield from self._pipeline_metrics()

    def _totals(self) -> Iterator[tuple[list[str], Tally]]:
        for survey in self._surveys:
            for window in self._board.windows:
                yield [survey, window], self._board.tally(survey, window)

    def _segments(self) -> Iterator[tuple[list[str], Tally]]:
        for survey in self._surveys:
            for window in self._board.windows:
                for dimension in self._dimensions.names:
                    segments = self._board.segments(survey, window, dimension, self._dimensions)
                    for value, tally in segments.items():
                        yield [survey, window, dimension, value], tally

    @staticmethod
    def _scores(name: str, extra: tuple[str, ...], tallies: Iterable[tuple[list[str], Tally]]) -> Iterator[Metric]:
        labels = ["survey", "window", *extra]
        score = GaugeMetricFamily(f"{name}_score", "Net Promoter Score in points, -100 to 100.", labels=labels)
        lower = GaugeMetricFamily(f"{name}_score_lower_bound", "Lower end of its 95 % interval.", labels=labels)
        upper = GaugeMetricFamily(f"{name}_score_upper_bound", "Upper end of its 95 % interval.", labels=labels)
        counts = GaugeMetricFamily(
            f"{name}_window_responses", "Answers in the window by group.", labels=[*labels, "group"]
        )
        for values, tally in tallies:
            for group in GROUPS:
                counts.add_metric([*values, group], tally.count(group))
            if tally.nps is not None and tally.interval is not None:  # no answers, no score
                score.add_metric(values, tally.nps)
                lower.add_metric(values, tally.interval[0])
                upper.add_metric(values, tally.interval[1])
        yield from (score, lower, upper, counts)

    def _responses(self, name: str, extra: tuple[str, ...]) -> Metric:
        family = CounterMetricFamily(
            name, "Answers accepted, first versions only.", labels=["survey", *extra, "group"]
        )
        totals = {Series(survey): () for survey in self._surveys} if not extra else {}
        for series, histogram in {**totals, **self._board.first}.items():
            if bool(series.dimension) != bool(extra) or not self._exposed(series):
                continue
            tally = Tally.of(histogram)
            values = [series.survey, *([series.dimension, series.value] if extra else [])]
            for group in GROUPS:
                family.add_metric([*values, group], tally.count(group))
        return family

    def _segment_corrections(self) -> Metric:
        family = CounterMetricFamily(
            _SEGMENT_CORRECTIONS,
            "Answers of a segment that a newer version of the same answer has changed.",
            labels=["survey", "dimension", "segment", "from_group", "to_group"],
        )
        for (name, *values), n in self._counts.items():
            if name == _SEGMENT_CORRECTIONS and self._exposed(Series(*values[:3])):
                family.add_metric(values, n)
        return family

    def _exposed(self, series: Series) -> bool:
        if not series.dimension:
            return series.survey in self._surveys
        return series.value in self._shown.get((series.survey, series.dimension), ())

    def _counters(self) -> Iterator[Metric]:
        for name, (labels, text) in COUNTERS.items():
            family = CounterMetricFamily(name, text, labels=labels)
            for (found, *values), n in self._counts.items():
                if found == name:
                    family.add_metric(values, n)
            yield family

    def _pipeline_metrics(self) -> Iterator[Metric]:
        lag = GaugeMetricFamily("livenps_lag_records", "Records not yet processed.", labels=["topic", "partition"])
        for (topic, partition), records in self._pipeline.lag.items():
            lag.add_metric([topic, str(partition)], records)
        last = GaugeMetricFamily(
            "livenps_last_processed_timestamp_seconds", "When the last batch was applied.", labels=["topic"]
        )
        for topic, seconds in self._pipeline.last_processed.items():
            last.add_metric([topic], seconds)
        stopped = GaugeMetricFamily(
            "livenps_partition_stopped",
            "1 where a partition may not go on by itself.",
            labels=["topic", "partition"],
        )
        for (topic, partition), value in self._pipeline.stopped.items():
            stopped.add_metric([topic, str(partition)], float(value))
        yield from (lag, last, stopped)


def exposition(collector: Collector) -> bytes:
    """The text format of one collector."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)
