"""The scrape configuration and the alert rules, judged by promtool."""

from pathlib import Path
from typing import Any

import pytest

from tests.deploy.files import DEPLOY, ROOT, RULE_TESTS, RULES, load, output, unknown_names
from tests.real.parts import need

GROUPS = [group for path in RULES for group in load(path)["groups"]]
RECORDED: list[Any] = [rule for group in GROUPS for rule in group["rules"] if "record" in rule]
ALERTS: dict[str, Any] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
ON_THE_SCORE = {"NpsDrop", "NpsSegmentDrop"}


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
        for check in test["alert_rule_test"]
        if check["alertname"] == alert
    ]
    assert True in expected
    assert False in expected or alert == "Watchdog"


@pytest.mark.parametrize(
    "rule", [*ALERTS.values(), *RECORDED], ids=[*ALERTS, *(rule["record"] for rule in RECORDED)]
)
def test_rules_ask_for_metrics_that_the_program_exports(rule: dict[str, Any]) -> None:
    assert list(unknown_names(rule["expr"])) == []


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_says_what_it_means_and_where_to_read_on(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"page", "ticket", "none"}
    assert rule["labels"]["team"] in {"platform", "customer-experience"}
    assert "$value" not in str(rule["labels"])
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert annotations["runbook_url"].endswith(f"/docs/runbooks/{alert}.md")
    assert f"# {alert}\n" in (ROOT / "docs" / "runbooks" / f"{alert}.md").read_text()
    assert "/d/livenps-overview" in annotations["dashboard_url"]


@pytest.mark.parametrize("alert", sorted(ON_THE_SCORE))
def test_alerts_on_the_score_need_enough_answers_and_a_pipeline_that_moves(alert: str) -> None:
    rule = ALERTS[alert]
    assert "window_responses" in rule["expr"]
    assert ">= 30" in rule["expr"]
    assert "unless on (job) topic:livenps_lag_records:stalled" in rule["expr"]
    assert rule["for"]
    assert rule["keep_firing_for"]


def test_every_runbook_is_of_an_alert() -> None:
    assert {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")} == set(ALERTS)


def test_a_misspelt_metric_or_label_is_noticed() -> None:
    misspelt = list(unknown_names('max(nps_scores) + nps_score{windows="24h"}'))
    assert misspelt == ["nps_scores", "nps_score{windows}"]
