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

SURVEYS = {"nps": "post-purchase", "csat": "happiness", "ces": "effort"}
SCORES = {"csat": (1, 3, 5, 5), "ces": (1, 4, 6, 7)}
OTHERS = {"window": "7d", "dimension": "plan", "__range": "10m", "__rate_interval": "1m"}
FIRING: list[dict[str, Any]] = [
    *({"alert": "NpsDrop", "expr": "vector(1)", "labels": {"survey": survey}} for survey in SURVEYS.values()),
    {"alert": "LivenpsLag", "expr": "vector(1)", "labels": {"topic": "touchpoints"}},
]
HTML = "<img src=x onerror=alert(1)>"
DAY = timedelta(days=1)


@pytest.fixture
async def busy(real_parts: dict[str, Any], kafka: Kafka, namespace: str) -> AsyncIterator[Livenps]:
    """A program with the demo's customers, and with what they never do: a mark, poison, an answer of long ago."""
    program = Livenps()
    shop = Shop(program.url)
    await shop.start()
    try:
        program.config.write_text(configuration(merged(real_parts, asking(shop.receiver_url))))
        with program:
            living = asyncio.create_task(shop.run(None))
            await post(program, "/v1/responses", [answer("post-purchase", 9, 100 * DAY, plan=HTML)])
            await post(program, "/v1/markers", [{"title": HTML}])
            await write(kafka.bootstrap, f"{namespace}touchpoints", b"poison")
            yield program
            living.cancel()
            await asyncio.wait([living])
    finally:
        await shop.close()


def asking(url: str) -> dict[str, Any]:
    """The shop's surveys, by webhook, and one for each other metric; watched as a whole and by plan."""
    to_shop = {"channel": "webhook", "webhook_url": url}
    watched = [
        {"survey": survey, **segment}
        for survey in SURVEYS.values()
        for segment in ({}, {"dimension": "plan", "segments": ["free", "pro"]})
    ]
    return {
        "surveys": [
            {"id": "post-purchase", "trigger": "Order Delivered", "target": 40, **to_shop},
            {"id": "support", "trigger": "Ticket Solved", **to_shop},
            {"id": "relationship"},
            {"id": "checkout", "metric": "csat", "trigger": "Checkout Completed", **to_shop},
            {"id": "returns", "metric": "ces", "trigger": "Return Completed", **to_shop},
            {"id": "happiness", "metric": "csat", "target": 80},
            {"id": "effort", "metric": "ces", "target": 5},
        ],
        "watch": {"learn": 100, "learn_for": "1s", "series": watched},
    }


def answer(survey: str, score: int, ago: timedelta, *, plan: str) -> dict[str, Any]:
    at = (datetime.now(UTC) - ago).isoformat()
    return {"survey_id": survey, "score": score, "answered_at": at, "attributes": {"plan": plan}}


async def post(program: Livenps, path: str, items: list[dict[str, Any]]) -> None:
    async with httpx.AsyncClient(base_url=program.url, trust_env=False) as client:
        (await client.post(path, json=items)).raise_for_status()


async def answer_the_others(program: Livenps) -> None:
    """As many answers to the surveys that the shop does not know as a baseline is learned from."""
    await post(
        program,
        "/v1/responses",
        [
            answer(SURVEYS[metric], score, ago, plan=plan)
            for metric, scores in SCORES.items()
            for score in scores * 13
            for ago in (0 * DAY, 3 * DAY)
            for plan in ("free", "pro")
        ],
    )


def asked_of(metric: str) -> Iterator[tuple[str, str]]:
    """Where a query stands, and its text for the survey of a metric; others than NPS are only asked for scores."""
    values = {"metric": metric, "survey": SURVEYS[metric], **OTHERS}
    for where, expression in queries():
        if metric == "nps" or "${metric}" in expression:
            yield f"{metric}: {where}", filled(expression, values)


async def test_every_query_finds_data(busy: Livenps, run_part: RunPart) -> None:
    rules = yaml.safe_dump({"groups": [{"name": "firing", "rules": FIRING}]})
    prometheus = run_part(Prometheus.scraping([busy.url.removeprefix("http://")], rules=rules, every="500ms"))
    missing = {where: expression for metric in SURVEYS for where, expression in asked_of(metric)}
    assert len(missing) > 100

    async def all_found() -> bool:
        await answer_the_others(busy)
        for where, expression in list(missing.items()):
            if await prometheus.query(expression):
                del missing[where]
        return not missing

    with suppress(AssertionError):
        await until(all_found, timeout=90, every=1)
    assert missing == {}

    for metric, survey in SURVEYS.items():
        assert await variable_of(prometheus, "metric", {"survey": survey}) == {metric}
    assert await variable_of(prometheus, "survey", {}) >= {*SURVEYS.values()}
    [marker] = await prometheus.query("livenps_marker_timestamp_seconds")
    assert marker["metric"]["title"] == HTML


async def variable_of(prometheus: Prometheus, name: str, values: dict[str, str]) -> set[str]:
    """The values that a variable of the overview offers."""
    [variable] = [one for one in DASHBOARDS["livenps-overview"]["templating"]["list"] if one["name"] == name]
    selector, label = label_values(variable)
    found = {sample["metric"][label] for sample in await prometheus.query(filled(selector, values))}
    cut = re.compile(variable.get("regex", "").strip("/") or "(.*)")
    return {cut.sub(r"\1", value, count=1) for value in found}
