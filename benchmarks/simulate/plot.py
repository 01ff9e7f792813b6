"""Curves in SVG, which needs no library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import log10

from benchmarks.plot import INK, OTHERS, OURS

WIDTH, HEIGHT = 760, 340
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 66, 56

COLORS = {"ours": OURS, "other": OTHERS, "ink": INK}


@dataclass(frozen=True)
class Axis:
    """From the first tick to the last; ``log`` for a logarithmic one."""

    title: str
    ticks: Sequence[float]
    log: bool = False

    def place(self, low: float, high: float) -> Callable[[float], float]:
        """Where a number of the axis lies between two pixels; what lies outside is put at its end."""
        scaled = log10 if self.log else float
        first, last = scaled(self.ticks[0]), scaled(self.ticks[-1])

        def at(number: float) -> float:
            inside = min(max(number, self.ticks[0]), self.ticks[-1])
            return low + (high - low) * (scaled(inside) - first) / (last - first)

        return at


@dataclass(frozen=True)
class Curve:
    """A line through points, named at the top where it has a name; ``color`` is a key of `COLORS`."""

    name: str
    color: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


def curves(title: str, x: Axis, y: Axis, drawn: Sequence[Curve]) -> str:
    across, up = x.place(LEFT, WIDTH - RIGHT), y.place(HEIGHT - BOTTOM, TOP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="12" fill="{INK}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="16" font-weight="600">{escape(title)}</text>',
    ]
    for tick in y.ticks:
        lines += [
            f'<path d="M{LEFT} {up(tick):.1f}H{WIDTH - RIGHT}" stroke="#e4e7eb"/>',
            f'<text x="{LEFT - 8}" y="{up(tick) + 4:.1f}" text-anchor="end">{tick:,g}</text>',
        ]
    for tick in x.ticks:
        lines.append(
            f'<text x="{across(tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:,g}</text>'
        )
    lines += [
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 14}" text-anchor="end">{escape(x.title)}</text>',
        f'<text x="16" y="{TOP - 14}">{escape(y.title)}</text>',
    ]
    named = [curve for curve in drawn if curve.name]
    for curve in drawn:
        dashes = ' stroke-dasharray="5 4"' if curve.dashed else ""
        stroke = f'fill="none" stroke="{COLORS[curve.color]}" stroke-width="2"{dashes}'
        path = "L".join(f"{across(a):.1f} {up(b):.1f}" for a, b in curve.points)
        lines.append(f'<path d="M{path}" {stroke}/>')
        if curve.name:
            left = WIDTH - RIGHT - 150 * (len(named) - named.index(curve))
            lines += [
                f'<path d="M{left} {TOP - 18}h22" {stroke}/>',
                f'<text x="{left + 28}" y="{TOP - 14}">{escape(curve.name)}</text>',
            ]
    return "\n".join([*lines, "</svg>"]) + "\n"
