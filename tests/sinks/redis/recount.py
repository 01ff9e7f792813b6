"""The oracle: every answer counted anew, one by one, by the words of the design."""

from collections import Counter
from collections.abc import Sequence
from math import floor, inf
from typing import NamedTuple

from scoring.scales import SCORES
from scoring.segments import Dimensions, Series
from scoring.windows import Window
from streams.events import Response
from streams.times import MINUTE, to_ms
from tests.make import SURVEYS

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
        # When the windows of the last tick that saw answers began: a later one at its next bucket.
        self._since: dict[Window, int] | None = None
        self._versions: dict[str, int] = {}
        self._counted: dict[str, Counted] = {}
        self._first: list[Counted] = []
        self.corrections: Counter[tuple[str, ...]] = Counter()

    def configure(self, windows: Sequence[Window]) -> None:
        self._windows = windows

    def add(self, *answers: tuple[Response, int]) -> None:
        """Count a batch of answers with their timestamps."""
        for response, timestamp in answers:
            self._add(response, timestamp)

    def tick(self, now: int) -> None:
        if self._since is not None:
            nexts = {window: (now // window.width + 1) * window.width for window in self._windows}
            self._since = nexts | {window: self._since[window] for window in nexts if window in self._since}
        elif self._counted:
            self._since = dict.fromkeys(self._windows, 0)

    def _add(self, response: Response, timestamp: int) -> None:
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
                survey = old.series[0].survey
                scale = SURVEYS[survey]
                if new.score in scale.scores:
                    groups = scale.group(old.score), scale.group(new.score)
                    self.corrections[f"{scale.name}_corrections_total", survey, *groups] += 1
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
                and counted.minute * MINUTE >= (0 if self._since is None else self._since.get(window, inf))
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
