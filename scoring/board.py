"""The scores of everything at one moment, merged over partitions: what pages, metrics and the terminal show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scoring.segments import Dimensions, Series, fold
from scoring.tally import Histogram, Tally, merge

Count = tuple[str, ...]  # a counter's name and its label values


@dataclass(frozen=True, slots=True)
class Board:
    """``windows`` holds a histogram per window (``all`` too) and series, ``first`` that of first acceptances."""

    as_of: int  # ms
    windows: Mapping[str, Mapping[Series, Histogram]]
    first: Mapping[Series, Histogram] = field(default_factory=dict)
    counts: Mapping[Count, int] = field(default_factory=dict)

    def tally(self, survey: str, window: str) -> Tally:
        """A survey's answers in a window; an empty tally where there are none."""
        return Tally.of(self.windows[window].get(Series(survey), ()))

    def segments(self, survey: str, window: str, dimension: str, dimensions: Dimensions) -> dict[str, Tally]:
        """Value -> answers of one dimension. What is not exposed by name is summed into ``other``.

        Which values have a name is the same for all windows of a survey: it goes by all answers there are.
        """
        sizes = self._sizes(survey, dimension)
        names = fold(sizes, dimensions.shown(dimension, sizes))
        parts: dict[str, list[Histogram]] = {}
        for series, histogram in self.windows[window].items():
            if series.survey == survey and series.dimension == dimension:
                parts.setdefault(names.get(series.value, series.value), []).append(histogram)
        return {value: Tally.of(merge(histograms)) for value, histograms in parts.items()}

    def count(self, *count: str) -> int:
        return self.counts.get(count, 0)

    def shown(self, survey: str, dimension: str, dimensions: Dimensions) -> set[str]:
        """The values of a dimension that are exposed by name."""
        return dimensions.shown(dimension, self._sizes(survey, dimension))

    def _sizes(self, survey: str, dimension: str) -> dict[str, int]:
        return {
            series.value: sum(histogram)
            for series, histogram in self.windows["all"].items()
            if series.survey == survey and series.dimension == dimension
        }
