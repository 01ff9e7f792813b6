"""Counts answers anew, from nothing but their versions: what the live state has to agree with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from scoring.scales import SCORES
from scoring.segments import Series
from scoring.windows import ALL, Window
from streams.times import MINUTE

Histograms = dict[Series, list[int]]


class Version(NamedTuple):
    """What counts of one version of one answer. ``version`` and its time are ms, ``minute`` is the event's.

    ``weight`` is how many customers it stands for.
    """

    version: int
    minute: int
    score: int
    series: tuple[Series, ...]
    weight: float = 1.0


class Recount:
    """The newest version of every answer of one partition."""

    def __init__(self) -> None:
        self._answers: dict[str, Version] = {}

    def add(self, response_id: str, version: Version, *, timed: bool) -> None:
        """Take a version in; a repeat without a time (``timed``) keeps the first one's."""
        known = self._answers.get(response_id)
        if known is not None:
            if version.version < known.version:
                return
            if not timed:
                version = version._replace(minute=known.minute)
        self._answers[response_id] = version

    def __len__(self) -> int:
        return len(self._answers)

    def windows(self, windows: Sequence[Window], now: int, begins: Mapping[str, int]) -> dict[str, Histograms]:
        """Window (``all`` too) -> series -> histogram, at ``now`` (ms).

        ``begins`` is the bucket that a window was begun at, where it was added to answers that were there.
        """
        held = {ALL: _histograms(self._answers.values())}
        for window in windows:
            held[window.name] = _histograms(self.inside(window, now, begins.get(window.name, 0)))
        return held

    def inside(self, window: Window, now: int, begin: int = 0) -> Iterator[Version]:
        """The answers of a window at ``now`` (ms), from the bucket ``begin`` on."""
        first = max(window.first(now), begin)
        return (one for one in self._answers.values() if one.minute * MINUTE // window.width >= first)

    def everything(self) -> Iterable[Version]:
        """The answers of all time."""
        return self._answers.values()


class Difference(NamedTuple):
    """One series in one window that two counts disagree on."""

    window: str
    series: Series
    counted: list[int]
    stored: list[int]


def differences(
    counted: Mapping[str, Mapping[Series, list[int]]], stored: Mapping[str, Mapping[Series, list[int]]]
) -> list[Difference]:
    """Every histogram that is not the same; a missing one is empty."""
    none = [0] * SCORES
    return [
        Difference(window, series, counted[window].get(series, none), stored[window].get(series, none))
        for window in counted
        for series in sorted({*counted[window], *stored[window]})
        if counted[window].get(series, none) != stored[window].get(series, none)
    ]


def _histograms(answers: Iterable[Version]) -> Histograms:
    found: Histograms = {}
    for answer in answers:
        for series in answer.series:
            found.setdefault(series, [0] * SCORES)[answer.score] += 1
    return found
