"""The answers' state as the design has it, in plain Python: what the scripts have to come to, whatever happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from scoring.scales import SCORES, Scale
from scoring.segments import Series
from scoring.windows import Window
from streams.answers import AnswersPlan
from streams.events import encode
from streams.store import (
    Applied,
    Batch,
    Behind,
    Claimed,
    Count,
    Fenced,
    Lost,
    Outcome,
    Repeated,
    RolledBack,
    Token,
)
from streams.times import DAY, MINUTE

Histograms = dict[Series, list[int]]


class Counted(NamedTuple):
    """Where one answer counts."""

    minute: int
    score: int
    series: tuple[Series, ...]


class Entry(NamedTuple):
    """What the index remembers of a response id, and which answer it stands for."""

    version: int
    day: int
    answer: int


@dataclass
class Model:
    """One partition of the answers lane. ``leased`` tells whether the owner's lease still runs."""

    offset: int | None = None
    timestamp: int = 0
    until: int | None = None
    seq: int = 0
    owner: Token | None = None
    leased: bool = False
    answers: list[Counted] = field(default_factory=list)  # the forgotten ones too
    index: dict[str, Entry] = field(default_factory=dict)
    first: list[Counted] = field(default_factory=list)
    counts: Counter[Count] = field(default_factory=Counter)
    outbox: list[list[tuple[str, str, bytes]]] = field(default_factory=list)
    begins: dict[Window, float] = field(default_factory=dict)  # the oldest bucket that a window's sum holds
    folded: bool = False  # whether a tick has seen answers
    newest: int = 0
    newest_of: dict[str, int] = field(default_factory=dict)  # survey -> minute

    @classmethod
    def of(cls, plan: AnswersPlan) -> Model:
        """One that has counted this and nothing else, in no window."""
        model = cls()
        model._apply(plan, [], 0)
        return model

    # the fence

    def claim(self, token: Token, *, leased: bool) -> Claimed | Fenced:
        if not self._own(token, leased=leased, claiming=True):
            return Fenced()
        return Claimed(self.offset, self.timestamp)

    def begin(self, token: Token, seq: int | None, offset: int, until: int, *, leased: bool) -> Outcome:
        outcome = self._fence(token, seq, leased=leased)
        if outcome == Applied():
            self.seq += 1
            if self.offset is None:
                self.offset, self.until = offset, until if offset < until else None
        return outcome

    def hold(self, token: Token, seq: int | None, *, leased: bool) -> Outcome:
        return self._fence(token, seq, leased=leased)

    def commit(
        self,
        token: Token,
        seq: int | None,
        batch: Batch,
        plan: AnswersPlan,
        windows: Sequence[Window],
        now: int,
        *,
        leased: bool,
    ) -> Outcome:
        outcome = self._fence(token, seq, leased=leased, batch=batch)
        if outcome == Applied():
            self.seq += 1
            self._apply(plan, windows, now)
            self.offset, self.timestamp = batch.end, batch.timestamp
            if self.until is not None and self.offset >= self.until:
                self.until = None
        return outcome

    def tick(
        self, token: Token, seq: int | None, windows: Sequence[Window], now: int, remember: int, *, leased: bool
    ) -> Outcome:
        outcome = self._fence(token, seq, leased=leased)
        if outcome == Applied():
            self.seq += 1
            self._tick(windows, now, (now - remember) // DAY)
        return outcome

    def _own(self, token: Token, *, leased: bool, claiming: bool = False) -> bool:
        owner = self.owner
        better = owner is not None and owner.owner != token.owner and owner.generation >= token.generation
        if better and (not claiming or self.leased):
            return False
        self.owner, self.leased = token, leased
        return True

    def _fence(self, token: Token, seq: int | None, *, leased: bool, batch: Batch | None = None) -> Outcome:
        if not self._own(token, leased=leased):
            return Fenced()
        if batch is not None:
            if self.offset is None:
                return Lost()
            if self.offset != batch.start:
                return Repeated() if self.offset >= batch.end else Behind(self.offset)
        if seq is not None and seq != self.seq:
            return RolledBack()
        return Applied()

    # what is counted

    def _apply(self, plan: AnswersPlan, windows: Sequence[Window], now: int) -> None:
        longest = max(windows, key=lambda window: window.length, default=None)
        returned = []
        for answer in plan.answers:
            self.newest = max(self.newest, answer.minute)
            new = Counted(answer.minute, answer.score, plan.feeds[answer.feed])
            survey = new.series[0].survey
            self.newest_of[survey] = max(self.newest_of.get(survey, 0), answer.minute)
            known = self.index.get(answer.response_id)
            if known is None:
                self.index[answer.response_id] = Entry(answer.version, answer.day, len(self.answers))
                self.answers.append(new)
                self.first.append(new)
                if longest and bucket(longest, new.minute) < longest.first(now):
                    self.counts["livenps_late_responses_total",] += 1
                if answer.answered:
                    one = answer.answered
                    returned.append((one.topic, one.key, encode(one.event)))
            elif answer.version >= known.version:
                old = self.answers[known.answer]
                if not answer.timed:
                    new = new._replace(minute=old.minute)
                if new != old:
                    self._correct(old, new, plan.scales)
                self.answers[known.answer] = new
                self.index[answer.response_id] = known._replace(version=answer.version)
        if returned:
            self.outbox.append(returned)
        self.counts.update(plan.counts)

    def _correct(self, old: Counted, new: Counted, scales: Mapping[str, Scale]) -> None:
        for series in old.series:
            scale = scales[series.survey]
            kind = "_segment_corrections_total" if series.dimension else "_corrections_total"
            labels = series if series.dimension else (series.survey,)
            if new.score in scale.scores:
                groups = scale.group(old.score), scale.group(new.score)
                self.counts[f"{scale.name}{kind}", *labels, *groups] += 1

    def _tick(self, windows: Sequence[Window], now: int, before: int) -> None:
        if self.answers:
            begins = {window: self._begin(window, now) for window in windows}
            for window in windows:
                behind = max(window.bucket(now), bucket(window, self.newest)) + 1
                # A clock that goes back brings nothing back.
                begins[window] = max(min(begins[window], behind), window.first(now))
            self.begins, self.folded = begins, True
        self.index = {id_: entry for id_, entry in self.index.items() if entry.day >= before}

    def _begin(self, window: Window, now: int) -> float:
        """The oldest bucket that a window counts: none, where it was added to counts."""
        return self.begins.get(window, inf if self.folded else window.first(now))

    # what can be read

    def held_all(self) -> Histograms:
        return histograms(self.answers)

    def held_first(self) -> Histograms:
        return histograms(self.first)

    def held(self, window: Window, now: int = 0) -> Histograms:
        """What a window counts; at ``now``, where that is ahead of the last tick."""
        first = max(window.first(now), self._begin(window, now))
        return histograms(answer for answer in self.answers if bucket(window, answer.minute) >= first)

    def buckets(self, window: Window) -> dict[int, Histograms]:
        numbers = {bucket(window, answer.minute) for answer in self.answers}
        return {
            number: histograms(answer for answer in self.answers if bucket(window, answer.minute) == number)
            for number in numbers
            if window in self.begins and number >= self.begins[window]
        }

    def entries(self) -> dict[str, tuple[int, int, Counted]]:
        """Version, day of arrival and place of every answer that the index remembers."""
        return {id_: (entry.version, entry.day, self.answers[entry.answer]) for id_, entry in self.index.items()}


def bucket(window: Window, minute: int) -> int:
    return window.bucket(minute * MINUTE)


def histograms(answers: Iterable[Counted]) -> Histograms:
    found: Histograms = {}
    for answer in answers:
        for series in answer.series:
            found.setdefault(series, [0] * SCORES)[answer.score] += 1
    return found
