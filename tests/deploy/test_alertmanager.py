"""Who hears of which alert, judged by amtool and by a real Alertmanager behind the script that starts it."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import RunPart
from tests.deploy.files import DEPLOY, output
from tests.real.alertmanager import Alertmanager
from tests.real.parts import need
from tests.real.wait import until

CONFIG = DEPLOY / "alertmanager" / "alertmanager.yml"
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
    ("labels", "receiver"),
    [
        ("alertname=NpsDrop severity=page team=customer-experience survey=support", "page"),
        ("alertname=LivenpsDown severity=page team=platform", "page"),
        ("alertname=NpsSegmentDrop severity=ticket team=customer-experience", "customer-experience"),
        ("alertname=LivenpsLag severity=ticket team=platform", "platform"),
        ("alertname=SomebodysOwn", "platform"),
        ("alertname=Watchdog severity=none team=platform", "heartbeat"),
    ],
)
def test_alerts_reach_those_who_act_on_them(labels: str, receiver: str) -> None:
    need("alertmanager")
    test = ["amtool", "config", "routes", "test", f"--config.file={CONFIG}"]
    output(*test, f"--verify.receivers={receiver}", *labels.split())


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
