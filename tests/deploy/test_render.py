"""The pictures of the dashboards: whatever a name holds, it is drawn as text."""

import re
from html import escape
from typing import Any

import pytest

from docs.render.page import DRAWN, page
from docs.render.values import rows_of
from docs.render.view import Mark, Series, View, field_of, step_color, text_of
from tests.deploy.dashboards import DASHBOARDS, Panel, charts

HTML = "<img src=x onerror=alert(1)>"
START, END = 1_000.0, 1_300.0
VALUES = {"metric": "nps", "survey": HTML, "window": "7d", "dimension": "plan"}


def view(dashboard: dict[str, Any], *, name: str = HTML, value: float = 1.0) -> View:
    """One series for each query, with a name in each label that its legend or its grouping names."""
    found = {}
    for panel in charts(dashboard):
        found[panel["id"]] = [
            [Series(dict.fromkeys(labels(target), name), [(START, value), (END, value)])]
            for target in panel["targets"]
        ]
    return View(START, END, VALUES, found, [Mark(1_100, "red")])


def labels(target: dict[str, Any]) -> list[str]:
    if target.get("format") == "table":
        return re.findall(r"\w+", re.search(r"(?:max|sum) by \(([^)]+)\)", target["expr"])[1])  # type: ignore[index]
    return re.findall(r"{{(\w+)}}", target.get("legendFormat", ""))


def panel_of(uid: str, title: str) -> Panel:
    [found] = [panel for panel in charts(DASHBOARDS[uid]) if panel["title"] == title]
    return found


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_every_panel_is_drawn_and_html_is_text(dashboard: dict[str, Any]) -> None:
    drawn = page(dashboard, view(dashboard))
    assert HTML not in drawn
    assert "&lt;img src=x onerror=alert(1)&gt;" in drawn
    assert {panel["type"] for panel in charts(dashboard)} <= DRAWN.keys()
    assert all(escape(panel["title"]) in drawn for panel in charts(dashboard))


@pytest.mark.parametrize("value", [-20.8, 0.0, 1e-9, 43.0])
def test_nothing_is_drawn_below_a_chart(value: float) -> None:
    drawn = page(DASHBOARDS["livenps-segments"], view(DASHBOARDS["livenps-segments"], value=value))
    found = list(re.finditer(r'<svg width="\d+" height="(\d+)".*?</svg>', drawn))
    assert len(found) == 4
    for chart in found:
        assert all(0 <= float(y) <= float(chart[1]) for y in re.findall(r' y="([\d.-]+)"', chart[0]))


def test_what_finds_nothing_says_so() -> None:
    dashboard = DASHBOARDS["livenps-overview"]
    empty: dict[int, list[list[Series]]] = {
        panel["id"]: [[] for _ in panel["targets"]] for panel in charts(dashboard)
    }
    drawn = page(dashboard, View(START, END, VALUES, empty, []))
    assert "nothing fires" in drawn
    assert "no answers" in drawn


def test_segments_are_sorted_by_evidence_and_then_by_what_they_lost_within() -> None:
    panel = panel_of("livenps-segments", "Segments")
    within = {"a": -1.0, "b": -3.0, "watched": 2.0, "worse": 0.5}
    evidence = {"watched": 0.2, "worse": 1.5}
    answers = [
        [Series({"segment": name}, [(END, value)]) for name, value in found.items()]
        for found in (*[within] * 6, evidence)
    ]
    columns, rows = rows_of(panel, View(START, END, VALUES, {panel["id"]: answers}, []))
    assert columns == ["Segment", "Score", "Lower", "Upper", "Answers", "Within", "Mix", "Evidence"]
    assert [row[0] for row in rows] == ["worse", "watched", "b", "a"]


@pytest.mark.parametrize(
    ("metric", "value", "text", "color"),
    [("nps", 0.0, "0 pts", "yellow"), ("csat", 82.4, "82 %", "green"), ("ces", 3.9, "3.9", "red")],
)
def test_the_gauge_has_the_scale_of_its_metric(metric: str, value: float, text: str, color: str) -> None:
    field = field_of(panel_of("livenps-overview", "Score"), metric)
    assert text_of(value, field) == text
    assert step_color(field, value) == step_color({"thresholds": {"steps": [{"value": None, "color": color}]}}, 0)
