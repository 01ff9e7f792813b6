"""The surveys, and what holds over all: who may not be asked, when something is sent, what sending changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

from msgspec.structs import replace

from scoring.segments import Dimensions
from streams.events import Verdict
from streams.times import from_ms
from surveys import reasons
from surveys.caps import Caps, Place
from surveys.contacts import ContactState, asked, reminding
from surveys.draws import Round, Steered
from surveys.exclusions import Exclusions
from surveys.hours import next_open
from surveys.reach import unreachable
from surveys.survey import Asking, Survey

NO_DIMENSIONS = Dimensions()


@dataclass(frozen=True)
class Rules:
    """The configured surveys, and what holds over all of them; ``suppressed`` are customer ids and addresses.

    ``partitions`` are those of the customer lane, among which a daily cap is divided, and the answers that samples
    are steered towards in segments of ``dimensions``.
    """

    surveys: tuple[Survey, ...]
    asking: Asking
    suppressed: frozenset[str] = frozenset()
    partitions: int = 1
    dimensions: Dimensions = NO_DIMENSIONS

    @cached_property
    def steered(self) -> Steered:
        return Steered(self.surveys, self.dimensions, self.partitions)

    @cached_property
    def caps(self) -> Caps:
        return Caps.of(self.surveys, self.asking, self.partitions)

    def counted(self, now: int) -> tuple[list[Place], list[Round]]:
        """Which counts of a partition the rules look at: those of daily caps, and those that steer samples."""
        return self.caps.around(now), self.steered.rounds(now)

    @cached_property
    def exclusions(self) -> Exclusions | None:
        return Exclusions.of(self.asking.exclude, self.suppressed)

    @cached_property
    def passed_over(self) -> list[Verdict]:
        """What each survey says of an event that it is not triggered by: nearly every verdict is one of these."""
        return [
            not_asked(one.id, reasons.OTHER_EVENT if one.trigger else reasons.NO_TRIGGER) for one in self.surveys
        ]

    @cached_property
    def triggered(self) -> dict[str, list[tuple[int, Survey]]]:
        """By event, the surveys that it triggers, and where each of them stands among all."""
        found: dict[str, list[tuple[int, Survey]]] = {}
        for place, survey in enumerate(self.surveys):
            if survey.trigger:
                found.setdefault(survey.trigger, []).append((place, survey))
        return found

    @cached_property
    def repeated(self) -> list[Survey]:
        """The surveys that everybody is asked every so often."""
        return [survey for survey in self.surveys if survey.every]

    @cached_property
    def cancels(self) -> dict[str, list[str]]:
        """By event, the surveys whose scheduled asks it ends."""
        found: dict[str, list[str]] = {}
        for survey in self.surveys:
            for event in survey.cancel:
                found.setdefault(event, []).append(survey.id)
        return found

    def survey(self, survey_id: str) -> Survey | None:
        return next((survey for survey in self.surveys if survey.id == survey_id), None)

    def refusal(self, survey: Survey, customer_id: str, state: ContactState) -> str | None:
        """Why this customer may not be asked this survey, however long it waits."""
        if state.merged_into:
            return reasons.MERGED
        if self.exclusions and (reason := self.exclusions.reason(customer_id, state)):
            return reason
        if state.unsubscribed:
            return reasons.UNSUBSCRIBED
        if reason := unreachable(survey, self.asking, state):
            return reason
        return reasons.ALREADY_SCHEDULED if survey.id in state.pending else None

    def opens(self, survey: Survey, state: ContactState, at: int) -> int:
        """The first instant (ms) from ``at`` on that lies in the sending hours."""
        sending = survey.sending or self.asking.sending
        return next_open(sending, state.contact.timezone, at) if sending else at

    def with_reminder(self, survey: Survey, verdict: Verdict, state: ContactState, now: int) -> Verdict:
        """The verdict that sends a survey off now, with the time of its reminder where it has one."""
        if not survey.reminder:
            return verdict
        return replace(verdict, remind_at=from_ms(self.opens(survey, state, now + survey.reminder)))

    def asked(self, state: ContactState, verdict: Verdict, at: int) -> ContactState:
        """The state after a verdict of ``at`` (ms) that sent a survey off."""
        state = asked(state, verdict.survey_id, verdict.request_id or "", at, self.asking.at_most)
        return reminding(state, verdict.survey_id, at) if verdict.remind_at is not None else state


@cache
def not_asked(survey_id: str, reason: str) -> Verdict:
    """The verdict that leaves a customer alone; most say one of a few things."""
    return Verdict(survey_id=survey_id, decision="not_asked", reason=reason)
