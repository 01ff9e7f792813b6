"""Panels of newest values: gauge, numbers, bars, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import cos, pi, sin
from operator import itemgetter
from typing import Any

from docs.render.view import Panel, View, field_of, lines_of, step_color, svg, text_of


def gauge(panel: Panel, view: View, width: int, height: int) -> str:
    [line] = lines_of(panel, view)
    low, high, value = line.field["min"], line.field["max"], line.series.newest
    share = (min(max(value, low), high) - low) / (high - low)
    x, y, radius = width / 2, height * 0.65, min(width / 2.4, height * 0.58)
    color = step_color(line.field, value)
    arcs = _arc(x, y, radius, 0, 1, "var(--line)") + _arc(x, y, radius, 0, share, color)
    text = f'<text x="{x}" y="{y}" text-anchor="middle" font-size="30" fill="{color}">'
    return svg(width, height, f"{arcs}{text}{escape(text_of(value, line.field))}</text>")


def _arc(x: float, y: float, radius: float, start: float, end: float, color: str) -> str:
    def at(share: float) -> str:
        angle = pi * (1.15 - 1.3 * share)
        return f"{x + radius * cos(angle):.1f} {y - radius * sin(angle):.1f}"

    large = int(1.3 * (end - start) > 1)
    path = f"M {at(start)} A {radius:.1f} {radius:.1f} 0 {large} 1 {at(end)}"
    return f'<path d="{path}" fill="none" stroke="{color}" stroke-width="22"/>'


def stat(panel: Panel, view: View, _: int, __: int) -> str:
    lines = lines_of(panel, view)
    shown = [
        f"<div>{f'<small>{escape(line.name)}</small><br>' if len(lines) > 1 else ''}"
        f'<b style="color:{step_color(line.field, line.series.newest)}">'
        f"{escape(text_of(line.series.newest, line.field))}</b></div>"
        for line in lines
    ]
    return f'<div class="stat{" pairs" if len(lines) > 1 else ""}">{"".join(shown)}</div>'


def bargauge(panel: Panel, view: View, width: int, height: int) -> str:
    lines = lines_of(panel, view)
    label, number = 130, 60
    longest = max(line.series.newest for line in lines) or 1
    each = min(height / len(lines), 46)
    bars = []
    for place, line in enumerate(lines):
        y, middle, value = place * each + 4, place * each + 6 + each / 2, line.series.newest
        color = step_color(line.field, value)
        bar = (width - label - number - 20) * value / longest
        bars.append(
            f'<text x="{label}" y="{middle:.0f}" text-anchor="end" font-size="12">{escape(line.name)}</text>'
            f'<rect x="{label + 10}" y="{y:.0f}" width="{max(bar, 1):.0f}" height="{each - 10:.0f}" '
            f'fill="{color}"/>'
            f'<text x="{label + 18 + bar:.0f}" y="{middle:.0f}" font-size="14" fill="{color}">'
            f"{escape(text_of(value, line.field))}</text>"
        )
    return svg(width, height, "".join(bars))


Cell = str | float | None


def rows_of(panel: Panel, view: View) -> tuple[list[str], list[list[Cell]]]:
    """The columns and rows that the panel's transformations make of its answers."""
    several = len(panel["targets"]) > 1
    rows: dict[tuple[tuple[str, str], ...], dict[str, str | float]] = {}
    for target, found in zip(panel["targets"], view.found[panel["id"]], strict=True):
        for series in found:
            row = rows.setdefault(tuple(sorted(series.labels.items())), {**series.labels})
            row[f"Value #{target['refId']}" if several else "Value"] = series.newest
    [organize] = [one["options"] for one in panel["transformations"] if one["id"] == "organize"]
    there = {name for row in rows.values() for name in row} - organize["excludeByName"].keys()
    names = sorted(there, key=organize["indexByName"].__getitem__)
    columns = [organize["renameByName"].get(name, name) for name in names]
    table: list[list[Cell]] = [[row.get(name) for name in names] for row in rows.values()]
    for sort in reversed(panel["options"].get("sortBy", [])):
        if sort["displayName"] in columns:
            table = _sorted(table, columns.index(sort["displayName"]), down=sort["desc"])
    return columns, table


def _sorted(table: list[list[Cell]], at: int, *, down: bool) -> list[list[Cell]]:
    """By one column, whose cells are texts or numbers; rows without a value come last."""
    empty = [row for row in table if row[at] is None]
    texts = [(cell, row) for row in table if isinstance(cell := row[at], str)]
    numbers = [(cell, row) for row in table if isinstance(cell := row[at], float)]
    texts.sort(key=itemgetter(0), reverse=down)
    numbers.sort(key=itemgetter(0), reverse=down)
    return [row for _, row in numbers] + [row for _, row in texts] + empty


def table(panel: Panel, view: View, _: int, __: int) -> str:
    columns, rows = rows_of(panel, view)
    fields = [field_of(panel, column) for column in columns]
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr{_background(row, fields)}>{_cells(row, fields)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cells(row: Sequence[Cell], fields: Sequence[Mapping[str, Any]]) -> str:
    pairs = zip(row, fields, strict=True)
    texts = [text_of(one, field) if isinstance(one, float) else one or "" for one, field in pairs]
    return "".join(f"<td>{escape(text)}</td>" for text in texts)


def _background(row: Sequence[Cell], fields: Sequence[Mapping[str, Any]]) -> str:
    for one, field in zip(row, fields, strict=True):
        if field["custom"].get("cellOptions", {}).get("applyToRow") and isinstance(one, float):
            return f' style="background:{step_color(field, one)}"'
    return ""
