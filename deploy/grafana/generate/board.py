"""What the dashboards have in common: variables, links to each other, annotations, and where panels lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.generate.panels import SOURCE, Chart

TITLES = {
    "livenps-overview": "Overview",
    "livenps-segments": "Segments",
    "livenps-funnel": "Survey funnel",
    "livenps-pipeline": "Pipeline",
}
GRID = 24  # columns
ANY_METRIC = '{__name__=~"(nps|csat|ces)_window_responses"}'


class Column(NamedTuple):
    """Panels of the same width, one below the other; they share the row's height."""

    width: int
    panels: Sequence[Chart]


class Row(NamedTuple):
    """Columns side by side, under a title. The height is in Grafana's units of 30 pixels."""

    title: str
    height: int
    columns: Sequence[Column]


def board(
    uid: str, description: str, rows: Sequence[Row], variables: Sequence[model.VariableModel], alerts: str
) -> model.Dashboard:
    """A dashboard. ``alerts`` selects those that its charts are annotated with."""
    made = (
        build.Dashboard(f"livenps: {TITLES[uid]}")
        .uid(uid)
        .description(description)
        .tags(["livenps"])
        .readonly()
        .timezone("browser")
        .refresh("15s")
        .time("now-24h", "now")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .build()
    )
    made.links = [_link(other) for other in TITLES if other != uid]
    made.templating = model.DashboardDashboardTemplating([_data_source(), *variables])
    made.annotations = model.AnnotationContainer([*_annotations(alerts, of_survey=bool(variables))])
    made.panels = [*_placed(rows)]
    return made


def survey() -> model.VariableModel:
    return variable("survey", "Survey", f"label_values({ANY_METRIC}, survey)")


def metric() -> model.VariableModel:
    """The chosen survey's: nps, csat or ces, with which the names of its series begin."""
    of_survey = ANY_METRIC.replace("}", ',survey="$survey"}')
    made = variable("metric", "Metric", f"label_values({of_survey}, __name__)")
    made.hide = model.VariableHide.HIDE_VARIABLE
    made.regex = "/(.+)_window_responses/"
    return made


def window() -> model.VariableModel:
    query = 'label_values(${metric}_window_responses{survey="$survey"}, window)'
    return variable("window", "Window", query, current="7d")


def dimension() -> model.VariableModel:
    query = 'label_values(${metric}_segment_window_responses{survey="$survey"}, dimension)'
    return variable("dimension", "Dimension", query)


def variable(name: str, label: str, query: str, current: str = "") -> model.VariableModel:
    made = (
        build.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": query, "refId": name})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.NATURAL_ASC)
        .allow_custom_value(False)
    )
    if current:
        made.current(model.VariableOption(selected=True, text=current, value=current))
    return made.build()


def _data_source() -> model.VariableModel:
    return build.DatasourceVariable("datasource").label("Data source").type("prometheus").build()


def _link(uid: str) -> model.DashboardLink:
    return model.DashboardLink(
        title=TITLES[uid],
        type_val=model.DashboardLinkType.LINK,
        icon="dashboard",
        url=f"/d/{uid}",
        include_vars=True,
        keep_time=True,
    )


@dataclass
class _Annotation:
    """A query of Prometheus that marks times in charts.

    Grafana shows title and text as HTML, but tags as text: what others have named has to be a tag.
    """

    name: str
    color: str
    query: str
    title: str
    tags: str
    value_is_time: bool = False  # in milliseconds

    def build(self) -> model.AnnotationQuery:
        plain = model.AnnotationQuery(
            name=self.name, datasource=SOURCE, icon_color=self.color, expr=self.query, enable=True
        )
        return _PrometheusAnnotation(plain, self)


class _PrometheusAnnotation(model.AnnotationQuery):
    """With what the data source asks for beside; the schema knows none of it."""

    def __init__(self, plain: model.AnnotationQuery, more: _Annotation) -> None:
        vars(self).update(vars(plain))
        self._more = more

    def to_json(self) -> dict[str, object]:
        return super().to_json() | {
            "step": "60s",
            "titleFormat": self._more.title,
            "textFormat": "",
            "tagKeys": self._more.tags,
            "useValueForTime": self._more.value_is_time,
        }


def _annotations(alerts: str, *, of_survey: bool) -> Iterator[model.AnnotationQuery]:
    fired = f"max by (alertname, survey, dimension, segment) (ALERTS{{{alerts}}})"
    tags = "survey,dimension,segment"
    yield _Annotation("Alerts", "red", fired, "{{alertname}}", tags).build()
    survey = '{survey=~"|$survey"}' if of_survey else ""
    markers = f"max by (title, survey) (livenps_marker_timestamp_seconds{survey}) * 1000"
    yield _Annotation("Markers", "blue", markers, "Marker", "title", value_is_time=True).build()


def _placed(rows: Sequence[Row]) -> Iterator[model.Panel | model.RowPanel]:
    ids, y = count(1), 0
    for row in rows:
        yield model.RowPanel(title=row.title, grid_pos=model.GridPos(h=1, w=GRID, x=0, y=y), id_val=next(ids))
        x = 0
        for width, panels in row.columns:
            height = row.height // len(panels)
            for number, panel in enumerate(panels):
                made = panel.build()
                made.id_val = next(ids)
                made.grid_pos = model.GridPos(h=height, w=width, x=x, y=y + 1 + number * height)
                yield made
            x += width
        y += 1 + row.height
