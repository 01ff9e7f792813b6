"""livenps and its peers side by side: a table, JSON, a picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks import report
from benchmarks.measure import Sample
from benchmarks.plot import bars

TITLE = "Answers counted a second, on one machine"


@dataclass
class Row:
    """A peer and its runs."""

    name: str
    title: str
    leaves_out: str
    jvm: bool
    answers: int
    runs: list[Sample] = field(default_factory=list)

    @property
    def good(self) -> list[Sample]:
        return [sample for sample in self.runs if not sample.failure]

    @property
    def rate(self) -> float | None:
        """Answers a second: the median of the runs that counted right."""
        return median(rate(sample) for sample in self.good) if self.good else None

    @property
    def second_half(self) -> float | None:
        """The same of the second half, for a runtime that is still warming up in the first."""
        halves = [sample.answers / 2 / sample.second_half_s for sample in self.good if sample.second_half_s]
        return median(halves) if halves and self.jvm else None

    @property
    def cpu(self) -> dict[str, float]:
        """CPU seconds per million answers, of the peer and of what works beside it."""
        return {
            name: median(sample.cpu_s[name] / sample.answers * 1e6 for sample in self.good)
            for name in (self.good[0].cpu_s if self.good else ())
        }


def rate(sample: Sample) -> float:
    return sample.answers / sample.seconds


def line(sample: Sample) -> str:
    """One run in a line."""
    if sample.failure:
        return f"FAILED: {sample.failure}"
    return f"{rate(sample):,.0f} answers/s, {sample.seconds:.1f} s after a start of {sample.start_s:.1f} s"


def facts(rows: list[Row]) -> list[dict[str, Any]]:
    """All rows with what follows from their runs."""
    rates = {row.name: row.rate for row in rows}
    return [
        {
            "name": row.name,
            "title": row.title,
            "leaves_out": row.leaves_out,
            "answers": row.answers,
            "answers_per_s": row.rate,
            "second_half_per_s": row.second_half,
            "of_ceiling": _ratio(row.rate, rates.get("ceiling")),
            "of_livenps": _ratio(row.rate, rates.get("livenps")),
            "cpu_s_per_million": row.cpu,
            "peak_rss_mb": median(sample.peak_mb for sample in row.good) if row.good else None,
            "start_s": median(sample.start_s for sample in row.good) if row.good else None,
            "failures": [sample.failure for sample in row.runs if sample.failure],
            "runs": [asdict(sample) for sample in row.runs],
        }
        for row in rows
    ]


def table(rows: list[Row]) -> Table:
    """The medians, one line a peer."""
    made = Table(title=TITLE, caption=report.machine(), expand=True, show_lines=True)
    made.add_column("peer", ratio=2)
    for name in ("answers", "answers/s", "2nd half", "of\nceiling", "of\nlivenps"):
        made.add_column(name, justify="right")
    made.add_column("CPU s/million\npeer + broker\n+ Redis", justify="right")
    for name in ("peak RSS\nMB", "start\ns"):
        made.add_column(name, justify="right")
    made.add_column("leaves out", ratio=3)
    for fact in facts(rows):
        failures = fact["failures"]
        cpu = fact["cpu_s_per_million"].values()
        made.add_row(
            fact["title"],
            f"{fact['answers']:,}",
            _number(fact["answers_per_s"]),
            _number(fact["second_half_per_s"]),
            _number(fact["of_ceiling"], ".0%"),
            _number(fact["of_livenps"], ".2f"),
            " + ".join(f"{seconds:.1f}" for seconds in cpu),
            _number(fact["peak_rss_mb"]),
            _number(fact["start_s"], ".1f"),
            f"[red]{len(failures)} OF {len(fact['runs'])} RUNS FAILED[/red]" if failures else fact["leaves_out"],
        )
    return made


def save(rows: list[Row], answers: int, directory: Path) -> list[Path]:
    """Write the JSON and the picture, named by the time."""
    name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    data, picture = report.write(name, found(rows, answers), directory), directory / f"{name}.svg"
    values = [(row.title, row.rate, row.name.startswith("livenps")) for row in rows if row.rate]
    picture.write_text(bars(TITLE, report.machine(), values))
    return [data, picture]


def found(rows: list[Row], answers: int) -> dict[str, Any]:
    """What is written of them all."""
    return {"answers": answers, "peers": facts(rows)}


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one and other else None


def _number(value: float | None, shape: str = ",.0f") -> str:
    return "" if value is None else format(value, shape)
