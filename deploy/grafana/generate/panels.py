"""Panels of the kinds that the dashboards use, each with its title, description, unit and queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import NamedTuple, Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import (
    barchart,
    bargauge,
    common,
    gauge,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
SURVEY = 'survey="$survey"'
WINDOW = f'{SURVEY},window="$window"'
FIRING = f'alertstate="firing",{SURVEY}'

POINTS = "suffix: pts"
NUMBER = "none"
FEW = 30  # answers, below which a score says little
GREY = "#8e8e8e"
# Best first, of NPS, CSAT and CES.
GROUPS = {
    "promoter": "green",
    "satisfied": "green",
    "easy": "green",
    "passive": "yellow",
    "neutral": "yellow",
    "detractor": "red",
    "dissatisfied": "red",
    "difficult": "red",
}

Property = model.DynamicConfigValue


class Query(NamedTuple):
    """An expression, and what its series are called; a legend may name labels, as {{segment}}."""

    expression: str
    legend: str = ""


class Chart(Protocol):
    """What the builders of all kinds of panels have in common."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def datasource(self, datasource: model.DataSourceRef) -> Self: ...
    def thresholds(self, thresholds: Builder[model.ThresholdsConfig]) -> Self: ...
    def targets(self, targets: list[Builder[Dataquery]]) -> Self: ...
    def override_by_name(self, name: str, properties: list[Property]) -> Self: ...
    def build(self) -> model.Panel: ...


C = TypeVar("C", bound=Chart)


def over_time(title: str, description: str, *queries: Query, unit: str = "short") -> timeseries.Panel:
    """Lines."""
    panel = timeseries.Panel().fill_opacity(0).line_width(2).show_points(options.VisibilityMode.NEVER)
    panel.legend(_legend()).tooltip(_tooltip())
    return _asking(panel, title, description, unit, [_target(query).range() for query in queries])


def bars_over_time(title: str, description: str, *queries: Query, unit: str = "short") -> timeseries.Panel:
    """Bars on top of each other, one for each step."""
    stacked = common.StackingConfig().mode(options.StackingMode.NORMAL).group("A")
    panel = over_time(title, description, *queries, unit=unit).min(0)
    return panel.draw_style(options.GraphDrawStyle.BARS).fill_opacity(70).line_width(1).stacking(stacked)


def shares_over_time(title: str, description: str, query: Query) -> timeseries.Panel:
    """Areas that add up to everything."""
    stacked = common.StackingConfig().mode(options.StackingMode.PERCENT).group("A")
    panel = over_time(title, description, query)
    return panel.fill_opacity(60).line_width(1).stacking(stacked)


def evidence_over_time(title: str, description: str, *queries: Query) -> timeseries.Panel:
    """Lines on a logarithmic scale: evidence multiplies."""
    log = common.ScaleDistributionConfig().type(options.ScaleDistribution.LOG).log(10)
    return over_time(title, description, *queries).scale_distribution(log)


def states_over_time(
    title: str, description: str, *queries: Query, states: Mapping[int, tuple[str, str]]
) -> statetimeline.Panel:
    """A bar for each series; ``states`` gives text and colour of each value."""
    texts = {
        str(value): model.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(states.items())
    }
    panel = statetimeline.Panel().show_value(options.VisibilityMode.NEVER).legend(_legend()).tooltip(_tooltip())
    panel.mappings([model.ValueMap(options=texts)])
    return _asking(panel, title, description, "short", [_target(query).range() for query in queries])


def number(title: str, description: str, *queries: Query, unit: str = "short") -> stat.Panel:
    """The newest value, large."""
    panel = stat.Panel().graph_mode(options.BigValueGraphMode.NONE).reduce_options(_newest())
    mode = options.BigValueTextMode.VALUE if len(queries) == 1 else options.BigValueTextMode.VALUE_AND_NAME
    panel.text_mode(mode)
    return _asking(panel, title, description, unit, [_target(query).instant() for query in queries])


def dial(title: str, description: str, query: Query, unit: str) -> gauge.Panel:
    """The newest value between the ends of its scale."""
    panel = gauge.Panel().reduce_options(_newest())
    return _asking(panel, title, description, unit, [_target(query).instant()])


def bars(title: str, description: str, *queries: Query, unit: str = "short") -> bargauge.Panel:
    """A horizontal bar for each newest value, from 0 on."""
    panel = bargauge.Panel().reduce_options(_newest()).min(0)
    panel.orientation(options.VizOrientation.HORIZONTAL).display_mode(options.BarGaugeDisplayMode.BASIC)
    return _asking(panel, title, description, unit, [_target(query).instant() for query in queries])


def columns(title: str, description: str, by: str, queries: Mapping[str, str], unit: str) -> barchart.Panel:
    """Bars side by side for each value of the label ``by``, one for each of the queries, by their names."""
    panel = barchart.Panel().x_field(by.title()).legend(_legend()).tooltip(_tooltip())
    _merged(panel, by, queries)
    return _asking(panel, title, description, unit, _tabular([*queries.values()]))


def rows(title: str, description: str, by: str, queries: Mapping[str, str], unit: str = NUMBER) -> table.Panel:
    """A row for each value of the label ``by``, a column for each of the queries, by their names.

    Cells show text, whatever HTML a label holds.
    """
    panel = table.Panel().cell_height(options.TableCellHeight.SM).cell_options(options.TableAutoCellOptions())
    _merged(panel, by, queries)
    return _asking(panel, title, description, unit, _tabular([*queries.values()]))


def alerts(description: str, firing: str, *labels: str) -> table.Panel:
    """What fires now, with the labels that say of what; the label ``alertname`` comes first."""
    query = f"max by ({', '.join(labels)}) (ALERTS{{{firing}}})"
    panel = table.Panel().cell_height(options.TableCellHeight.SM).cell_options(options.TableAutoCellOptions())
    panel.no_value("nothing fires")
    organized = {"excludeByName": {"Time": True, "Value": True}, "renameByName": {"alertname": "Alert"}}
    organized["indexByName"] = {name: index for index, name in enumerate(labels)}
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=organized))
    return _asking(panel, "Alerts that fire", description, NUMBER, _tabular([query]))


def steps(*pairs: tuple[float | None, str]) -> build.ThresholdsConfig:
    """Colours from values on; None is the least value."""
    found = [model.Threshold(value=value, color=name) for value, name in pairs]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


def color(name: str) -> Property:
    return Property("color", {"mode": "fixed", "fixedColor": name})


def dashed(name: str) -> list[Property]:
    """The look of a line that others are compared with."""
    return [color(name), Property("custom.lineStyle", {"fill": "dash", "dash": [8, 6]})]


def by_group(panel: C) -> C:
    """Each group of answers in its colour."""
    for group, name in GROUPS.items():
        panel.override_by_name(group, [color(name)])
    return panel


def sorted_by(*columns: tuple[str, bool]) -> list[Builder[options.TableSortByFieldState]]:
    """Columns, and whether the largest value comes first."""
    return [common.TableSortByFieldState().display_name(name).desc(desc) for name, desc in columns]


def greyed(column: str) -> tuple[str, list[Property]]:
    """A row is grey where the column counts few answers."""
    cell = options.TableColoredBackgroundCellOptions(
        mode=options.TableCellBackgroundDisplayMode.BASIC, apply_to_row=True
    )
    grey = steps((None, GREY), (FEW, "transparent")).build()
    return column, [
        Property("unit", "short"),
        Property("decimals", 0),
        Property("thresholds", grey),
        Property("custom.cellOptions", cell),
    ]


def _asking(panel: C, title: str, description: str, unit: str, targets: Sequence[prometheus.Dataquery]) -> C:
    named = [target.ref_id(letter) for letter, target in zip(ascii_uppercase, targets, strict=False)]
    panel.title(title).description(description).unit(unit).datasource(SOURCE).targets([*named])
    return panel.thresholds(steps((None, "green")))  # Grafana's own turn red at 80


def _target(query: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expression).datasource(SOURCE).editor_mode(QueryEditorMode.CODE)
    return target.legend_format(query.legend) if query.legend else target


def _tabular(expressions: Sequence[str]) -> list[prometheus.Dataquery]:
    return [_target(Query(one)).instant().format(PromQueryFormat.TABLE) for one in expressions]


class _Transformed(Protocol):
    def with_transformation(self, transformation: model.DataTransformerConfig) -> Self: ...


def _merged(panel: _Transformed, by: str, queries: Mapping[str, str]) -> None:
    """One table of the answers to all queries, with the names of the queries as its columns."""
    values = {f"Value #{letter}": name for letter, name in zip(ascii_uppercase, queries, strict=False)}
    named = {by: by.title(), **values}
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    organized = {
        "excludeByName": {"Time": True},
        "indexByName": {name: index for index, name in enumerate(named)},
        "renameByName": named,
    }
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=organized))


def _newest() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(options.LegendDisplayMode.LIST)
        .placement(options.LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI)
