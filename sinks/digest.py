"""A digest as people read it: text, Markdown, HTML, or facts as JSON. No names of people, no blame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from scoring.digest import Digest, Line
from streams.times import rfc3339
from surveys.survey import Survey

_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&])")

_LENGTH = re.compile(r"(\d+)([mhd])")
_UNITS = {"m": "minute", "h": "hour", "d": "day"}


@dataclass(frozen=True, slots=True)
class Report:
    """Digests of surveys over ``recent``, compared with the rest of ``longer`` (windows), as of ``at`` (ms)."""

    brand: str
    at: int
    recent: str
    longer: str
    surveys: Sequence[tuple[Survey, Digest]]

    def facts(self) -> dict[str, Any]:
        """All of it, for JSON and for the templates."""
        return {
            "brand": self.brand,
            "as_of": rfc3339(self.at),
            "window": self.recent,
            "reference_window": self.longer,
            "surveys": [_survey(survey, found) for survey, found in self.surveys],
        }

    @property
    def title(self) -> str:
        """One line."""
        return _line_of(f"{self.brand}: how customers felt in the last {_spoken(self.recent)}")

    def text(self) -> str:
        return _texts.get_template("digest.txt").render(self._told())

    def markdown(self) -> str:
        return _texts.get_template("digest.md").render(self._told())

    def html(self) -> str:
        return _html.get_template("digest.html").render(self._told())

    def _told(self) -> dict[str, Any]:
        spoken = {"window": _spoken(self.recent), "reference_window": _spoken(self.longer)}
        return {**self.facts(), **spoken, "title": self.title}


def _survey(survey: Survey, found: Digest) -> dict[str, Any]:
    return {
        "survey": survey.id,
        "title": survey.name,
        "metric": survey.scale.name,
        "metric_title": survey.scale.title,
        **_line(found.total),
        "verdict": _verdict(found.total),
        "good_news": [_line(line) for line in found.moved if line.rose],
        "worth_a_look": [_line(line) for line in found.moved if not line.rose],
        "best": [_line(line) for line in found.best],
        "lowest": [_line(line) for line in found.lowest],
    }


def _line(line: Line) -> dict[str, Any]:
    """Numbers, and the same as texts: a score is never told without its interval and its answers."""
    scale, tally = line.now.scale, line.now
    lower, upper = tally.interval or (None, None)
    before = scale.points(line.before.mean) if line.before.n else None
    return {
        "dimension": line.series.dimension,
        "segment": line.series.value,
        "score": tally.score,
        "lower": lower,
        "upper": upper,
        "n": tally.n,
        "before": before,
        "n_before": round(line.before.n),
        "change": line.change,
        "p": line.p,
        "moved": line.moved,
        "text": {
            "score": None if tally.score is None else scale.text(tally.score),
            "interval": None if lower is None or upper is None else f"{scale.text(lower)} to {scale.text(upper)}",
            "change": None if line.change is None else scale.text(abs(line.change)),
        },
    }


def _verdict(line: Line) -> str:
    """What to make of a survey's change."""
    if not line.before.n or line.change is None:
        return "There was nothing before it to compare with."
    scale = line.now.scale
    before = scale.text(scale.points(line.before.mean))
    if line.p is None:
        return f"It was {before} before; with so few answers that says little."
    if not line.moved:
        return f"It was {before} before: no more than chance."
    return f"{'Up' if line.rose else 'Down'} {scale.text(abs(line.change))} from {before}: more than chance."


def _spoken(window: str) -> str:
    """7d as people say it: 7 days. Other names stay."""
    match = _LENGTH.fullmatch(window)
    return f"{match[1]} {_UNITS[match[2]]}{'' if match[1] == '1' else 's'}" if match else window


def _escaped(text: object) -> str:
    """A text that Markdown shows as it is."""
    return _MARKS.sub(r"\\\1", _line_of(text))


def _line_of(text: object) -> str:
    return " ".join(str(text).split())


_LOADER = PackageLoader("sinks", "templates")
_html = Environment(
    loader=_LOADER,
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_texts = Environment(  # noqa: S701 - it is no HTML: names from outside go through `md` or `line`
    loader=_LOADER, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_texts.filters |= {"md": _escaped, "line": _line_of}
