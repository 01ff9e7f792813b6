"""The scrape configuration and the rules, judged by promtool, and by a real Prometheus over the real program."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.files import DEPLOY, RECORDED, ROOT, RULE_TESTS, RULES, load, output, unknown_names
from tests.real.parts import need

GROUPS = [group for path in RULES for group in load(path)["groups"]]
RECORDING: list[Any] = [rule for group in GROUPS for rule in group["rules"] if "record" in rule]
ALERTS: dict[str, Any] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
ON_THE_SCORE = {name for name, rule in ALERTS.items() if name.startswith("Nps")}
ON_FEW_DAYS = ON_THE_SCORE - {"NpsResponseRateDrop"}  # a stall of minutes is nothing to its week
REACHED = {
    ("page", "survey"): "Whoever is on call, and the survey's team.",
    ("ticket", "survey"): "The survey's team.",
    ("info", "survey"): "The survey's team.",
    ("page", "platform"): "Whoever is on call, and the platform team.",
    ("ticket", "platform"): "The platform team.",
    ("none", "platform"): "The heartbeat receiver only.",
}


def test_promtool_accepts_the_configuration_and_the_rules() -> None:
    need("prometheus")
    checked = output("promtool", "check", "config", str(DEPLOY / "prometheus" / "prometheus.yml"))
    assert checked.count("SUCCESS") == 2 + len(RULES)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_promtool_finds_no_fault_with_the_rules(path: Path) -> None:
    need("prometheus")
    output("promtool", "check", "rules", "--lint=all", "--lint-fatal", str(path))


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.name)
def test_rules_do_what_their_unit_tests_say(path: Path) -> None:
    need("prometheus")
    output("promtool", "test", "rules", str(path))


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_seen_firing_and_not_firing(alert: str) -> None:
    expected = [
        bool(check["exp_alerts"])
        for path in RULE_TESTS
        for test in load(path)["tests"]
        for check in test.get("alert_rule_test", [])
        if check["alertname"] == alert
    ]
    assert True in expected
    assert False in expected or alert == "Watchdog"


@pytest.mark.parametrize(
    "rule", [*ALERTS.values(), *RECORDING], ids=[*ALERTS, *(rule["record"] for rule in RECORDING)]
)
def test_rules_ask_for_metrics_that_the_program_exports(rule: dict[str, Any]) -> None:
    assert list(unknown_names(rule["expr"])) == []


@pytest.mark.parametrize("alert", ALERTS)
def test_annotations_ask_for_metrics_that_the_program_exports(alert: str) -> None:
    for query in re.findall("`([^`]+)`", " ".join(ALERTS[alert]["annotations"].values())):
        assert list(unknown_names(query.replace("%s", 'job="livenps"'))) == []


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_says_what_it_means_and_where_to_read_on(alert: str) -> None:
    rule = ALERTS[alert]
    assert set(rule["labels"]) - {"affects"} == {"severity", "team"}
    assert "$value" not in str(rule["labels"])
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert annotations["runbook_url"].endswith(f"/docs/runbooks/{alert}.md")
    assert "/d/livenps-overview" in annotations["dashboard_url"]


@pytest.mark.parametrize("alert", ALERTS)
def test_each_runbook_has_the_same_form_and_says_whom_its_alert_reaches(alert: str) -> None:
    labels = ALERTS[alert]["labels"]
    team = "survey" if alert in ON_THE_SCORE else labels["team"]
    page = (ROOT / "docs" / "runbooks" / f"{alert}.md").read_text()
    assert page.startswith(f"# {alert}\n\n**Means.** ")
    assert f"\n**Reaches.** {REACHED[labels['severity'], team]}\n" in page
    assert re.search("heck first$", page, flags=re.MULTILINE)
    assert "\n## Silence\n" in page


@pytest.mark.parametrize("alert", sorted(ON_THE_SCORE))
def test_alerts_on_the_score_go_to_the_team_of_the_survey(alert: str) -> None:
    rule = ALERTS[alert]
    assert "survey_team_info" in rule["labels"]["team"]
    assert rule["for"]
    assert rule["keep_firing_for"]


@pytest.mark.parametrize("alert", sorted(ON_FEW_DAYS))
def test_alerts_on_the_score_need_a_pipeline_that_moves(alert: str) -> None:
    assert 'unless on (job) topic:livenps_lag_records:stalled{topic="survey.responses"}' in ALERTS[alert]["expr"]


def test_what_is_recorded_is_known_to_the_tests() -> None:
    assert {rule["record"] for rule in RECORDING} == set(RECORDED)


def test_every_runbook_is_of_an_alert() -> None:
    assert {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")} == set(ALERTS)


def test_a_misspelt_metric_or_label_is_noticed() -> None:
    misspelt = 'max(nps_scores) + nps_score{windows="24h"} + {__name__=~"(nps|csat|ces)_scare"} + survey:x:max'
    assert list(unknown_names(misspelt)) == ["nps_scores", "nps_score{windows}", "nps_scare", "survey:x:max"]
