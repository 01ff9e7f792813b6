"""The oracle: every answer counted anew, one by one, by the words of the design."""

from collections import Counter
from collections.abc import Sequence
from math import floor
from typing import NamedTuple

from scoring.scales import SCORES, group
from scoring.segments import Dimensions, Series
from scoring.windows import Window
from streams.events import Response
from streams.times import MINUTE, to_ms

Histograms = dict[Series, list[int]]


class Counted(NamedTuple):
    """What is counted of one answer."""

    minute: int
    score: int
    series: tuple[Series, ...]


class Recount:
    """Remembers every answer and counts again for whatever ``now`` is asked for."""

    def __init__(self, windows: Sequence[Window], dimensions: Dimensions) -> None:
        self._windows = windows
        self._dimensions = dimensions
        self._versions: dict[str, int] = {}
        self._counted: dict[str, Counted] = {}
        self._first: list[Counted] = []
        self.corrections: Counter[tuple[str, ...]] = Counter()

    def add(self, response: Response, timestamp: int) -> None:
        version = timestamp if response.updated_at is None else to_ms(response.updated_at)
        at = timestamp if response.answered_at is None else min(to_ms(response.answered_at), timestamp)
        new = Counted(
            at // MINUTE,
            response.score,
            tuple(self._dimensions.series(response.survey_id, response.attributes)),
        )
        old = self._counted.get(response.response_id)
        if old is None:
            self._first.append(new)
        else:
            if version < self._versions[response.response_id]:
                return
            if response.answered_at is None:
                new = new._replace(minute=old.minute)
            if new != old:
                groups = group(old.score), group(new.score)
                self.corrections["nps_corrections_total", old.series[0].survey, *groups] += 1
        self._counted[response.response_id] = new
        self._versions[response.response_id] = version

    def windows(self, now: int) -> dict[str, Histograms]:
        held: dict[str, Histograms] = {"all": _histograms(list(self._counted.values()))}
        for window in self._windows:
            oldest, newest = floor((now - window.length) / window.width), floor(now / window.width)
            inside = [
                counted
                for counted in self._counted.values()
                if oldest < counted.minute * MINUTE // window.width <= newest
            ]
            held[window.name] = _histograms(inside)
        return held

    def first(self) -> Histograms:
        return _histograms(self._first)


def _histograms(answers: list[Counted]) -> Histograms:
    found: Histograms = {}
    for counted in answers:
        for series in counted.series:
            found.setdefault(series, [0] * SCORES)[counted.score] += 1
    return found
