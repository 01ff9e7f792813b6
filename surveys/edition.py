"""A survey as one customer reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from streams.events import SurveyRequest
from surveys.personal import personal
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


def edition(survey: Survey, request: SurveyRequest, brand: str, browser: Iterable[str] = ()) -> Edition:
    """In the contact's language, else the first of the browser's that the survey speaks, else the survey's own.

    Raises WordsFailed where a word cannot be put together for this customer.
    """
    contact = request.contact
    language = choose(survey.languages, [contact.locale or "", *browser])
    known = {**contact.traits, **request.properties}
    values = {name: known.get(name) for name in survey.variables} | {"name": contact.name, "brand": brand}
    return Edition(language, personal(survey.words(language), values))
