"""A survey as one customer reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from streams.events import SurveyRequest
from surveys.survey import Survey
from surveys.wording import Words, choose, direction


@dataclass(frozen=True, slots=True)
class Edition:
    """The words of a survey in the customer's language; ``words`` has those of the further questions too."""

    language: str
    words: Words

    @property
    def direction(self) -> Literal["ltr", "rtl"]:
        return direction(self.language)


def edition(survey: Survey, request: SurveyRequest, browser: Iterable[str] = ()) -> Edition:
    """In the contact's language, else the first of the browser's that the survey speaks, else the survey's own."""
    language = choose(survey.languages, [request.contact.locale or "", *browser])
    return Edition(language, survey.words(language))
