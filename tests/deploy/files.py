"""What deploy/ consists of, and the metrics that it may speak of."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
RULE_TESTS = sorted((DEPLOY / "prometheus" / "tests").glob("*.yml"))

# Each metric of the program with a sample's labels, and what Prometheus adds by itself.
METRICS: dict[str, dict[str, str]] = {
    "nps_score": {"survey": "post-purchase", "window": "7d"},
    "nps_score_lower_bound": {"survey": "post-purchase", "window": "7d"},
    "nps_score_upper_bound": {"survey": "post-purchase", "window": "7d"},
    "nps_window_responses": {"survey": "post-purchase", "window": "7d", "group": "promoter"},
    "nps_responses_total": {"survey": "post-purchase", "group": "promoter"},
    "nps_corrections_total": {"survey": "post-purchase", "from_group": "passive", "to_group": "promoter"},
    "nps_segment_corrections_total": {
        "survey": "post-purchase",
        "dimension": "plan",
        "segment": "pro",
        "from_group": "passive",
        "to_group": "promoter",
    },
    "nps_segment_score": {"survey": "post-purchase", "window": "7d", "dimension": "plan", "segment": "pro"},
    "nps_segment_score_lower_bound": {
        "survey": "post-purchase",
        "window": "7d",
        "dimension": "plan",
        "segment": "pro",
    },
    "nps_segment_score_upper_bound": {
        "survey": "post-purchase",
        "window": "7d",
        "dimension": "plan",
        "segment": "pro",
    },
    "nps_segment_window_responses": {
        "survey": "post-purchase",
        "window": "7d",
        "dimension": "plan",
        "segment": "pro",
        "group": "promoter",
    },
    "nps_segment_responses_total": {
        "survey": "post-purchase",
        "dimension": "plan",
        "segment": "pro",
        "group": "promoter",
    },
    "nps_newest_response_timestamp_seconds": {"survey": "post-purchase"},
    "nps_baseline": {"survey": "post-purchase"},
    "nps_target": {"survey": "post-purchase"},
    "nps_drop_evidence": {"survey": "post-purchase"},
    "nps_drop_evidence_threshold": {"survey": "post-purchase"},
    "nps_rise_evidence": {"survey": "post-purchase"},
    "nps_drop_alarmed": {"survey": "post-purchase"},
    "nps_rise_alarmed": {"survey": "post-purchase"},
    "nps_segment_baseline": {"survey": "post-purchase", "dimension": "plan", "segment": "pro"},
    "nps_segment_drop_evidence": {"survey": "post-purchase", "dimension": "plan", "segment": "pro"},
    "nps_segment_drop_evidence_threshold": {"survey": "post-purchase", "dimension": "plan", "segment": "pro"},
    "nps_segment_rise_evidence": {"survey": "post-purchase", "dimension": "plan", "segment": "pro"},
    "nps_segment_drop_alarmed": {"survey": "post-purchase", "dimension": "plan", "segment": "pro"},
    "nps_segment_rise_alarmed": {"survey": "post-purchase", "dimension": "plan", "segment": "pro"},
    "nps_segment_change_within": {"survey": "post-purchase", "dimension": "plan", "segment": "pro"},
    "nps_segment_change_mix": {"survey": "post-purchase", "dimension": "plan", "segment": "pro"},
    "survey_team_info": {"survey": "post-purchase", "team": "shop"},
    "survey_touchpoints_total": {"event": "Order Delivered"},
    "survey_decisions_total": {"survey": "post-purchase", "decision": "asked", "reason": "triggered"},
    "survey_requests_total": {"survey": "post-purchase", "channel": "mail"},
    "survey_deliveries_total": {"survey": "post-purchase", "channel": "mail", "outcome": "sent"},
    "survey_incentives_total": {"survey": "post-purchase", "outcome": "dry"},
    "survey_opened_total": {"survey": "post-purchase", "channel": "mail"},
    "survey_responded_total": {"survey": "post-purchase", "channel": "mail"},
    "survey_answered_total": {"survey": "post-purchase"},
    "survey_declined_total": {"survey": "post-purchase", "channel": "mail"},
    "survey_bounced_total": {"survey": "post-purchase", "channel": "mail"},
    "survey_unsubscribed_total": {"survey": "post-purchase", "channel": "mail"},
    "livenps_reports_total": {"channel": "mail", "outcome": "sent"},
    "livenps_build_info": {"version": "0.1.0", "python": "3.11.2"},
    "livenps_dead_letters_total": {"topic": "touchpoints", "reason": "malformed"},
    "livenps_bounces_total": {"kind": "hard"},
    "livenps_lag_records": {"topic": "touchpoints", "partition": "0"},
    "survey_reminders_total": {"survey": "post-purchase", "channel": "mail", "outcome": "sent"},
    "livenps_delivery_lag_records": {"channel": "mail", "partition": "0"},
    "livenps_outbox_entries": {"topic": "touchpoints", "partition": "0"},
    "livenps_partition_stopped": {"topic": "touchpoints", "partition": "0"},
    "livenps_recovering": {"topic": "survey.responses", "partition": "0"},
    "livenps_last_processed_timestamp_seconds": {"topic": "touchpoints"},
}
OF_PROMETHEUS = {
    "up": {"job", "instance"},
    "ALERTS": {"alertname", "alertstate", "survey", "dimension", "segment"},
}
# What the rules record, with the labels beside `job`.
RECORDED = {
    "topic:livenps_lag_records:stalled": {"topic"},
    "survey_window:score:max": {"metric", "survey", "window"},
    "survey_window:score_upper_bound:max": {"metric", "survey", "window"},
    "survey_window:score_standard_error:max": {"metric", "survey", "window"},
    "survey_window:window_responses:sum": {"metric", "survey", "window"},
    "survey_dimension:segment_change_within:sum": {"metric", "survey", "dimension"},
    "survey_dimension:segment_change_mix:sum": {"metric", "survey", "dimension"},
    "survey:survey_deliveries_sent:increase7d": {"survey"},
    "survey:survey_deliveries_sent:increase30d": {"survey"},
    "survey:survey_answered_per_sent:ratio_increase7d": {"survey"},
    "survey:survey_answered_per_sent:ratio_increase30d": {"survey"},
    "survey_group:nps_responses:increase": {"survey", "window", "group"},
    "survey:nps_score:increase": {"survey", "window"},
    "survey_dimension_segment_group:nps_segment_responses:increase": {
        "survey",
        "dimension",
        "segment",
        "window",
        "group",
    },
    "survey_dimension_segment:nps_segment_score:increase": {"survey", "dimension", "segment", "window"},
}

KNOWN = {name: set(labels) for name, labels in METRICS.items()} | OF_PROMETHEUS | RECORDED

_RECORDED = r"[a-z_]+:[a-z_]+:[a-z0-9_]+"
_NAME = re.compile(
    rf"\b(?:{_RECORDED}|(?:nps|csat|ces|survey|livenps)_[a-z_]+|up|ALERTS)\b(?=\{{(?P<labels>[^}}]*)\}})?"
)
_THREE = re.compile(r'\{__name__=~"\(nps\|csat\|ces\)_(\w+)",?')


def load(path: Path) -> Any:
    """Return what a YAML (or JSON) file says."""
    return yaml.safe_load(path.read_text())


def run(*command: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, in the project's directory."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def output(*command: str, env: Mapping[str, str] | None = None) -> str:
    """Run a program that has to succeed and return what it printed."""
    done = run(*command, env=env)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def bare_environment() -> dict[str, str]:
    """Return an environment with nothing in it of what the stack is configured by."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/tmp")}


def unknown_names(expression: str) -> Iterator[str]:
    """Yield each metric of an expression that nobody exports, and each `metric{label}` with a label it has not."""
    for found in _NAME.finditer(_THREE.sub(r"nps_\1{", expression)):
        name = found[0]
        labels = KNOWN.get(name, set()) | {"job", "instance"}
        if name not in KNOWN:
            yield name
        for label in re.findall(r"(\w+)\s*[=!]~?", found["labels"] or ""):
            if label not in labels:
                yield f"{name}{{{label}}}"
