"""What one partition of the customer lane counts to steer its samples, and the rates that follow from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scoring.moments import Moments
from scoring.segments import OTHER, Dimensions
from streams.events import Answered, Contact, Scalar, Verdict
from streams.times import DAY, SECOND, to_ms
from surveys import reasons
from surveys.sampling import Counts, rate
from surveys.survey import Survey

ELIGIBLE, DRAWN, ANSWERED = "eligible", "drawn", "answered"
MOST = 100  # segments that are counted of a survey in one period; the others are one
HELD = (reasons.NOT_SAMPLED, reasons.CAP_SURVEY, reasons.CAP_ALL)  # of who could be asked, and was not


class Round(NamedTuple):
    """A survey in one of its periods. ``kept`` is for how long (s) its counts are asked for."""

    survey: str
    period: int
    kept: int


class Cell(NamedTuple):
    """What is counted of a segment: ``ELIGIBLE``, ``DRAWN``, ``ANSWERED``, or the answers of one score."""

    round: Round
    segment: str
    what: str


class Steered:
    """The surveys whose rates are steered, each partition towards its part of the answers that are wanted."""

    def __init__(self, surveys: Sequence[Survey], dimensions: Dimensions, partitions: int) -> None:
        self.surveys = {survey.id: survey for survey in surveys if survey.sampling}
        self.partitions = partitions
        self._dimensions = dimensions

    def rounds(self, now: int) -> list[Round]:
        """What rates are made of at ``now`` (ms): of each survey this period and the one before."""
        return [_round(one, now, back) for one in self.surveys.values() for back in (0, 1)]

    def segments(self, contact: Contact, properties: Mapping[str, Scalar]) -> dict[str, str]:
        """By dimension, as the answer will be counted in."""
        return self._dimensions.segments({**contact.traits, **properties})


class Draws:
    """The counts of one partition, which go on while it decides on a batch at ``now`` (ms).

    ``added`` is what is new. Who could be asked is told apart by id, in ``eligible``, and counts once in a period.
    """

    def __init__(self, steered: Steered, known: Mapping[Cell, int], now: int) -> None:
        self._steered = steered
        self._counts = Counter(known)
        self._segments: dict[Round, set[str]] = {round_: set() for round_ in steered.rounds(now)}
        for cell in known:
            self._segments.setdefault(cell.round, set()).add(cell.segment)
        self.added: Counter[Cell] = Counter()
        self.eligible: dict[Cell, set[str]] = {}

    def rate(self, survey: Survey, contact: Contact, properties: Mapping[str, Scalar], now: int) -> float:
        """At which rate this customer is asked; properties of what happened go before what is known of them."""
        if not survey.sampling:
            return survey.sample
        here, before = _round(survey, now), _round(survey, now, 1)
        segment = self._segment(survey, here, self._steered.segments(contact, properties))
        elapsed = now % survey.sample_period / survey.sample_period
        counts = self._of(survey, here, segment), self._of(survey, before, segment)
        return rate(survey.sampling, survey.scale, *counts, elapsed, self._steered.partitions)

    def decided(
        self,
        customer_id: str,
        contact: Contact,
        properties: Mapping[str, Scalar],
        verdicts: Sequence[Verdict],
        at: int,
    ) -> None:
        """Count what was decided on a customer at ``at`` (ms)."""
        if not self._steered.surveys:
            return
        for verdict in verdicts:
            survey, drawn = self._steered.surveys.get(verdict.survey_id), verdict.decision != "not_asked"
            if survey and (drawn or verdict.reason in HELD):
                segments = self._steered.segments(contact, properties)
                self._met(survey, segments, customer_id, at)
                if drawn:
                    self._add(survey, segments, DRAWN, at)

    def answered(self, event: Answered) -> None:
        """Count the first answer to an invitation."""
        if survey := self._steered.surveys.get(event.survey_id):
            at = to_ms(event.occurred_at)
            self._add(survey, event.segments, ANSWERED, at)
            if event.score is not None:
                self._add(survey, event.segments, str(event.score), at)

    def _met(self, survey: Survey, segments: Mapping[str, str], customer_id: str, at: int) -> None:
        cell = self._cell(survey, segments, ELIGIBLE, at)
        if cell:
            self.eligible.setdefault(cell, set()).add(customer_id)

    def _add(self, survey: Survey, segments: Mapping[str, str], what: str, at: int) -> None:
        cell = self._cell(survey, segments, what, at)
        if cell:
            self._counts[cell] += 1
            self.added[cell] += 1

    def _cell(self, survey: Survey, segments: Mapping[str, str], what: str, at: int) -> Cell | None:
        """Where something counts; nowhere in a period that makes no rate any more."""
        round_ = _round(survey, at)
        return Cell(round_, self._segment(survey, round_, segments), what) if round_ in self._segments else None

    def _segment(self, survey: Survey, round_: Round, segments: Mapping[str, str]) -> str:
        """The segment that counts: "" where there is none, and ``OTHER`` where there are too many."""
        segment = segments.get(survey.sampling.dimension, "") if survey.sampling else ""
        known = self._segments.setdefault(round_, set())
        if segment not in known and len(known) >= MOST:
            return OTHER
        known.add(segment)
        return segment

    def _of(self, survey: Survey, round_: Round, segment: str) -> Counts:
        eligible, drawn, answered = (
            self._counts[Cell(round_, segment, what)] for what in (ELIGIBLE, DRAWN, ANSWERED)
        )
        values = Moments()
        for score in survey.scale.scores:
            value, n = survey.scale.value(score), self._counts[Cell(round_, segment, str(score))]
            values += Moments(n, n * value, n * value**2)
        return Counts(eligible, drawn, answered, values)


def _round(survey: Survey, at: int, back: int = 0) -> Round:
    period = survey.sample_period
    return Round(survey.id, at // period - back, (2 * period + DAY) // SECOND)
