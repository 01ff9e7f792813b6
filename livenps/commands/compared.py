"""How commands show series that two counts disagree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from scoring.recount import Difference
from scoring.scales import Scale
from scoring.tally import Histogram, Tally
from streams.dead_letters import escaped

ROWS = 50


def as_rows(found: Sequence[tuple[int, Difference]], counted: str, stored: str) -> list[dict[str, object]]:
    """Differences with their partitions, for JSON, under the names that the command has for the two counts."""
    return [
        {
            "partition": partition,
            "window": one.window,
            "series": one.series,
            counted: one.counted,
            stored: one.stored,
        }
        for partition, one in found
    ]


def as_table(
    found: Sequence[tuple[int, Difference]], scales: Mapping[str, Scale], counted: str, stored: str
) -> Table:
    """The same for people, the first ``ROWS`` of them. A survey that is not configured has no score."""
    names = [f"{count} {what}" for what in ("n", "score") for count in (counted, stored)]
    table = Table("partition", "window", "series", *names)
    for partition, one in found[:ROWS]:
        pair, scale = (one.counted, one.stored), scales.get(one.series.survey)
        scores = [_score(scale, histogram) for histogram in pair]
        series = Text(escaped(" ".join(part for part in one.series if part)))
        table.add_row(str(partition), one.window, series, *(str(sum(histogram)) for histogram in pair), *scores)
    return table


def _score(scale: Scale | None, histogram: Histogram) -> str:
    score = Tally(scale, histogram).score if scale else None
    return "" if scale is None or score is None else scale.text(score, 1)
