"""Where a score differs and what moved it, by the segments of a dimension."""

from __future__ import annotations

from grafana_foundation_sdk.builders import barchart, stat, table, timeseries
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.generate.board import Column, Row, board, dimension, metric, survey, window
from deploy.grafana.generate.panels import (
    FEW,
    FIRING,
    NUMBER,
    POINTS,
    SURVEY,
    WINDOW,
    Property,
    Query,
    color,
    columns,
    dashed,
    evidence_over_time,
    greyed,
    number,
    over_time,
    rows,
    shares_over_time,
    sorted_by,
    steps,
)

DIMENSION = f'{SURVEY},dimension="$dimension"'
IN_WINDOW = f'{WINDOW},dimension="$dimension"'
SINCE = "of the last 24 hours against the rest of the last 30 days, in points"
WITHIN = f"max by (segment) (${{metric}}_segment_change_within{{{DIMENSION}}})"
MIX = f"max by (segment) (${{metric}}_segment_change_mix{{{DIMENSION}}})"
ANSWERS = f"max by (segment, group) (${{metric}}_segment_window_responses{{{IN_WINDOW}}})"
EVIDENCE = (
    f"max by (segment) (${{metric}}_segment_drop_evidence{{{DIMENSION}}})"
    f" / max by (segment) (${{metric}}_segment_drop_evidence_threshold{{{DIMENSION}}})"
)


def dashboard() -> Dashboard:
    return board(
        "livenps-segments",
        "Where the score differs and what moved it, by the segments of a dimension.",
        [
            Row("Segments", 10, [Column(24, [_table()])]),
            Row(
                "What moved the score",
                9,
                [Column(4, [_change()]), Column(10, [changes()]), Column(10, [_evidence()])],
            ),
            Row("Over time", 9, [Column(12, [_scores()]), Column(12, [_shares()])]),
        ],
        [survey(), metric(), window(), dimension()],
        alerts=FIRING,
    )


def changes() -> barchart.Panel:
    panel = columns(
        "Within and mix by segment",
        f"What each segment of the chosen dimension adds to the survey's change {SINCE}: by its own score "
        "(within), and by its share of the answers (mix).",
        by="segment",
        queries={"Within": WITHIN, "Mix": MIX},
        unit=POINTS,
    )
    panel.override_by_name("Within", [color("blue")]).override_by_name("Mix", [color("orange")])
    return panel.decimals(1).show_value(options.VisibilityMode.NEVER).x_tick_label_spacing(60)


def _table() -> table.Panel:
    panel = rows(
        "Segments",
        "Score, 95 % interval and number of answers of each segment in the chosen window; rows of fewer than "
        f"{FEW} answers are greyed. Within and mix: what the segment adds to the survey's change {SINCE}. "
        "Evidence of a drop is told of watched segments, as a share of its threshold: an alarm from 100 % on.",
        by="segment",
        queries={
            "Score": f"max by (segment) (${{metric}}_segment_score{{{IN_WINDOW}}})",
            "Lower": f"max by (segment) (${{metric}}_segment_score_lower_bound{{{IN_WINDOW}}})",
            "Upper": f"max by (segment) (${{metric}}_segment_score_upper_bound{{{IN_WINDOW}}})",
            "Answers": f"sum by (segment) ({ANSWERS})",
            "Within": WITHIN,
            "Mix": MIX,
            "Evidence": EVIDENCE,
        },
    )
    panel.decimals(1).sort_by(sorted_by(("Evidence", True), ("Within", False)))
    panel.override_by_name("Evidence", [Property("unit", "percentunit"), Property("decimals", 0)])
    return panel.override_by_name(*greyed("Answers"))


def _change() -> stat.Panel:
    panel = number(
        "The survey's change",
        f"The change {SINCE}, and which parts of it come from the segments' scores and from their shares.",
        Query(f"sum({WITHIN}) + sum({MIX})", "change"),
        Query(f"sum({WITHIN})", "within"),
        Query(f"sum({MIX})", "mix"),
        unit=POINTS,
    )
    return panel.decimals(1).thresholds(steps((None, "text")))


def _evidence() -> timeseries.Panel:
    panel = evidence_over_time(
        "Evidence of a drop, of its threshold",
        "Of the segments that are watched, on a logarithmic scale: an alarm from 100 % on.",
        Query(f"clamp_min({EVIDENCE}, 0.0001)", "{{segment}}"),
        Query("vector(1)", "threshold"),
    )
    return panel.unit("percentunit").min(0.0001).override_by_name("threshold", dashed("text"))


def _scores() -> timeseries.Panel:
    panel = over_time(
        "Score by segment",
        "The rolling score of each segment. One of few answers swings widely: see the table for how many it has.",
        Query(f"max by (segment) (${{metric}}_segment_score{{{IN_WINDOW}}})", "{{segment}}"),
        unit=NUMBER,
    )
    return panel.decimals(1)


def _shares() -> timeseries.Panel:
    return shares_over_time(
        "Who answered",
        "The segments' shares of the answers of the chosen window: where they shift, the score may change by the "
        "mix alone.",
        Query(f"sum by (segment) ({ANSWERS})", "{{segment}}"),
    )
