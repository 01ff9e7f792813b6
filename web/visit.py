"""A customer who has come to answer, by the survey page or by the API of the site and the app: both do the same.

Every answer is written as it is given, complete, and replaces the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from litestar import HttpMethod, Request
from msgspec.structs import replace

from scoring.scales import Scale
from sinks.redis.requests import Asked
from streams.errors import LivenpsError
from streams.events import AnswerValue, Claim, Contact, Declined, Response, Scalar, SurveyRequest, encode
from streams.times import from_ms
from streams.topics import INCENTIVES, RESPONSES, TOUCHPOINTS
from surveys.edition import Edition, edition
from surveys.questions import COMMENT, Question
from surveys.survey import Survey
from surveys.wording import preferred
from web.edge import Edge
from web.links import BadLink, ExpiredLink

SCORE = "score"
MAX_LABEL = 200  # characters, as of an event's
CODE_S, LOOK_S = 3.0, 0.1  # how long the last answer waits for its code, and how often it looks
_PURPOSE = ("sec-purpose", "purpose")  # headers of browsers that fetch a page which may never be read

Asking = Request[Any, Any, Any]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Visit:
    """Who came by a link, to which survey, in which words."""

    token: str
    asked: Asked
    survey: Survey
    edition: Edition
    now: int  # ms
    used: bool  # the time is over in which an answer can be changed and continued

    @property
    def score(self) -> int | None:
        return read_score(str(self.asked.answers.get(SCORE, "")), self.survey.scale)

    def thanks(self, score: int) -> tuple[str, str]:
        """Title and text of the end, worded for the group of the score where the survey does so."""
        words = self.edition.words
        return words["thanks_title"], words.get(f"thanks_{self.survey.scale.group(score)}", words["thanks"])

    def wording(self, question: Question, score: int) -> str:
        """What is asked: the open question is worded for the group of the score."""
        return self.edition.words[self.survey.scale.group(score) if question.id == COMMENT else question.id]


async def find(request: Asking, token: str) -> Visit:
    """Who came by a link. Raises BadLink or ExpiredLink."""
    edge: Edge = request.app.state.edge
    asked = await edge.requests.find(edge.links.request_id(token))
    survey = edge.surveys.get(asked.request.survey_id) if asked else None
    if asked is None or survey is None:
        raise ExpiredLink("the survey is over")
    now = edge.clock()
    used = asked.answered_at is not None and now - asked.answered_at >= edge.change_for
    return Visit(token, asked, survey, edition(survey, asked.request, edge.brand, browser(request)), now, used)


def stranger(request: Asking, survey_id: str, token: str) -> Visit:
    """Who came by a survey's plain link, with a token of their own. Raises BadLink.

    What the link says of dimensions (``?region=eu``) are the segments of the answer.
    """
    edge: Edge = request.app.state.edge
    survey = edge.surveys.get(survey_id)
    if survey is None or survey.channels != ["link"]:
        raise BadLink("no survey is answered here")
    id_, now = edge.links.request_id(token), edge.clock()
    told = {one.name: request.query_params.get(one.name, "")[:MAX_LABEL] for one in edge.dimensions.single}
    asked = SurveyRequest(
        request_id=id_,
        survey_id=survey_id,
        customer_id=f"visitor-{id_}",
        channel="link",
        state="due",
        decided_at=from_ms(now),
        due_at=from_ms(now),
        contact=Contact(),
        properties={name: value for name, value in told.items() if value},
    )
    words = edition(survey, asked, edge.brand, browser(request))
    return Visit(token, Asked(asked, None, 0, {}), survey, words, now, used=False)


async def opened(request: Asking, visit: Visit) -> None:
    """Count that an invitation was opened, unless what is fetched is nobody's to read, or not yet."""
    ahead = any("prefetch" in request.headers.get(name, "").lower() for name in _PURPOSE)
    if ahead or request.method == HttpMethod.HEAD:
        return
    edge: Edge = request.app.state.edge
    try:
        await edge.requests.note(visit.asked.request, "opened")
    except LivenpsError as error:  # for a count nobody is kept from answering
        log.warning("an opened survey is not counted", error=str(error))


async def answer(request: Asking, visit: Visit, given: Mapping[str, AnswerValue]) -> dict[str, AnswerValue]:
    """Write the answer as it is now, complete, and return all that was answered."""
    edge: Edge = request.app.state.edge
    answers: dict[str, AnswerValue] = {**visit.asked.answers, **given}
    answers = {key: value for key, value in answers.items() if value is not None}
    now = max(visit.now, visit.asked.updated_at + 1)
    version = _version(edge, visit, answers, now)
    versions = [version, *_scores(visit.survey, version)]
    await edge.publish([(RESPONSES, one.response_id, encode(one)) for one in versions])
    # Kept after it is written: a crash in between lets a second try correct the answer, and loses nothing.
    await edge.requests.keep(version.response_id, given, now)
    if visit.asked.answered_at is None:
        await edge.requests.note(visit.asked.request, "responded")
    return answers


def _version(edge: Edge, visit: Visit, answers: Mapping[str, AnswerValue], now: int) -> Response:
    score: int = answers[SCORE]  # type: ignore[assignment]
    further: dict[str, AnswerValue] = {}
    for _, own in visit.survey.further(score, answers):
        further |= own
    request = visit.asked.request
    return Response(
        response_id=request.request_id,
        survey_id=request.survey_id,
        customer_id=None if request.channel == "link" else request.customer_id,
        score=score,
        comment=str(further.pop(COMMENT, "")),
        answers=further,
        attributes=_attributes(edge, request),
        answered_at=from_ms(now if visit.asked.answered_at is None else visit.asked.answered_at),
        updated_at=from_ms(now),
        channel=request.channel,
        weight=request.weight,
    )


def _scores(survey: Survey, version: Response) -> Iterator[Response]:
    """The further scores of an answer, each as one to the survey that it counts in."""
    for question in survey.questions:
        score = version.answers.get(question.id)
        if question.survey and isinstance(score, int):
            id_ = f"{version.response_id}.{question.id}"
            yield replace(version, response_id=id_, survey_id=question.survey, score=score, comment="", answers={})


def _attributes(edge: Edge, asked: SurveyRequest) -> dict[str, Scalar]:
    """The dimensions as they were when the customer was asked: the request's properties over the contact's."""
    known = {**asked.contact.traits, **asked.properties}
    return {one.name: known[one.name] for one in edge.dimensions.single if known.get(one.name) is not None}


def read_score(text: str, scale: Scale) -> int | None:
    return next((score for score in scale.scores if str(score) == text), None)


async def finish(request: Asking, visit: Visit) -> str | None:
    """Claim the code that there may be, and return it: None where it is not known yet, "" where there is none."""
    if not visit.survey.incentive:
        return ""
    edge: Edge = request.app.state.edge
    asked = visit.asked.request
    claim = Claim(response_id=asked.request_id, survey_id=asked.survey_id, customer_id=asked.customer_id)
    await edge.publish([(INCENTIVES, asked.customer_id, encode(claim))])
    with suppress(TimeoutError):
        async with asyncio.timeout(CODE_S):
            while await code(request, visit) is None:  # noqa: ASYNC110 - it comes by way of the log
                await asyncio.sleep(LOOK_S)
    return await code(request, visit)


async def code(request: Asking, visit: Visit) -> str | None:
    """None as long as it is not known, "" where there is none for this answer."""
    edge: Edge = request.app.state.edge
    return await edge.incentive(visit.asked.request.customer_id, visit.asked.request.request_id)


async def decline(request: Asking, visit: Visit) -> None:
    """Make known that an invitation is declined; a repeat is told by its id."""
    asked = visit.asked.request
    declined = Declined(
        event_id=f"declined:{asked.request_id}",
        customer_id=asked.customer_id,
        survey_id=asked.survey_id,
        occurred_at=from_ms(visit.now),
    )
    edge: Edge = request.app.state.edge
    await edge.publish([(TOUCHPOINTS, asked.customer_id, encode(declined))])
    await edge.requests.withdraw(asked)
    await edge.requests.note(asked, "declined")


def browser(request: Asking) -> list[str]:
    return preferred(request.headers.get("accept-language", ""))
