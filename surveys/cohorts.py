"""Who was invited when, and who of them answered: told by what an event changes in a contact's state.

An answer belongs to the time of its invitation, so that never more have answered than were invited.
"""

from __future__ import annotations

from collections.abc import Iterator

from streams.times import MINUTE
from surveys.contacts import ContactState

INVITED, ANSWERED = "invited", "answered"
Change = tuple[str, str, int]  # INVITED or ANSWERED, the survey, the minute of the invitation


def changes(before: ContactState, after: ContactState) -> Iterator[Change]:
    """One for each invitation, and for each first answer to one, that the state before did not know of."""
    for survey, at in after.asked.items():
        new = at > before.asked.get(survey, -1)
        if new:
            yield INVITED, survey, at // MINUTE
        if after.answered.get(survey, -1) >= at and (new or before.answered.get(survey, -1) < at):
            yield ANSWERED, survey, at // MINUTE
