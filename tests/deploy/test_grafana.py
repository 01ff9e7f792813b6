"""The dashboard, checked without a Grafana server: its shape, and every query by a real Prometheus."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import combinations
from threading import Thread
from typing import Any

import pytest

from tests.conftest import RunPart
from tests.deploy.files import DEPLOY, METRICS, load, unknown_names
from tests.real.prometheus import Prometheus
from tests.real.wait import until

BOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "livenps.json").read_text())
PANELS: list[dict[str, Any]] = BOARD["panels"]
CHARTS = [panel for panel in PANELS if panel["type"] != "row"]
VARIABLES: list[dict[str, Any]] = BOARD["templating"]["list"]
EXPRESSIONS = [(panel["title"], target["expr"]) for panel in CHARTS for target in panel["targets"]]
VALUES = {
    "survey": "post-purchase",
    "window": "7d",
    "dimension": "plan",
    "__range": "1m",
    "__rate_interval": "1m",
}


def of(items: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("panel", items, ids=lambda panel: panel["title"])


def test_the_dashboard_keeps_its_address() -> None:
    assert BOARD["uid"] == "livenps-overview"
    assert not BOARD["editable"]


def test_panel_ids_are_unique() -> None:
    assert max(Counter(panel["id"] for panel in PANELS).values()) == 1


def test_panels_do_not_overlap_and_stay_inside() -> None:
    for panel in PANELS:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24, panel["title"]
    for one, other in combinations(PANELS, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart_x = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart_y = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart_x or apart_y, (one["title"], other["title"])


@of(PANELS)
def test_panels_say_what_they_show(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")


@of(CHARTS)
def test_charts_have_a_unit_and_ask_the_chosen_source(panel: dict[str, Any]) -> None:
    assert panel["fieldConfig"]["defaults"]["unit"]
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    assert max(Counter(target["refId"] for target in panel["targets"]).values()) == 1


def test_variables() -> None:
    assert [variable["name"] for variable in VARIABLES] == ["datasource", "survey", "window", "dimension"]
    assert [variable["type"] for variable in VARIABLES] == ["datasource", "query", "query", "query"]
    used = set(re.findall(r"\$\{?(\w+)", json.dumps([PANELS, VARIABLES, BOARD["annotations"]])))
    assert used == {"datasource", *VALUES}


def test_only_known_metrics() -> None:
    asked = [expression for _, expression in EXPRESSIONS]
    asked += [variable["definition"] for variable in VARIABLES[1:]]
    asked += [annotation["expr"] for annotation in BOARD["annotations"]["list"]]
    assert [name for expression in asked for name in unknown_names(expression)] == []


def test_provisioning_fits_the_stack() -> None:
    [source] = load(DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yml")["datasources"]
    [provider] = load(DEPLOY / "grafana" / "provisioning" / "dashboards" / "livenps.yml")["providers"]
    mounts = load(DEPLOY.parent / "docker-compose.yml")["services"]["grafana"]["volumes"]
    assert source["url"] == "http://prometheus:9090"
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in mounts


@pytest.fixture
def exporter() -> Iterator[str]:
    """One sample of each metric of the program at host:port."""
    text = "".join(
        f"{name}{{{','.join(f'{label}={json.dumps(value)}' for label, value in labels.items())}}} 30\n"
        for name, labels in METRICS.items()
    ).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


async def test_every_query_of_every_panel_finds_data(run_part: RunPart, exporter: str) -> None:
    prometheus = run_part(Prometheus.scraping([exporter]))
    await until(lambda: prometheus.query("count_over_time(nps_score[1m]) > 1"), message="two scrapes")
    for title, expression in EXPRESSIONS:
        asked = re.sub(r"\$(\w+)", lambda name: VALUES[name[1]], expression)
        assert await prometheus.query(asked), f"{title}: {asked}"
