"""What a dashboard's queries found, and how its panels name, colour and write it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Panel = Mapping[str, Any]
COLORS = {
    "green": "#56a64b",
    "yellow": "#e0b400",
    "red": "#e02f44",
    "orange": "#ff780a",
    "blue": "#3274d9",
    "light-blue": "#8ab8ff",
    "text": "var(--ink)",
    "transparent": "transparent",
}
PALETTE = ("#56a64b", "#e0b400", "#3274d9", "#ff780a", "#a352cc", "#e02f44", "#19a5a5", "#8f6f5b")
BEHIND = {"percent": " %", "s": " s", "ops": "/s"}  # of Grafana's units


@dataclass(frozen=True)
class Series:
    """One series that a query found: its labels, and its points (s, value), oldest first."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def newest(self) -> float:
        return self.points[-1][1]


class Mark(NamedTuple):
    """Where an annotation stands (s), and its colour."""

    at: float
    color: str


@dataclass(frozen=True)
class View:
    """What was asked for, and what was found: for each panel by id, the series of each query in turn."""

    start: float
    end: float
    values: Mapping[str, str]
    found: Mapping[int, Sequence[Sequence[Series]]]
    marks: Sequence[Mark]


class Line(NamedTuple):
    """A series with its name and the settings of its field."""

    name: str
    series: Series
    field: Mapping[str, Any]
    color: str


def lines_of(panel: Panel, view: View) -> list[Line]:
    """The series of a panel as they are named, coloured and overridden."""
    lines: list[Line] = []
    for target, found in zip(panel["targets"], view.found[panel["id"]], strict=True):
        for series in found:
            name = _name(target.get("legendFormat", ""), series.labels, view.values)
            field = field_of(panel, name)
            color = field.get("color", {}).get("fixedColor")
            own = PALETTE[len(lines) % len(PALETTE)]
            lines.append(Line(name, series, field, color_of(color) if color else own))
    return lines


def _name(legend: str, labels: Mapping[str, str], values: Mapping[str, str]) -> str:
    chosen = re.sub(r"\$(\w+)", lambda found: values[found[1]], legend)
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), chosen)


def field_of(panel: Panel, name: str) -> dict[str, Any]:
    """The settings of the field of this name."""
    config = panel["fieldConfig"]
    field = {**config["defaults"], "custom": {**config["defaults"].get("custom", {})}}
    for override in config.get("overrides", []):
        matcher = override["matcher"]
        wanted = matcher["options"]
        if name == wanted or (matcher["id"] == "byRegexp" and re.search(wanted.strip("/"), name)):
            for one in override["properties"]:
                inside = one["id"].startswith("custom.")
                (field["custom"] if inside else field)[one["id"].removeprefix("custom.")] = one["value"]
    return field


def color_of(name: str) -> str:
    return COLORS.get(name, name)


def step_color(field: Mapping[str, Any], value: float) -> str:
    """The colour of the highest threshold that a value has reached."""
    steps = field["thresholds"]["steps"]
    return color_of([step["color"] for step in steps if step["value"] is None or step["value"] <= value][-1])


def text_of(value: float, field: Mapping[str, Any]) -> str:
    """A value with its unit."""
    unit, decimals = field.get("unit", "none"), field.get("decimals")
    if unit == "percentunit":
        return f"{_plain(100 * value, decimals)} %"
    behind = BEHIND.get(unit) or unit.partition("suffix:")[2]
    if unit == "short" and abs(value) >= 10_000:
        size, letter = (1e6, "M") if abs(value) >= 1e6 else (1e3, "K")
        return f"{_plain(value / size, 1)}{letter}"
    return _plain(value, decimals) + behind


def _plain(value: float, decimals: int | None) -> str:
    if decimals is None:
        return f"{value:.3g}" if abs(value) < 1_000 else f"{value:.0f}"
    return f"{value:z.{decimals}f}"


def svg(width: int, height: int, inside: str) -> str:
    return f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}">{inside}</svg>'
