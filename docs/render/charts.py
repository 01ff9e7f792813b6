"""Panels with axes: lines, stacks, states over time, and bars side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from math import ceil, floor, log10

from docs.render.axes import Box, Scale, across_of, grid, legend, marks, scale_of, ticks_of, times
from docs.render.values import rows_of
from docs.render.view import Line, Panel, View, color_of, field_of, lines_of, svg

Shape = list[tuple[float, float, float]]  # time, bottom and top of each point


def timeseries(panel: Panel, view: View, width: int, height: int) -> str:
    lines = lines_of(panel, view)
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    stacked = custom.get("stacking", {}).get("mode", "none")
    box = Box(58, 8, width - 12, height - 44)
    across = across_of(view, box)
    shapes = _stack(lines, percent=stacked == "percent") if stacked != "none" else {}
    values = [v for one in shapes.values() for _, _, v in one] or [
        v for line in lines for _, v in line.series.points
    ]
    low, high, ticks, scale = _axis(panel, values, box, stacked == "percent")
    field = {**panel["fieldConfig"]["defaults"], **({"unit": "percentunit"} if stacked == "percent" else {})}
    drawn = [grid(ticks, scale, box, field), times(view, box)]
    if shapes:
        bars = custom.get("drawStyle") == "bars"
        for line in lines:
            drawn.append((_bars if bars else _area)(shapes[line.name], line.color, across, scale))
    else:
        drawn += [_band(line, lines, across, scale) for line in lines]
        drawn += [_path(line, across, scale, low, high) for line in lines]
    drawn.append(marks(view, box))
    return svg(width, height, "".join(drawn) + legend([(line.name, line.color) for line in lines], height))


def _axis(
    panel: Panel, values: Sequence[float], box: Box, percent: bool
) -> tuple[float, float, list[float], Scale]:
    """The least and greatest value, the ticks, and where a value is drawn."""
    defaults = panel["fieldConfig"]["defaults"]
    if percent:
        return 0, 1, [0, 0.25, 0.5, 0.75, 1], scale_of(0, 1, box)
    low, high = defaults.get("min", min(values)), defaults.get("max", max(values))
    if defaults.get("custom", {}).get("scaleDistribution", {}).get("type") == "log":
        first, last = floor(log10(low)), ceil(log10(max(high, 10 * low)))
        ticks = [10.0**power for power in range(first, last + 1, max(1, (last - first) // 5))]
        inner = scale_of(first, last, box)
        return 10.0**first, 10.0**last, ticks, lambda value: inner(log10(max(value, 10.0**first)))
    ticks = ticks_of(low, high if high > low else low + 1)
    low, high = min(low, ticks[0]), max(high, ticks[-1])
    return low, high, ticks, scale_of(low, high, box)


def _stack(lines: Sequence[Line], *, percent: bool) -> dict[str, Shape]:
    """The series one on top of the other, by their names."""
    totals: dict[float, float] = {}
    for line in lines:
        for at, value in line.series.points:
            totals[at] = totals.get(at, 0) + value
    bottoms: dict[float, float] = {}
    shapes: dict[str, Shape] = {}
    for line in lines:
        for at, value in line.series.points:
            bottom = bottoms.get(at, 0)
            bottoms[at] = bottom + (value / (totals[at] or 1) if percent else value)
            shapes.setdefault(line.name, []).append((at, bottom, bottoms[at]))
    return shapes


def _area(shape: Shape, color: str, across: Scale, scale: Scale, opacity: float = 0.6) -> str:
    there = [f"{across(at):.1f},{scale(top):.1f}" for at, _, top in shape]
    back = [f"{across(at):.1f},{scale(bottom):.1f}" for at, bottom, _ in reversed(shape)]
    return f'<polygon points="{" ".join(there + back)}" fill="{color}" fill-opacity="{opacity}"/>'


def _bars(shape: Shape, color: str, across: Scale, scale: Scale) -> str:
    step = min((across(b[0]) - across(a[0]) for a, b in pairwise(shape)), default=4)
    return "".join(
        f'<rect x="{across(at) - step / 2:.1f}" y="{scale(top):.1f}" width="{max(step - 1, 1):.1f}" '
        f'height="{scale(bottom) - scale(top):.1f}" fill="{color}" fill-opacity=".7"/>'
        for at, bottom, top in shape
        if top > bottom
    )


def _band(line: Line, lines: Sequence[Line], across: Scale, scale: Scale) -> str:
    """The filling between a line and the one that it names."""
    below = [one for one in lines if one.name == line.field["custom"].get("fillBelowTo")]
    if not below:
        return ""
    lower = dict(below[0].series.points)
    shape = [(at, lower[at], value) for at, value in line.series.points if at in lower]
    return _area(shape, line.color, across, scale, line.field["custom"]["fillOpacity"] / 100)


def _path(line: Line, across: Scale, scale: Scale, low: float, high: float) -> str:
    width = line.field["custom"].get("lineWidth", 1)
    if not width:
        return ""
    dashes = ' stroke-dasharray="8 6"' if "lineStyle" in line.field["custom"] else ""
    points = " ".join(f"{across(at):.1f},{scale(min(max(v, low), high)):.1f}" for at, v in line.series.points)
    return f'<polyline points="{points}" fill="none" stroke="{line.color}" stroke-width="{width}"{dashes}/>'


def states(panel: Panel, view: View, width: int, height: int) -> str:
    lines = lines_of(panel, view)
    [mapping] = [one["options"] for one in panel["fieldConfig"]["defaults"]["mappings"]]
    box = Box(190, 6, width - 12, height - 44)
    across = across_of(view, box)
    each = (box.bottom - box.top) / len(lines)
    drawn = [times(view, box)]
    for place, line in enumerate(lines):
        y = box.top + place * each
        drawn.append(f'<text x="182" y="{y + each / 2 + 4:.0f}" text-anchor="end">{escape(line.name)}</text>')
        for at, until, value in _runs(line.series.points, view.end):
            left, right = across(at), across(until)
            color = color_of(mapping[f"{value:g}"]["color"])
            drawn.append(
                f'<rect x="{left:.1f}" y="{y + 3:.1f}" width="{right - left:.1f}" height="{each - 6:.1f}" '
                f'fill="{color}" fill-opacity=".8"/>'
            )
    named = [(one["text"], color_of(one["color"])) for one in mapping.values()]
    return svg(width, height, "".join(drawn) + legend(named, height))


def _runs(points: Sequence[tuple[float, float]], end: float) -> Iterator[tuple[float, float, float]]:
    """Start, end and value of each stretch of the same value."""
    start, before = points[0]
    for at, value in points[1:]:
        if value != before:
            yield start, at, before
            start, before = at, value
    yield start, end, before


def barchart(panel: Panel, view: View, width: int, height: int) -> str:
    columns, table = rows_of(panel, view)
    names = columns[1:]
    fields = [field_of(panel, name) for name in names]
    values = [one for row in table for one in row[1:] if isinstance(one, float)]
    box = Box(50, 8, width - 10, height - 44)
    ticks = ticks_of(min(0, *values), max(0, *values))
    scale = scale_of(ticks[0], ticks[-1], box)
    group = (box.right - box.left) / len(table)
    bar = group * 0.7 / len(names)
    drawn = [grid(ticks, scale, box, fields[0])]
    for place, row in enumerate(table):
        x = box.left + group * (place + 0.15)
        for number, (value, field) in enumerate(zip(row[1:], fields, strict=True)):
            top, bottom = sorted((scale(float(value or 0)), scale(0)))
            drawn.append(
                f'<rect x="{x + number * bar:.1f}" y="{top:.1f}" width="{bar - 2:.1f}" fill-opacity=".8" '
                f'height="{max(bottom - top, 1):.1f}" fill="{color_of(field["color"]["fixedColor"])}"/>'
            )
        middle = x + bar * len(names) / 2
        drawn.append(
            f'<text x="{middle:.0f}" y="{box.bottom + 15}" text-anchor="middle">{escape(str(row[0]))}</text>'
        )
    named = [(name, color_of(field["color"]["fixedColor"])) for name, field in zip(names, fields, strict=True)]
    return svg(width, height, "".join(drawn) + legend(named, height))
