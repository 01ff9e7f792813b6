"""Grafana's dashboards as they are committed, and their queries as Grafana would send them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.deploy.files import DEPLOY

FOLDER = DEPLOY / "grafana" / "dashboards"
DASHBOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FOLDER.iterdir()}

Panel = dict[str, Any]


def charts(dashboard: dict[str, Any]) -> list[Panel]:
    """The panels that are no rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


class Asked(NamedTuple):
    """A query, and where it stands."""

    where: str
    expression: str


def queries() -> Iterator[Asked]:
    """Every query of every panel, variable and annotation."""
    for uid, dashboard in DASHBOARDS.items():
        for panel in charts(dashboard):
            for target in panel["targets"]:
                yield Asked(f"{uid}: {panel['title']} {target['refId']}", target["expr"])
        for annotation in dashboard["annotations"]["list"]:
            yield Asked(f"{uid}: annotation {annotation['name']}", annotation["expr"])
        for variable in dashboard["templating"]["list"][1:]:
            selector, _ = label_values(variable)
            yield Asked(f"{uid}: variable {variable['name']}", selector)


def label_values(variable: Mapping[str, Any]) -> tuple[str, str]:
    """The selector and the label of a variable's query."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
    assert found, variable
    return found[1], found[2]


def filled(text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of variables, written $name or ${name}."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda name: values[name[1] or name[2]], text)
