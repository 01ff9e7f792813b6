"""Invitations as delivery hands them to a channel."""

from typing import Any

from streams.delivery import Invitation
from streams.events import Contact, SurveyRequest
from streams.times import from_ms
from surveys.edition import edition
from surveys.survey import Survey
from tests.make import NOW

LINK = "https://feedback.example.com/s/abc.def-123"


def request(request_id: str = "q1", *, email: str | None = "ann@example.com", **fields: Any) -> SurveyRequest:
    """A request that is due."""
    values = {
        "survey_id": "nps",
        "customer_id": "c1",
        "channel": "mail",
        "state": "due",
        "decided_at": from_ms(NOW),
        "due_at": from_ms(NOW),
        "contact": Contact(email=email, name=fields.pop("name", None), locale=fields.pop("locale", None)),
    }
    return SurveyRequest(request_id=request_id, **{**values, **fields})


def invitation(survey: Survey | None = None, **fields: Any) -> Invitation:
    survey, due = survey or Survey(id="nps"), request(**fields)
    return Invitation(due, survey, edition(survey, due, "Our shop"), LINK)
