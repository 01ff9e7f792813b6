"""Draws a dashboard as HTML, about as Grafana would, from its JSON and what its queries found.

It draws what the dashboards here use, and is no Grafana: it serves to judge a layout and its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from docs.render.charts import barchart, states, timeseries
from docs.render.values import bargauge, gauge, stat, table
from docs.render.view import Panel, View

COLUMN, UNIT, GAP = 56, 30, 8  # pixels of a grid column, of a unit of height, between panels
HEAD = 30  # pixels of a panel's title
STYLE = """
:root { --page: #f4f5f5; --panel: #fff; --ink: #24292e; --faint: #6b7178; --line: #e3e5e8 }
@media (prefers-color-scheme: dark) {
  :root { --page: #111217; --panel: #181b1f; --ink: #d8d9da; --faint: #9296a0; --line: #2c3036 }
}
body { margin: 0; padding: 16px; background: var(--page); color: var(--ink); font: 13px/1.4 system-ui, sans-serif }
header { display: flex; gap: 12px; align-items: baseline; padding-bottom: 12px }
h1 { font-size: 18px; margin: 0 12px 0 0 } header span { color: var(--faint) } header b { color: var(--ink) }
main { position: relative }
section { position: absolute; box-sizing: border-box; background: var(--panel); border: 1px solid var(--line);
  border-radius: 3px; overflow: hidden }
section h2 { font-size: 13px; font-weight: 600; margin: 0; padding: 6px 10px 0 }
.row { background: none; border: 0 } .row h2 { font-size: 14px; padding: 4px 0 }
svg { display: block; font-size: 11px; fill: var(--faint) }
.stat { display: flex; flex-flow: column; height: calc(100% - 34px); align-items: center; justify-content: center }
.stat b { font-size: 26px; line-height: 1.2 } .stat small { color: var(--faint) }
.pairs { flex-flow: row wrap; gap: 18px; text-align: center }
table { width: calc(100% - 20px); margin: 4px 10px; border-collapse: collapse }
td, th { text-align: right; padding: 3px 8px; border-bottom: 1px solid var(--line) }
td:first-child, th:first-child { text-align: left } th { color: #3274d9; font-weight: 500 }
.none { color: var(--faint); text-align: center; padding-top: 40px }
"""


Draw = Callable[[Panel, View, int, int], str]


def page(dashboard: Mapping[str, Any], view: View) -> str:
    """A whole dashboard."""
    shown = [f"{name} <b>{escape(value)}</b>" for name, value in view.values.items() if not name.startswith("__")]
    head = f"<h1>{escape(dashboard['title'])}</h1>" + "".join(f"<span>{one}</span>" for one in shown)
    height = max(one["gridPos"]["y"] + one["gridPos"]["h"] for one in dashboard["panels"]) * UNIT
    panels = "".join(_panel(one, view) for one in dashboard["panels"])
    main = f'<main style="width:{24 * COLUMN}px;height:{height}px">{panels}</main>'
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><header>{head}</header>{main}"


def _panel(panel: Panel, view: View) -> str:
    place = panel["gridPos"]
    width, height = place["w"] * COLUMN - GAP, place["h"] * UNIT - GAP
    body = "" if panel["type"] == "row" else _body(panel, view, width, height - HEAD)
    at = f"left:{place['x'] * COLUMN}px;top:{place['y'] * UNIT}px;width:{width}px;height:{height}px"
    kind = "row" if panel["type"] == "row" else "panel"
    return f'<section class="{kind}" style="{at}"><h2>{escape(panel["title"])}</h2>{body}</section>'


def _body(panel: Panel, view: View, width: int, height: int) -> str:
    if not any(view.found[panel["id"]]):
        text = panel["fieldConfig"]["defaults"].get("noValue", "No data")
        return f'<p class="none">{escape(text)}</p>'
    return DRAWN[panel["type"]](panel, view, width, height)


DRAWN: Mapping[str, Draw] = {
    "gauge": gauge,
    "stat": stat,
    "bargauge": bargauge,
    "table": table,
    "barchart": barchart,
    "timeseries": timeseries,
    "state-timeline": states,
}
