"""Who hears of which alert, judged by amtool and by a real Alertmanager behind the script that starts it."""

import json
import os
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import RunPart
from tests.deploy.files import DEPLOY, load, output
from tests.real.alertmanager import Alertmanager
from tests.real.parts import need
from tests.real.receiver import Receiver
from tests.real.wait import until

CONFIG = DEPLOY / "alertmanager" / "alertmanager.yml"
SURVEYS = tomllib.loads((DEPLOY / "livenps.toml").read_text())["surveys"]
STARTER = DEPLOY / "alertmanager" / "start.sh"


class Started(Alertmanager):
    """Alertmanager as the container starts it: `start.sh` over the shipped configuration."""

    def __init__(self, **addresses: str) -> None:
        super().__init__(CONFIG.read_text())
        self.addresses = addresses
        programs = self.directory / "bin"
        programs.mkdir()
        (programs / "alertmanager").symlink_to(shutil.which("prometheus-alertmanager") or "/missing")
        (self.directory / "tmp").mkdir()

    def command(self) -> list[str]:
        environment = {
            "PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}",
            "TMPDIR": str(self.directory / "tmp"),
            "ALERTMANAGER_TEMPLATE": str(self.directory / "alertmanager.yml"),
            **self.addresses,
        }
        arguments = [word for word in super().command()[1:] if not word.startswith("--config.file=")]
        return ["env", *(f"{name}={value}" for name, value in environment.items()), str(STARTER), *arguments]

    @property
    def rendered(self) -> Path:
        """The configuration that the script wrote."""
        return self.directory / "tmp" / "alertmanager.yml"

    def fire(self, *alerts: Mapping[str, str]) -> None:
        """Send alerts as Prometheus would."""
        body = [{"labels": labels} for labels in alerts]
        httpx.post(f"{self.url}/api/v2/alerts", json=body, trust_env=False).raise_for_status()

    def states(self) -> dict[str, str]:
        """Return `active` or `suppressed` by alert name."""
        alerts: list[dict[str, Any]] = httpx.get(f"{self.url}/api/v2/alerts", trust_env=False).json()
        return {alert["labels"]["alertname"]: alert["status"]["state"] for alert in alerts}


def test_amtool_accepts_the_configuration() -> None:
    need("alertmanager")
    output("amtool", "check-config", str(CONFIG))


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("alertname=NpsDrop severity=page team=shop survey=post-purchase", "livenps,page,shop"),
        ("alertname=NpsDrop severity=page team=unheard-of survey=support", "livenps,page,customer-experience"),
        ("alertname=LivenpsDown severity=page team=platform", "livenps,page,platform"),
        ("alertname=NpsSegmentDrop severity=ticket team=customer-experience", "livenps,customer-experience"),
        ("alertname=NpsFastDrop severity=ticket team=support", "livenps,support"),
        ("alertname=NpsRise severity=info team=product", "livenps,product"),
        ("alertname=NpsBelowTarget severity=ticket", "livenps,customer-experience"),
        ("alertname=LivenpsLag severity=ticket team=platform", "livenps,platform"),
        ("alertname=SomebodysOwn", "livenps,platform"),
        ("alertname=Watchdog severity=none team=platform", "heartbeat"),
    ],
)
def test_alerts_reach_those_who_act_on_them(labels: str, receivers: str) -> None:
    need("alertmanager")
    test = ["amtool", "config", "routes", "test", f"--config.file={CONFIG}"]
    output(*test, f"--verify.receivers={receivers}", *labels.split())


@pytest.mark.parametrize("survey", SURVEYS, ids=lambda survey: survey["id"])
def test_each_team_of_the_shipped_surveys_is_reached(survey: dict[str, Any]) -> None:
    routes = load(CONFIG)["route"]["routes"]
    assert {"matchers": [f"team = {survey['team']}"], "receiver": survey["team"]} in routes


def test_addresses_come_from_the_environment_and_stay_out_of_sight(run_part: RunPart) -> None:
    page = "https://hooks.example.com/page?a=1&b=2|3"
    server = run_part(Started(ALERT_PAGE_URL=page))
    output("amtool", "check-config", str(server.rendered))
    assert json.dumps(page) in server.rendered.read_text()
    assert ".invalid/" not in server.rendered.read_text()
    assert server.rendered.stat().st_mode & 0o077 == 0
    log = server.log.read_text()
    assert "hooks.example.com" not in log
    assert "no address for alerts to 'platform'" in log
    assert "'page'" not in log


def test_a_team_without_an_address_shares_the_one_for_all_scores(run_part: RunPart) -> None:
    server = run_part(
        Started(
            ALERT_CUSTOMER_EXPERIENCE_URL="https://hooks.example.com/scores",
            ALERT_SHOP_URL="https://hooks.example.com/shop",
        )
    )
    receivers = {one["name"]: one.get("webhook_configs", []) for one in load(server.rendered)["receivers"]}
    addresses = {name: [hook["url"] for hook in hooks] for name, hooks in receivers.items()}
    assert addresses["shop"] == ["https://hooks.example.com/shop"]
    assert addresses["support"] == addresses["product"] == ["https://hooks.example.com/scores"]
    assert addresses["page"] == addresses["livenps"] == []


async def test_livenps_is_told_of_every_alert_with_a_key_that_shows_nowhere(run_part: RunPart) -> None:
    key = "a-key: \"of\" $the $(tests) & 'more'"
    alert = {"alertname": "NpsSegmentDrop", "survey": "support", "segment": '<b>{{ .Alerts }}</b> "pro" \\ &'}
    with Receiver().running() as livenps:
        server = run_part(Started(ALERT_LIVENPS_KEY=key, ALERT_LIVENPS_URL=livenps.url))
        server.fire(alert, {"alertname": "Watchdog", "severity": "none"})
        [told] = await until(lambda: livenps.alerts("NpsSegmentDrop", "firing"), message="the alert")
        assert told["labels"] == alert
        assert set(livenps.keys) == {f"Bearer {key}"}
        assert not livenps.alerts("Watchdog", "firing")
    token = server.rendered.with_name("livenps-token")
    assert token.stat().st_mode & 0o077 == 0
    shown = httpx.get(f"{server.url}/api/v2/status", trust_env=False).text
    assert all(key not in text for text in (server.rendered.read_text(), server.log.read_text(), shown))


def test_starts_without_any_address(run_part: RunPart) -> None:
    server = run_part(Started())
    output("amtool", "check-config", str(server.rendered))
    assert "webhook_configs" not in server.rendered.read_text()


async def test_a_pipeline_that_stands_still_silences_alerts_on_the_score(run_part: RunPart) -> None:
    server = run_part(Started())
    drop = {"alertname": "NpsDrop", "job": "livenps", "survey": "support", "severity": "page"}
    lag = {"alertname": "LivenpsLag", "job": "livenps", "topic": "survey.responses"}
    letters = {"alertname": "LivenpsDeadLetters", "job": "livenps", "topic": "survey.responses"}
    server.fire(drop, lag, letters)
    await until(lambda: set(server.states().values()) == {"active"}, message="all alerts active")
    server.fire(
        {"alertname": "LivenpsPipelineStalled", "job": "livenps", "topic": "survey.responses", "affects": "scores"}
    )
    expected = {
        "NpsDrop": "suppressed",
        "LivenpsLag": "suppressed",
        "LivenpsDeadLetters": "active",
        "LivenpsPipelineStalled": "active",
    }
    await until(lambda: server.states() == expected, message="the score's alert suppressed")


async def test_a_drop_silences_what_follows_from_it_in_the_same_survey(run_part: RunPart) -> None:
    server = run_part(Started())
    of = {"job": "livenps", "survey": "support"}
    server.fire(
        {"alertname": "NpsBelowTarget", **of},
        {"alertname": "NpsSegmentDrop", "dimension": "plan", "segment": "pro", **of},
        {"alertname": "NpsFastDrop", **of},
        {"alertname": "NpsRise", "job": "livenps", "survey": "post-purchase"},
    )
    await until(lambda: set(server.states().values()) == {"active"}, message="all alerts active")
    server.fire({"alertname": "NpsDrop", **of})
    expected = {
        "NpsDrop": "active",
        "NpsBelowTarget": "suppressed",
        "NpsSegmentDrop": "suppressed",
        "NpsFastDrop": "active",
        "NpsRise": "active",
    }
    await until(lambda: server.states() == expected, message="what follows from the drop suppressed")


async def test_a_drop_leaves_other_surveys_alone(run_part: RunPart) -> None:
    server = run_part(Started())
    server.fire({"alertname": "NpsBelowTarget", "job": "livenps", "survey": "support"})
    server.fire({"alertname": "NpsBelowTarget", "job": "livenps", "survey": "post-purchase", "metric": "csat"})
    server.fire({"alertname": "NpsDrop", "job": "livenps", "survey": "support"})

    def suppressed() -> list[str]:
        found = httpx.get(f"{server.url}/api/v2/alerts", trust_env=False).json()
        return [alert["labels"]["survey"] for alert in found if alert["status"]["state"] == "suppressed"]

    await until(lambda: suppressed() == ["support"], message="one survey's target suppressed, the other's not")
