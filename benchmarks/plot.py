"""The medians as a picture: horizontal bars in SVG, which needs no library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, LABELS, NUMBERS = 920, 400, 90
ROW, BAR, TOP = 30, 18, 50
OURS, OTHERS, INK = "#0b7a75", "#b8c0c8", "#1f2933"


def bars(title: str, caption: str, values: Sequence[tuple[str, float, bool]]) -> str:
    """One bar for every label and value; True marks ours."""
    height = TOP + ROW * len(values) + 40
    longest = max((value for _, value, _ in values), default=0) or 1
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="system-ui, sans-serif" font-size="13" fill="{INK}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="16" font-weight="600">{escape(title)}</text>',
    ]
    for number, (label, value, ours) in enumerate(values):
        y = TOP + ROW * number
        width = (WIDTH - LABELS - NUMBERS) * value / longest
        lines += [
            f'<text x="{LABELS - 10}" y="{y + 14}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{OURS if ours else OTHERS}"/>',
            f'<text x="{LABELS + width + 6:.1f}" y="{y + 14}">{value:,.0f}</text>',
        ]
    lines += [f'<text x="16" y="{height - 14}" font-size="11">{escape(caption)}</text>', "</svg>"]
    return "\n".join(lines) + "\n"
