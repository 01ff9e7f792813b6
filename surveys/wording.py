"""What the customer reads: the standard words of each scale, of the pages and of the mail."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from scoring.scales import Metric

Words = Mapping[str, str]


@cache
def standard(metric: Metric) -> Words:
    """The words of a survey that words nothing itself, an open question for each group of its scale among them."""
    tables = tomllib.loads(files("surveys").joinpath("words", "en.toml").read_text())
    return {**tables[metric], **tables["page"], **tables["mail"]}


def filled(text: str, **values: object) -> str:
    """A text with the words in braces put in; other braces stay as they are."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text
