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
    "survey_touchpoints_total": {"event": "Order Delivered"},
    "survey_decisions_total": {"survey": "post-purchase", "decision": "asked", "reason": "triggered"},
    "survey_requests_total": {"survey": "post-purchase", "channel": "mail"},
    "survey_deliveries_total": {"survey": "post-purchase", "channel": "mail", "outcome": "sent"},
    "livenps_dead_letters_total": {"topic": "touchpoints", "reason": "malformed"},
    "livenps_lag_records": {"topic": "touchpoints", "partition": "0"},
    "livenps_outbox_entries": {"topic": "touchpoints", "partition": "0"},
    "livenps_partition_stopped": {"topic": "touchpoints", "partition": "0"},
    "livenps_recovering": {"topic": "survey.responses", "partition": "0"},
    "livenps_last_processed_timestamp_seconds": {"topic": "touchpoints"},
}
OF_PROMETHEUS = {
    "up": {"job", "instance"},
    "ALERTS": {"alertname", "alertstate", "survey", "dimension", "segment"},
    "topic:livenps_lag_records:stalled": {"topic"},
}

_NAME = re.compile(r"\b(?:(?:nps|survey|livenps)_[a-z_]+|up|ALERTS|topic:[a-z_:]+)\b(?=\{(?P<labels>[^}]*)\})?")


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
        timeout=60,
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
    for found in _NAME.finditer(expression):
        name = found[0]
        labels = OF_PROMETHEUS.get(name) or METRICS.get(name, {}).keys() | {"job", "instance"}
        if name not in OF_PROMETHEUS and name not in METRICS:
            yield name
        for label in re.findall(r"(\w+)\s*[=!]~?", found["labels"] or ""):
            if label not in labels:
                yield f"{name}{{{label}}}"
