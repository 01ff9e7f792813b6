"""How commands show series that two counts disagree on."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from scoring.recount import Difference
from scoring.tally import Tally
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


def as_table(found: Sequence[tuple[int, Difference]], counted: str, stored: str) -> Table:
    """The same for people, the first ``ROWS`` of them."""
    names = [f"{count} {what}" for what in ("n", "NPS") for count in (counted, stored)]
    table = Table("partition", "window", "series", *names)
    for partition, one in found[:ROWS]:
        tallies = Tally.of(one.counted), Tally.of(one.stored)
        scores = ["" if tally.nps is None else f"{tally.nps:.1f}" for tally in tallies]
        series = Text(escaped(" ".join(part for part in one.series if part)))
        table.add_row(str(partition), one.window, series, *(str(tally.n) for tally in tallies), *scores)
    return table
