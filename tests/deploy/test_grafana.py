"""The dashboards, checked without a Grafana server: their shape, and every query by a real Prometheus."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from typing import Any

import httpx
import pytest
import yaml

from deploy.grafana.generate.__main__ import files
from livenps.shop import Shop
from tests.conftest import RunPart
from tests.deploy.dashboards import DASHBOARDS, FOLDER, Panel, charts, filled, label_values, queries
from tests.deploy.files import DEPLOY, load
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps, configuration, merged
from tests.real.prometheus import Prometheus
from tests.real.records import write
from tests.real.wait import until

UIDS = {"livenps-overview", "livenps-segments", "livenps-funnel", "livenps-pipeline"}
VARIABLES = {
    "livenps-overview": ["datasource", "survey", "metric", "window", "dimension"],
    "livenps-segments": ["datasource", "survey", "metric", "window", "dimension"],
    "livenps-funnel": ["datasource", "survey"],
    "livenps-pipeline": ["datasource"],
}
OF_GRAFANA = {"__range", "__rate_interval"}

CHARTS = [(uid, panel) for uid, dashboard in DASHBOARDS.items() for panel in charts(dashboard)]
every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
every_chart = pytest.mark.parametrize(
    "panel", [panel for _, panel in CHARTS], ids=[f"{uid}: {panel['title']}" for uid, panel in CHARTS]
)

Dashboard = dict[str, Any]


def fields(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = panel["fieldConfig"]["defaults"]
    return defaults


def properties(panel: Panel) -> Iterator[dict[str, Any]]:
    """The fields' settings, for all of them and for those of one name."""
    yield fields(panel)
    for override in panel["fieldConfig"].get("overrides", []):
        yield {one["id"]: one["value"] for one in override["properties"]}


def test_what_is_committed_is_what_is_generated() -> None:
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == files()


def test_the_dashboards_keep_their_addresses() -> None:
    assert {dashboard["uid"] for dashboard in DASHBOARDS.values()} == UIDS == DASHBOARDS.keys()
    assert len({dashboard["title"] for dashboard in DASHBOARDS.values()}) == len(UIDS)


@every_dashboard
def test_each_dashboard_links_to_the_others_and_hands_its_variables_on(dashboard: Dashboard) -> None:
    links = dashboard["links"]
    assert {link["url"] for link in links} == {f"/d/{uid}" for uid in UIDS - {dashboard["uid"]}}
    assert all(link["type"] == "link" and link["includeVars"] and link["keepTime"] for link in links)
    assert not dashboard["editable"]
    assert dashboard["description"]


@every_dashboard
def test_panel_ids_and_titles_are_unique(dashboard: Dashboard) -> None:
    panels = dashboard["panels"]
    assert max(Counter(panel["id"] for panel in panels).values()) == 1
    assert max(Counter(panel["title"] for panel in charts(dashboard)).values()) == 1


@every_dashboard
def test_panels_do_not_overlap_and_leave_no_hole(dashboard: Dashboard) -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in dashboard["panels"]]
    for title, place in places:
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24, title
        assert place["h"] >= 1, title
    for (title, a), (other, b) in combinations(places, 2):
        apart_x = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart_y = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart_x or apart_y, (title, other)
    area = sum(place["w"] * place["h"] for _, place in places)
    assert area == 24 * max(place["y"] + place["h"] for _, place in places)


@every_chart
def test_charts_say_what_they_show(panel: Panel) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert fields(panel)["unit"]


@every_chart
def test_charts_ask_the_chosen_source(panel: Panel) -> None:
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    assert max(Counter(target["refId"] for target in panel["targets"]).values()) == 1
    over_time = panel["type"] in {"timeseries", "state-timeline"}
    assert all(target["range"] is over_time and target["instant"] is not over_time for target in panel["targets"])


@every_chart
def test_scales_and_thresholds_make_sense(panel: Panel) -> None:
    assert fields(panel)["thresholds"], "Grafana's own would turn red at 80"
    for one in properties(panel):
        assert one.get("min", float("-inf")) < one.get("max", float("inf"))
        first, *values = [step.get("value") for step in one.get("thresholds", {"steps": [{}]})["steps"]]
        assert first is None
        assert all(low < high for low, high in pairwise(values))
        if "max" in one:
            assert all(one["min"] < value < one["max"] for value in values)
    if panel["type"] == "gauge":
        assert {"min", "max"} <= fields(panel).keys()
    if fields(panel).get("custom", {}).get("scaleDistribution", {}).get("type") == "log":
        assert fields(panel)["min"] > 0


@every_chart
def test_what_a_segment_is_called_is_shown_as_text(panel: Panel) -> None:
    assert panel["type"] != "text"
    cells = [fields(panel).get("custom", {}).get("cellOptions")] if panel["type"] == "table" else []
    cells += [one["custom.cellOptions"] for one in properties(panel) if "custom.cellOptions" in one]
    assert all(cell["type"] in {"auto", "color-background"} for cell in cells)
    assert not fields(panel).get("links")


@every_dashboard
def test_annotations_show_names_as_tags_which_are_text(dashboard: Dashboard) -> None:
    """Grafana takes an annotation's title and text for HTML."""
    for annotation in dashboard["annotations"]["list"]:
        shown = annotation["titleFormat"] + annotation["textFormat"]
        assert set(re.findall(r"{{(\w+)}}", shown)) <= {"alertname"}
        assert annotation["datasource"]["uid"] == "${datasource}"


@every_dashboard
def test_variables(dashboard: Dashboard) -> None:
    variables = dashboard["templating"]["list"]
    names = [variable["name"] for variable in variables]
    assert names == VARIABLES[dashboard["uid"]]
    assert [variable["type"] for variable in variables] == ["datasource"] + ["query"] * (len(names) - 1)
    used = set(re.findall(r"\$\{?(\w+)", json.dumps([dashboard["panels"], variables, dashboard["annotations"]])))
    assert used - OF_GRAFANA == {*names}


@every_dashboard
def test_no_survey_is_written_into_a_dashboard(dashboard: Dashboard) -> None:
    asked = set(re.findall(r'survey(=~?|!~?)\\"([^\\"]*)', json.dumps(dashboard)))
    assert asked <= {("=", "$survey"), ("=~", "|$survey")}


def test_links_of_alerts_lead_to_variables_that_are_there() -> None:
    rules = "".join(path.read_text() for path in (DEPLOY / "prometheus" / "rules").glob("*.yml"))
    links = re.findall(r"/d/([\w-]+)(\S*)", rules)
    assert links
    for uid, query in links:
        assert uid in UIDS
        assert set(re.findall(r"var-(\w+)=", query)) <= {*VARIABLES[uid]}


def test_provisioning_fits_the_stack() -> None:
    [source] = load(DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yml")["datasources"]
    [provider] = load(DEPLOY / "grafana" / "provisioning" / "dashboards" / "livenps.yml")["providers"]
    mounts = load(DEPLOY.parent / "docker-compose.yml")["services"]["grafana"]["volumes"]
    assert source["url"] == "http://prometheus:9090"
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in mounts


# Every query by a real Prometheus over the real program

VALUES = {
    "metric": "nps",
    "survey": "post-purchase",
    "window": "7d",
    "dimension": "plan",
    "__range": "10m",
    "__rate_interval": "1m",
}
OF_SURVEY = {"survey": VALUES["survey"]}
# Alerts that fire, and what the program has only where its configuration says so.
INJECTED: list[dict[str, Any]] = [
    {"alert": "NpsDrop", "expr": "vector(1)", "labels": OF_SURVEY},
    {"alert": "LivenpsLag", "expr": "vector(1)", "labels": {"topic": "touchpoints"}},
    {"record": "nps_target", "expr": "vector(40)", "labels": OF_SURVEY},
]
HTML = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def busy(real_parts: dict[str, Any], kafka: Kafka, namespace: str) -> AsyncIterator[Livenps]:
    """A program with the demo's customers, and with what they never do: marks, poison, answers of long ago."""
    program = Livenps()
    shop = Shop(program.url)
    await shop.start()
    try:
        program.config.write_text(configuration(merged(real_parts, asking(shop.receiver_url))))
        with program:
            living = asyncio.create_task(shop.run(None))
            await disturb(program)
            await write(kafka.bootstrap, f"{namespace}touchpoints", b"poison")
            yield program
            living.cancel()
            await asyncio.wait([living])
    finally:
        await shop.close()


def asking(url: str) -> dict[str, Any]:
    """The shop's surveys, by webhook; one of them is watched, and so are its plans."""
    to_shop = {"channel": "webhook", "webhook_url": url}
    return {
        "surveys": [
            {"id": "post-purchase", "trigger": "Order Delivered", **to_shop},
            {"id": "support", "trigger": "Ticket Solved", **to_shop},
            {"id": "relationship"},
        ],
        "watch": {
            "learn": 100,
            "series": [
                {"survey": "post-purchase"},
                {"survey": "post-purchase", "dimension": "plan", "segments": ["free", "pro"]},
            ],
        },
    }


async def disturb(program: Livenps) -> None:
    """Mark something, and post an answer that is too late for every window."""
    at = (datetime.now(UTC) - timedelta(days=100)).isoformat()
    late = {"survey_id": "post-purchase", "score": 9, "answered_at": at, "attributes": {"plan": HTML}}
    async with httpx.AsyncClient(base_url=program.url, trust_env=False) as client:
        for path, body in (("/v1/responses", late), ("/v1/markers", {"title": HTML})):
            (await client.post(path, json=body)).raise_for_status()


async def test_every_query_finds_data(busy: Livenps, run_part: RunPart) -> None:
    rules = yaml.safe_dump({"groups": [{"name": "injected", "rules": INJECTED}]})
    prometheus = run_part(Prometheus.scraping([busy.url.removeprefix("http://")], rules=rules, every="500ms"))
    missing = dict(queries())

    async def all_found() -> bool:
        for where, expression in list(missing.items()):
            if await prometheus.query(filled(expression, VALUES)):
                del missing[where]
        return not missing

    with suppress(AssertionError):
        await until(all_found, timeout=90, every=1)
    assert missing == {}

    [variable] = [one for one in DASHBOARDS["livenps-overview"]["templating"]["list"] if one["name"] == "metric"]
    selector, label = label_values(variable)
    names = {sample["metric"][label] for sample in await prometheus.query(filled(selector, VALUES))}
    assert [re.sub(variable["regex"].strip("/"), r"\1", name) for name in names] == ["nps"]
    [marker] = await prometheus.query("livenps_marker_timestamp_seconds")
    assert marker["metric"]["title"] == HTML
