"""The board as metrics, made fresh for every scrape: a rolling score changes with no event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from scoring.board import Board, Count
from scoring.scales import GROUPS
from scoring.segments import Dimensions, Series
from scoring.tally import Tally
from streams.topics import RESPONSES

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

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
    """The lanes' health: lag per (topic, partition), last batch per topic (s), partitions that had to stop."""

    lag: Mapping[tuple[str, int], int] = field(default_factory=dict)
    last_processed: Mapping[str, float] = field(default_factory=dict)
    stopped: Mapping[tuple[str, int], bool] = field(default_factory=dict)


def exposition(
    board: Board, surveys: Sequence[str], dimensions: Dimensions, pipeline: Pipeline, zeros: Iterable[Count] = ()
) -> bytes:
    """One scrape's text. ``zeros`` are counts that are exposed before anything was counted.

    While a partition recovers nothing is exposed that its answers count in: it would be too small, and a counter
    would be seen to climb.
    """
    families = _Families(board, surveys, dimensions, zeros)
    found = [*families.counters(), *_recovering(board), *_pipeline(pipeline)]
    if not board.recovering:
        found = [*families.scores(), *families.responses(), *found]
    return b"".join("".join(family.lines()).encode() for family in found)


class _Family(NamedTuple):
    """A metric with its samples: labels as they are written, and a value."""

    name: str
    kind: str
    help: str
    samples: Iterable[tuple[str, float]]

    # Not by prometheus-client, whose text takes six times as long, and holds the lanes up for that time.
    def lines(self) -> Iterator[str]:
        yield f"# HELP {self.name} {self.help}\n# TYPE {self.name} {self.kind}\n"
        for labels, value in self.samples:
            yield f"{self.name}{{{labels}}} {value!r}\n"


class _Families:
    """What a board says."""

    def __init__(
        self, board: Board, surveys: Sequence[str], dimensions: Dimensions, zeros: Iterable[Count]
    ) -> None:
        self._board, self._surveys, self._dimensions = board, surveys, dimensions
        self._counts: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        for (name, *values), n in {**dict.fromkeys(zeros, 0), **board.counts}.items():
            self._counts.setdefault(name, []).append(((*values,), n))

    def scores(self) -> Iterator[_Family]:
        yield from _scores("nps", self._totals())
        yield from _scores("nps_segment", self._segments())

    def responses(self) -> Iterator[_Family]:
        of_surveys = dict.fromkeys((Series(survey) for survey in self._surveys), Tally())
        of_segments: dict[Series, Tally] = {}
        for series, histogram in self._board.first.items():
            if self._exposed(series):
                (of_segments if series.dimension else of_surveys)[series] = Tally.of(histogram)
        yield _responses("nps_responses_total", {_labels(("survey",), one): of_surveys[one] for one in of_surveys})
        yield _responses(
            "nps_segment_responses_total", {_labels(_SERIES, one): tally for one, tally in of_segments.items()}
        )

    def counters(self) -> Iterator[_Family]:
        for name, (names, text) in COUNTERS.items():
            if name in OF_ANSWERS and self._board.recovering:
                continue
            counts = self._counts.get(name, [])
            if name == _SEGMENT_CORRECTIONS:
                counts = [(values, n) for values, n in counts if self._exposed(Series(*values[:3]))]
            yield _Family(name, "counter", text, [(_labels(names, values), n) for values, n in counts])

    def _totals(self) -> Iterator[tuple[str, Tally]]:
        for survey in self._surveys:
            for window in self._board.windows:
                yield _labels(("survey", "window"), (survey, window)), self._board.tally(survey, window)

    def _segments(self) -> Iterator[tuple[str, Tally]]:
        for survey in self._surveys:
            for window in self._board.windows:
                for dimension in self._dimensions.names:
                    segments = self._board.segments(survey, window, dimension, self._dimensions)
                    common = _labels(("survey", "window", "dimension"), (survey, window, dimension))
                    for value, tally in segments.items():
                        yield f'{common},segment="{_escaped(value)}"', tally

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


def _scores(name: str, tallies: Iterable[tuple[str, Tally]]) -> Iterator[_Family]:
    found = list(tallies)
    # No answers, no score.
    points = [(labels, tally.nps, tally.interval) for labels, tally in found]
    scores = [(labels, nps) for labels, nps, _ in points if nps is not None]
    lower = [(labels, interval[0]) for labels, _, interval in points if interval is not None]
    upper = [(labels, interval[1]) for labels, _, interval in points if interval is not None]
    yield _Family(f"{name}_score", "gauge", "Net Promoter Score in points, -100 to 100.", scores)
    yield _Family(f"{name}_score_lower_bound", "gauge", "Lower end of its 95 % interval.", lower)
    yield _Family(f"{name}_score_upper_bound", "gauge", "Upper end of its 95 % interval.", upper)
    yield _Family(f"{name}_window_responses", "gauge", "Answers in the window by group.", _by_group(found))


def _responses(name: str, tallies: Mapping[str, Tally]) -> _Family:
    return _Family(name, "counter", "Answers accepted, first versions only.", _by_group(tallies.items()))


def _by_group(tallies: Iterable[tuple[str, Tally]]) -> Iterator[tuple[str, int]]:
    for labels, tally in tallies:
        for group in GROUPS:
            yield f'{labels},group="{group}"', tally.count(group)


def _recovering(board: Board) -> Iterator[_Family]:
    samples = [
        (_labels(_PARTITION, (RESPONSES, str(partition))), int(progress.recovering))
        for partition, progress in board.progress.items()
    ]
    text = "1 while the answers of a partition are being counted again: no score is exposed."
    yield _Family("livenps_recovering", "gauge", text, samples)


def _pipeline(pipeline: Pipeline) -> Iterator[_Family]:
    lag = [(_labels(_PARTITION, (topic, str(p))), records) for (topic, p), records in pipeline.lag.items()]
    yield _Family("livenps_lag_records", "gauge", "Records not yet processed.", lag)
    last = [(_labels(("topic",), (topic,)), seconds) for topic, seconds in pipeline.last_processed.items()]
    yield _Family("livenps_last_processed_timestamp_seconds", "gauge", "When the last batch was applied.", last)
    stopped = [
        (_labels(_PARTITION, (topic, str(p))), int(value)) for (topic, p), value in pipeline.stopped.items()
    ]
    yield _Family("livenps_partition_stopped", "gauge", "1 where a partition may not go on by itself.", stopped)


def _labels(names: Iterable[str], values: Iterable[str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=False))


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


_SERIES = ("survey", "dimension", "segment")
_PARTITION = ("topic", "partition")
