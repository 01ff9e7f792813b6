"""The board as metrics, made fresh for every scrape: a rolling score changes with no event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from operator import attrgetter
from platform import python_version
from types import MappingProxyType

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from scoring.board import ANSWERED, SENT, Board, Count
from scoring.explanation import RECENT, REFERENCE, changes
from scoring.scales import SCALES, Scale
from scoring.segments import Dimensions, Series
from scoring.tally import Tally
from streams.events import Marker
from streams.times import SECOND, to_ms
from streams.topics import RESPONSES
from streams.watch import Reading
from surveys.survey import Survey

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

MetricFamily = CounterMetricFamily | GaugeMetricFamily
Samples = Iterable[tuple[Sequence[str], float]]  # label values, and a value
Counts = dict[str, list[tuple[tuple[str, ...], int]]]  # name -> label values, and a value

# Counters of the state: name -> labels and help. The first element of a count is the name.
COUNTERS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "survey_touchpoints_total": (
        ("event",),
        "Touchpoints, repeats not counted; events that no survey uses: other.",
    ),
    "survey_decisions_total": (
        ("survey", "decision", "reason"),
        "Verdicts on touchpoints, scheduled asks and reminders.",
    ),
    "survey_requests_total": (("survey", "channel"), "Surveys given to delivery."),
    "survey_deliveries_total": (("survey", "channel", "outcome"), "Deliveries by outcome: sent, failed, unknown."),
    "survey_reminders_total": (
        ("survey", "channel", "outcome"),
        "Deliveries of reminders, which count in no other family, by outcome: sent, failed, unknown.",
    ),
    "survey_incentives_total": (
        ("survey", "outcome"),
        "Finished answers that a code is for: granted, again (had one lately), late, dry (no code was left).",
    ),
    "survey_opened_total": (
        ("survey", "channel"),
        "Invitations whose page or card was fetched, by whomever, scanners of mail too; each once.",
    ),
    "survey_responded_total": (("survey", "channel"), "Invitations that were answered on their page or card."),
    "survey_answered_total": (("survey",), "Surveys sent that were answered."),
    "survey_declined_total": (("survey", "channel"), "Invitations that were declined."),
    "survey_bounced_total": (("survey", "channel"), "Invitations that came back for good, as was told (hard)."),
    "survey_unsubscribed_total": (("survey", "channel"), "Invitations by whose link somebody unsubscribed."),
    "livenps_reports_total": (("channel", "outcome"), "Reports sent by themselves: sent, failed, unknown."),
    SENT: (("survey", "dimension", "segment"), "Surveys given to delivery, by segment."),
    ANSWERED: (("survey", "dimension", "segment"), "Surveys sent that were answered, by segment."),
    "livenps_dead_letters_total": (("topic", "reason"), "Records that could not be processed, by reason."),
    "livenps_bounces_total": (("kind",), "Mails that came back, each once a kind: hard, soft, or complaints."),
    "livenps_late_responses_total": ((), "Answers too late for every window; they count in all."),
}
# Those that start again where answers are counted again.
OF_ANSWERS = {"livenps_late_responses_total"}
MARKERS = 20  # their titles are labels, so there may not be many


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The lanes' health: lag per (topic, partition), last batch per topic (s), partitions that had to stop,
    batches whose returned events wait, and what waits for delivery per (channel, partition) of this worker."""

    lag: Mapping[tuple[str, int], int] = field(default_factory=dict)
    last_processed: Mapping[str, float] = field(default_factory=dict)
    stopped: Mapping[tuple[str, int], bool] = field(default_factory=dict)
    outbox: Mapping[tuple[str, int], int] = field(default_factory=dict)
    delivery: Mapping[tuple[str, int], int] = field(default_factory=dict)


def exposition(
    board: Board | None,
    surveys: Mapping[str, Survey],
    dimensions: Dimensions,
    pipeline: Pipeline,
    zeros: Iterable[Count] = (),
    watched: Mapping[Series, Reading] = MappingProxyType({}),
    markers: Sequence[Marker] = (),
) -> bytes:
    """One scrape's text, of the pipeline alone where there is no board to be read.

    ``zeros`` are counts that are exposed before anything was counted. While a partition recovers nothing is
    exposed that its answers count in: it would be too small, and a counter would be seen to climb. ``markers``
    come newest first.
    """
    if board is None:
        return generate_latest(_Collected([_build(), *_pipeline(pipeline)]))
    dimensions = dimensions.exported
    counts: Counts = {}
    for (name, *values), n in {**dict.fromkeys(zeros, 0), **board.counts}.items():
        counts.setdefault(name, []).append(((*values,), n))
    for name in (SENT, ANSWERED):
        counts[name] = _named(counts.get(name, ()), board, dimensions)
    found = [*_counters(counts, board), _responded(board, surveys), *_teams(surveys.values())]
    found += [*_recovering(board), *_pipeline(pipeline)]
    found += [_markers(markers), _build()]
    if not board.recovering:
        scored = [_Families(board, scale, surveys, dimensions) for scale in SCALES.values()]
        found = [family for one in scored for family in one.families(counts, watched)] + found
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


def _counters(counts: Counts, board: Board) -> Iterator[Metric]:
    for name, (labels, text) in COUNTERS.items():
        if name not in OF_ANSWERS or not board.recovering:
            yield _family(CounterMetricFamily, name, text, labels, counts.get(name, ()))


def _named(
    samples: Iterable[tuple[tuple[str, ...], int]], board: Board, dimensions: Dimensions
) -> list[tuple[tuple[str, ...], int]]:
    """Those of segments that are exposed by name; there is no ``other``, so that none ever falls."""
    found = cache(lambda survey, dimension: board.invited(survey, dimension, dimensions))
    names = dimensions.names
    return [(labels, n) for labels, n in samples if labels[1] in names and labels[2] in found(*labels[:2])]


class _Families:
    """What a board says of the surveys of one scale, in families that are named after it."""

    def __init__(self, board: Board, scale: Scale, surveys: Mapping[str, Survey], dimensions: Dimensions) -> None:
        self._board, self._scale, self._dimensions = board, scale, dimensions
        self._surveys = [id_ for id_, survey in surveys.items() if survey.scale == scale]
        self._targets = {id_: surveys[id_].target for id_ in self._surveys}

    def families(self, counts: Counts, watched: Mapping[Series, Reading]) -> Iterator[Metric]:
        """None where no survey has the scale."""
        if self._surveys:
            targets = [((survey,), target) for survey, target in self._targets.items() if target is not None]
            yield self._gauge("_target", "The score that the survey shall have.", ("survey",), targets)
            yield from self._scores("", _WINDOWS, [*self._totals()])
            yield from self._scores("_segment", (*_WINDOWS, *_SEGMENT), [*self._segments()])
            yield from self._changes()
            yield from self._responses()
            yield self._newest()
            yield from self._corrections(counts)
            yield from self._watched(watched)

    def _scores(
        self, kind: str, labels: Sequence[str], tallies: Sequence[tuple[Sequence[str], Tally]]
    ) -> Iterator[Metric]:
        # No answers, no score.
        points = [(values, tally.score, tally.interval) for values, tally in tallies]
        scores = [(values, score) for values, score, _ in points if score is not None]
        lower = [(values, interval[0]) for values, _, interval in points if interval is not None]
        upper = [(values, interval[1]) for values, _, interval in points if interval is not None]
        worst, best = self._scale.ends
        text = f"{self._scale.title}, {worst:g} to {best:g}{self._scale.symbol}."
        yield self._gauge(f"{kind}_score", text, labels, scores)
        yield self._gauge(f"{kind}_score_lower_bound", "Lower end of its 95 % interval.", labels, lower)
        yield self._gauge(f"{kind}_score_upper_bound", "Upper end of its 95 % interval.", labels, upper)
        text = "Answers in the window by group."
        yield self._gauge(f"{kind}_window_responses", text, (*labels, "group"), _by_group(tallies))

    def _changes(self) -> Iterator[Metric]:
        """What each segment adds to the change of its survey's score; of a dimension they add up to all of it."""
        within: dict[Sequence[str], float] = {}
        mix: dict[Sequence[str], float] = {}
        for survey in self._surveys:
            for dimension, split in changes(self._board, survey, self._scale, self._dimensions).items():
                for found, parts in ((within, split.within), (mix, split.mix)):
                    found |= {(survey, dimension, value): self._scale.unit * part for value, part in parts.items()}
        for name, what, samples in (
            ("within", "the score of a segment", within),
            ("mix", "its share of answers", mix),
        ):
            text = f"Points that {what} adds to a survey's change, {RECENT} against the rest of {REFERENCE}."
            yield self._gauge(f"_segment_change_{name}", text, _SEGMENTS, samples.items())

    def _responses(self) -> Iterator[Metric]:
        of_surveys = {(survey,): Tally(self._scale) for survey in self._surveys}
        of_segments: dict[Sequence[str], Tally] = {}
        for series, histogram in self._board.first.items():
            if self._exposed(series) and series.dimension:
                of_segments[series] = Tally(self._scale, histogram)
            elif self._exposed(series):
                of_surveys[series.survey,] = Tally(self._scale, histogram)
        text = "Answers accepted, first versions only."
        yield self._counter("_responses_total", text, ("survey", "group"), _by_group(of_surveys.items()))
        samples = _by_group(of_segments.items())
        yield self._counter("_segment_responses_total", text, (*_SEGMENTS, "group"), samples)

    def _newest(self) -> Metric:
        newest = self._board.newest
        samples = [((survey,), newest[survey] / SECOND) for survey in self._surveys if survey in newest]
        text = "When the newest answer was given, to the minute; one without a time counts when it is sent."
        return self._gauge("_newest_response_timestamp_seconds", text, ("survey",), samples)

    def _corrections(self, counts: Counts) -> Iterator[Metric]:
        text = "Answers that a newer version of the same answer has changed."
        for name, labels in (("_corrections_total", ("survey",)), ("_segment_corrections_total", _SEGMENTS)):
            found = counts.get(f"{self._scale.name}{name}", ())
            samples = [(values, n) for values, n in found if self._exposed(Series(*values[: len(labels)]))]
            yield self._counter(name, text, (*labels, "from_group", "to_group"), samples)

    def _watched(self, watched: Mapping[Series, Reading]) -> Iterator[Metric]:
        """Of surveys, and of segments of them; evidence is compared with its threshold, by series."""
        mine = {series: one for series, one in watched.items() if series.survey in self._surveys}
        surveys = {series[:1]: one for series, one in mine.items() if not series.dimension}
        segments = {series: one for series, one in mine.items() if series.dimension}
        for kind, labels, found in (("", ("survey",), surveys), ("_segment", _SEGMENTS, segments)):
            for name, (text, value) in _WATCHED.items():
                samples = [(values, value(one)) for values, one in found.items()]
                yield self._gauge(f"{kind}_{name}", text, labels, samples)

    def _gauge(self, name: str, text: str, labels: Sequence[str], samples: Samples) -> Metric:
        return _family(GaugeMetricFamily, f"{self._scale.name}{name}", text, labels, samples)

    def _counter(self, name: str, text: str, labels: Sequence[str], samples: Samples) -> Metric:
        return _family(CounterMetricFamily, f"{self._scale.name}{name}", text, labels, samples)

    def _totals(self) -> Iterator[tuple[Sequence[str], Tally]]:
        for survey in self._surveys:
            for window in self._board.windows:
                yield (survey, window), self._board.tally(survey, window, self._scale)

    def _segments(self) -> Iterator[tuple[Sequence[str], Tally]]:
        for survey in self._surveys:
            for window in self._board.windows:
                for dimension in self._dimensions.names:
                    segments = self._board.segments(survey, window, self._scale, dimension, self._dimensions)
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


def _by_group(tallies: Iterable[tuple[Sequence[str], Tally]]) -> Samples:
    for values, tally in tallies:
        for group, n in tally.groups.items():
            yield (*values, group), n


def _build() -> Metric:
    labels = ("version", "python")
    values = version("livenps"), python_version()
    return _family(GaugeMetricFamily, "livenps_build_info", "The program that answers.", labels, [(values, 1)])


def _responded(board: Board, surveys: Iterable[str]) -> Metric:
    found = {
        (survey, window): invited[survey].ratio
        for window, invited in board.cohorts.items()
        for survey in surveys
        if survey in invited
    }
    samples = [(values, ratio) for values, ratio in found.items() if ratio is not None]
    text = "Of those invited in the window, how many have answered; nobody was invited: none."
    return _family(GaugeMetricFamily, "survey_response_ratio", text, _WINDOWS, samples)


def _teams(surveys: Iterable[Survey]) -> Iterator[Metric]:
    samples = [((survey.id, survey.team), 1) for survey in surveys]
    yield _family(GaugeMetricFamily, "survey_team_info", "Who hears of a survey.", ("survey", "team"), samples)


def _markers(markers: Sequence[Marker]) -> Metric:
    """The newest ones, for charts to be annotated with; of those with the same labels the newest."""
    newest = {(one.title, one.survey_id or ""): to_ms(one.at) / SECOND for one in reversed(markers[:MARKERS])}
    text = f"When something was done that scores may follow, the newest {MARKERS}; without a survey: all of them."
    name = "livenps_marker_timestamp_seconds"
    return _family(GaugeMetricFamily, name, text, ("title", "survey"), newest.items())


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
    waiting = [((channel, str(partition)), n) for (channel, partition), n in pipeline.delivery.items()]
    text = "Records of requests that a channel has not passed, of the partitions that this worker delivers."
    yield _family(GaugeMetricFamily, "livenps_delivery_lag_records", text, ("channel", "partition"), waiting)
    last = [((topic,), seconds) for topic, seconds in pipeline.last_processed.items()]
    text = "When the last batch was applied."
    yield _family(GaugeMetricFamily, "livenps_last_processed_timestamp_seconds", text, ("topic",), last)


_WATCHED: Mapping[str, tuple[str, Callable[[Reading], float]]] = {
    "baseline": ("The score that the series is held against, in points.", attrgetter("baseline")),
    "drop_evidence": ("Evidence that the score fell below its baseline.", attrgetter("drop")),
    "drop_evidence_threshold": ("Evidence, of a drop or a rise, that is an alarm.", attrgetter("threshold")),
    "rise_evidence": ("Evidence that the score rose above its baseline.", attrgetter("rise")),
    "drop_alarmed": (
        "1 from where the evidence of a drop is enough until little is left.",
        attrgetter("drop_alarmed"),
    ),
    "rise_alarmed": (
        "1 from where the evidence of a rise is enough until little is left.",
        attrgetter("rise_alarmed"),
    ),
}
_WINDOWS = ("survey", "window")
_SEGMENT = ("dimension", "segment")
_SEGMENTS = ("survey", *_SEGMENT)
_PARTITION = ("topic", "partition")
