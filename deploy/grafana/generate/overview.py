"""How a survey scores, and whether that has changed."""

from __future__ import annotations

from grafana_foundation_sdk.builders import gauge, stat, table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.generate import segments
from deploy.grafana.generate.board import Column, Row, board, dimension, metric, survey, window
from deploy.grafana.generate.panels import (
    FEW,
    FIRING,
    GREY,
    NUMBER,
    POINTS,
    SURVEY,
    WINDOW,
    Property,
    Query,
    alerts,
    bars_over_time,
    by_group,
    color,
    dashed,
    dial,
    evidence_over_time,
    greyed,
    number,
    over_time,
    rows,
    shares_over_time,
    sorted_by,
    steps,
)


def dashboard() -> Dashboard:
    changed = [Column(10, [_evidence()]), Column(8, [segments.changes()]), Column(6, [_alerts()])]
    return board(
        "livenps-overview",
        "How a survey scores, whether that has changed, and what its answers are.",
        [
            Row("Score", 8, [Column(6, [_gauge()]), Column(4, [_answers(), _interval()]), Column(14, [_trend()])]),
            Row("Has it changed?", 8, changed),
            Row("Answers", 8, [Column(12, [_groups()]), Column(12, [_volume()])]),
            Row("All surveys", 6, [Column(24, [_surveys()])]),
        ],
        [survey(), metric(), window(), dimension()],
        alerts=FIRING,
    )


def _gauge() -> gauge.Panel:
    """Its series is called after the metric, which tells its scale."""
    panel = dial(
        "Score",
        "The score of the chosen window: NPS from -100 to 100, CSAT in per cent, CES from 1 to 7. Read it "
        "together with the number of answers and the interval beside it; the colours are a rule of thumb.",
        Query(f"max(${{metric}}_score{{{WINDOW}}})", "$metric"),
        unit=POINTS,
    )
    panel.min(-100).max(100).decimals(0).no_value("no answers")
    panel.thresholds(steps((None, "red"), (0, "yellow"), (30, "green")))
    panel.override_by_name("csat", _scale(0, 100, 0, "percent", fair=60, good=80))
    return panel.override_by_name("ces", _scale(1, 7, 1, "none", fair=4, good=5))


def _scale(least: float, most: float, decimals: int, unit: str, *, fair: float, good: float) -> list[Property]:
    return [
        Property("min", least),
        Property("max", most),
        Property("decimals", decimals),
        Property("unit", unit),
        Property("thresholds", steps((None, "red"), (fair, "yellow"), (good, "green")).build()),
    ]


def _answers() -> stat.Panel:
    panel = number(
        "Answers",
        f"How many answers the score rests on. Fewer than {FEW} (grey) say little, fewer than 10 (red) nothing.",
        Query(f"sum(max by (group) (${{metric}}_window_responses{{{WINDOW}}}))", "answers"),
    )
    return panel.decimals(0).thresholds(steps((None, "red"), (10, GREY), (FEW, "green")))


def _interval() -> stat.Panel:
    panel = number(
        "95 % interval",
        "Where the true score lies, 19 times out of 20: the adjusted Wald interval of the chosen window.",
        Query(f"max(${{metric}}_score_lower_bound{{{WINDOW}}})", "from"),
        Query(f"max(${{metric}}_score_upper_bound{{{WINDOW}}})", "to"),
        unit=NUMBER,
    )
    return panel.decimals(1).no_value("no answers").thresholds(steps((None, "text")))


def _trend() -> timeseries.Panel:
    panel = over_time(
        "Score with its 95 % interval",
        "The rolling score of the chosen window inside its interval, the baseline that drops are told from, and "
        "the target where the survey has one. Red marks: an alert fired. Blue marks: somebody did something.",
        Query(f"max(${{metric}}_score_lower_bound{{{WINDOW}}})", "lower"),
        Query(f"max(${{metric}}_score_upper_bound{{{WINDOW}}})", "upper"),
        Query(f"max(${{metric}}_score{{{WINDOW}}})", "score"),
        Query(f"max(${{metric}}_baseline{{{SURVEY}}})", "baseline"),
        Query(f"max(${{metric}}_target{{{SURVEY}}})", "target"),
        unit=NUMBER,
    )
    edge = [color("light-blue"), Property("custom.lineWidth", 0)]
    panel.override_by_name("lower", edge)
    band = [Property("custom.fillBelowTo", "lower"), Property("custom.fillOpacity", 20)]
    panel.override_by_name("upper", [*edge, *band]).override_by_name("score", [color("blue")])
    panel.override_by_name("baseline", dashed("text")).override_by_name("target", dashed("green"))
    return panel.decimals(1)


def _evidence() -> timeseries.Panel:
    panel = evidence_over_time(
        "Evidence of a drop or a rise",
        "Gathered answer by answer against the baseline, on a logarithmic scale from 1. It may be looked at at "
        "any time: while nothing has changed it seldom reaches the threshold.",
        Query(f"clamp_min(max(${{metric}}_drop_evidence{{{SURVEY}}}), 1)", "drop"),
        Query(f"clamp_min(max(${{metric}}_rise_evidence{{{SURVEY}}}), 1)", "rise"),
        Query(f"max(${{metric}}_drop_evidence_threshold{{{SURVEY}}})", "threshold"),
    )
    panel.override_by_name("drop", [color("red")]).override_by_name("rise", [color("green")])
    return panel.override_by_name("threshold", dashed("text")).min(1)


def _alerts() -> table.Panel:
    return alerts("What fires now about the chosen survey.", FIRING, "alertname", "dimension", "segment")


def _groups() -> timeseries.Panel:
    return by_group(
        shares_over_time(
            "Groups",
            "The shares of the groups among the answers of the chosen window.",
            Query(f"max by (group) (${{metric}}_window_responses{{{WINDOW}}})", "{{group}}"),
        )
    )


def _volume() -> timeseries.Panel:
    arrived = f"increase(${{metric}}_responses_total{{{SURVEY}}}[$__rate_interval])"
    return by_group(
        bars_over_time(
            "Volume",
            "Answers that arrived about each step of the graph, by group; corrections are not counted again.",
            Query(f"max by (group) ({arrived})", "{{group}}"),
        )
    )


def _surveys() -> table.Panel:
    panel = rows(
        "All surveys",
        "Score, 95 % interval and number of answers of each survey in the chosen window, NPS, CSAT and CES alike. "
        "How long ago the newest answer was given, to the minute. Evidence of a drop is a share of its threshold: "
        "an alarm from 100 % on.",
        "survey",
        {
            "Score": _any("score", 'window="$window"'),
            "Lower": _any("score_lower_bound", 'window="$window"'),
            "Upper": _any("score_upper_bound", 'window="$window"'),
            "Answers": "sum by (survey) (max by (survey, group) "
            '({__name__=~"(nps|csat|ces)_window_responses",window="$window"}))',
            "Newest answer": f"time() - {_any('newest_response_timestamp_seconds')}",
            "Evidence of a drop": f"{_any('drop_evidence')} / {_any('drop_evidence_threshold')}",
        },
    )
    panel.decimals(1).sort_by(sorted_by(("Evidence of a drop", True), ("Survey", False)))
    panel.override_by_name("Newest answer", [Property("unit", "s"), Property("decimals", 0)])
    panel.override_by_name("Evidence of a drop", [Property("unit", "percentunit"), Property("decimals", 0)])
    return panel.override_by_name(*greyed("Answers"))


def _any(name: str, labels: str = "") -> str:
    """Of a survey of any metric."""
    return f'max by (survey) ({{__name__=~"(nps|csat|ces)_{name}",{labels}}})'.replace(",}", "}")
