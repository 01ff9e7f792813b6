"""Scales, ticks, grid, times and legend of a chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from math import ceil, floor, log10
from typing import Any, NamedTuple

from docs.render.view import View, color_of, text_of

Scale = Callable[[float], float]  # a value to its pixel


class Box(NamedTuple):
    """The inside of a chart, in pixels."""

    left: float
    top: float
    right: float
    bottom: float


def scale_of(low: float, high: float, box: Box) -> Scale:
    span = (high - low) or 1
    return lambda value: box.bottom - (value - low) / span * (box.bottom - box.top)


def across_of(view: View, box: Box) -> Scale:
    return lambda at: box.left + (at - view.start) / (view.end - view.start) * (box.right - box.left)


def ticks_of(low: float, high: float) -> list[float]:
    """About five round values from below the least to above the greatest."""
    rough = (high - low) / 4
    size = 10.0 ** floor(log10(rough)) if rough > 0 else 1.0
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    return [step * number for number in range(floor(low / step), ceil(high / step) + 1)]


def grid(ticks: Sequence[float], scale: Scale, box: Box, field: Mapping[str, Any]) -> str:
    texts = {**field, "decimals": None}
    return "".join(
        f'<path d="M {box.left} {scale(one):.1f} H {box.right}" stroke="var(--line)"/>'
        f'<text x="{box.left - 6}" y="{scale(one) + 4:.1f}" text-anchor="end">{escape(text_of(one, texts))}</text>'
        for one in ticks
    )


def times(view: View, box: Box) -> str:
    across = across_of(view, box)
    parts = max(2, round((box.right - box.left) / 90))
    at = [view.start + (view.end - view.start) * number / parts for number in range(1, parts)]
    return "".join(
        f'<text x="{across(one):.0f}" y="{box.bottom + 15}" text-anchor="middle">'
        f"{datetime.fromtimestamp(one, UTC):%H:%M:%S}</text>"
        for one in at
    )


def marks(view: View, box: Box) -> str:
    across = across_of(view, box)
    return "".join(
        f'<path d="M {across(mark.at):.1f} {box.top} V {box.bottom}" stroke="{color_of(mark.color)}" '
        f'stroke-width="1.5" stroke-dasharray="3 3"/>'
        for mark in view.marks
        if view.start <= mark.at <= view.end
    )


def legend(names: Sequence[tuple[str, str]], height: int) -> str:
    drawn, x = [], 12.0
    for name, color in names:
        drawn.append(
            f'<rect x="{x:.0f}" y="{height - 17}" width="12" height="4" rx="2" fill="{color}"/>'
            f'<text x="{x + 17:.0f}" y="{height - 11}">{escape(name)}</text>'
        )
        x += 34 + 6.2 * len(name)
    return "".join(drawn)
