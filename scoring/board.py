"""The scores of everything at one moment, merged over partitions: what pages, metrics and the terminal show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from scoring.scales import Scale
from scoring.segments import Dimensions, Series, fold
from scoring.tally import Histogram, Tally, merge
from scoring.windows import ALL

Count = tuple[str, ...]  # a counter's name and its label values
SENT, ANSWERED = "survey_segment_requests_total", "survey_segment_answered_total"  # survey, dimension, value


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition is counted: up to ``offset``, and before ``until`` nobody may rely on it.

    It has no offset where nobody has begun to count, or where the state was lost and nobody has noticed yet.
    """

    offset: int | None
    until: int | None = None

    @property
    def recovering(self) -> bool:
        return self.offset is None or self.until is not None

    @property
    def share(self) -> float:
        """How much of what has to be counted is counted, from 0 to 1."""
        if self.offset is None:
            return 0.0
        return self.offset / self.until if self.until else 1.0


class Cohort(NamedTuple):
    """How many were invited in some time, and how many of them have answered, whenever that was."""

    invited: int
    answered: int

    @property
    def ratio(self) -> float | None:
        """From 0 to 1; None where nobody was invited."""
        return self.answered / self.invited if self.invited else None


@dataclass(frozen=True)
class Board:
    """``windows`` holds a histogram per window (``all`` too) and series, ``first`` that of first acceptances.

    Every partition feeds every series: while one of them recovers, all numbers are too small.
    """

    as_of: int  # ms
    windows: Mapping[str, Mapping[Series, Histogram]]
    first: Mapping[Series, Histogram] = field(default_factory=dict)
    counts: Mapping[Count, int] = field(default_factory=dict)
    progress: Mapping[int, Progress] = field(default_factory=dict)  # by partition
    newest: Mapping[str, int] = field(default_factory=dict)  # survey -> when its newest answer was given, ms
    cohorts: Mapping[str, Mapping[str, Cohort]] = field(default_factory=dict)  # window -> survey invited in it

    @property
    def recovering(self) -> bool:
        return any(one.recovering for one in self.progress.values())

    @property
    def share(self) -> float:
        """How much of what has to be counted is counted, over all partitions, from 0 to 1."""
        return sum(one.share for one in self.progress.values()) / len(self.progress) if self.progress else 1.0

    def tally(self, survey: str, window: str, scale: Scale) -> Tally:
        """A survey's answers in a window; an empty tally where there are none."""
        return Tally(scale, self.windows[window].get(Series(survey), ()))

    def segment(self, survey: str, window: str, scale: Scale, dimension: str, value: str) -> Tally:
        """The answers of one segment, of whatever size; an empty tally where there are none."""
        return Tally(scale, self.windows[window].get(Series(survey, dimension, value), ()))

    def segments(
        self, survey: str, window: str, scale: Scale, dimension: str, dimensions: Dimensions
    ) -> dict[str, Tally]:
        """Value -> answers of one dimension. What is not exposed by name is summed into ``other``.

        Which values have a name is the same for all windows of a survey: it goes by all answers there are.
        """
        sizes = self._sizes(survey, dimension)
        names = fold(sizes, dimensions.shown(dimension, sizes))
        parts: dict[str, list[Histogram]] = {}
        for value, histogram in self._values[window].get((survey, dimension), {}).items():
            parts.setdefault(names.get(value, value), []).append(histogram)
        return {
            value: Tally(scale, merge(histograms) if len(histograms) > 1 else histograms[0])
            for value, histograms in parts.items()
        }

    def invited(self, survey: str, dimension: str, dimensions: Dimensions) -> dict[str, tuple[int, int]]:
        """Value -> surveys given to delivery, and how many of them were answered, since they are counted.

        Exposed by name are the largest by what was sent, whether anybody answers or not; ``other`` are the rest.
        """
        counted = self._invited.get((survey, dimension), {})
        names = fold(counted, dimensions.shown(dimension, {value: sent for value, (sent, _) in counted.items()}))
        found: dict[str, tuple[int, int]] = {}
        for value, (sent, answered) in counted.items():
            before = found.get(names[value], (0, 0))
            found[names[value]] = before[0] + sent, before[1] + answered
        return found

    def count(self, *count: str) -> int:
        return self.counts.get(count, 0)

    def shown(self, survey: str, dimension: str, dimensions: Dimensions) -> set[str]:
        """The values of a dimension that are exposed by name."""
        return dimensions.shown(dimension, self._sizes(survey, dimension))

    def _sizes(self, survey: str, dimension: str) -> dict[str, int]:
        values = self._values[ALL].get((survey, dimension), {})
        return {value: sum(histogram) for value, histogram in values.items()}

    @cached_property
    def _invited(self) -> dict[tuple[str, str], dict[str, tuple[int, int]]]:
        """Survey and dimension -> value -> sent and answered."""
        found: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}
        for (name, *labels), _ in self.counts.items():
            if name in (SENT, ANSWERED):
                survey, dimension, value = labels
                pair = self.count(SENT, *labels), self.count(ANSWERED, *labels)
                found.setdefault((survey, dimension), {})[value] = pair
        return found

    @cached_property
    def _values(self) -> dict[str, dict[tuple[str, str], dict[str, Histogram]]]:
        """Window -> survey and dimension -> value -> histogram: gone through once, however many ask."""
        found: dict[str, dict[tuple[str, str], dict[str, Histogram]]] = {}
        for window, held in self.windows.items():
            grouped = found[window] = {}
            for (survey, dimension, value), histogram in held.items():
                grouped.setdefault((survey, dimension), {})[value] = histogram
        return found
