"""The survey page behind a personal link: the score, an open question worded for its group, further questions.

Looking answers nothing: mail scanners follow links. Only a form's POST does, and each leads on to the next
question by a redirect, so that going back and reloading send nothing again. Every answer is written as it is
given. That an invitation was opened is a count of its own, which scanners add to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import structlog
from litestar import HttpMethod, MediaType, Request, Response, post, route
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from msgspec.structs import replace

from scoring.scales import Scale
from sinks.redis.requests import Asked
from streams.errors import LivenpsError
from streams.events import AnswerValue, Claim, Declined, Scalar, SurveyRequest, Unsubscribed, encode
from streams.events import Response as Answer
from streams.times import from_ms
from streams.topics import INCENTIVES, RESPONSES, TOUCHPOINTS
from surveys.edition import Edition, edition
from surveys.personal import WordsFailed
from surveys.questions import COMMENT, RATINGS, InvalidAnswer, Question
from surveys.survey import Survey
from surveys.wording import SHIPPED, choose, filled, preferred, problems, standard
from web.edge import Edge
from web.links import BadLink, ExpiredLink

SCORE, THANKS = "score", "thanks"
CODE_S, LOOK_S = 3.0, 0.1  # how long the last answer waits for its code, and how often it looks
LOOKING = [HttpMethod.GET, HttpMethod.HEAD]
_PURPOSE = ("sec-purpose", "purpose")  # headers of browsers that fetch a page which may never be read

Asking = Request[Any, Any, Any]
Page = Response[Any]

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

    def lead(self, step: str = "") -> Redirect:
        """On to a further question, or back to the first one."""
        return Redirect(f"/s/{self.token}/{step}".rstrip("/"), status_code=303, headers=_HEADERS)


def _failed(request: Asking, error: LivenpsError) -> Page:
    """What cannot be written now is told as a page: a customer reads no JSON."""
    log.error("survey page failed", error=str(error))
    headers = {"retry-after": "30"} if error.retriable else {}
    return _problem(request, "unavailable", 503 if error.retriable else 500, headers=headers)


def _not_found(request: Asking, error: BadLink) -> Page:
    if isinstance(error, ExpiredLink):
        return _problem(request, "over", 410)
    return _problem(request, "broken", 404)


def _wordless(request: Asking, error: WordsFailed) -> Page:
    """Delivery refuses such a request: only a change of the configuration makes it come here."""
    log.error("survey page failed", error=str(error))
    return _problem(request, "unavailable", 500)


_PAGES: Any = {
    "include_in_schema": False,
    "exception_handlers": {BadLink: _not_found, LivenpsError: _failed, WordsFailed: _wordless},
}


@route("/s/{token:str}", http_method=LOOKING, **_PAGES)
async def get_survey(request: Asking, token: FromPath[str], score: FromQuery[str] = "") -> Page:
    """The question, with a score chosen but not sent where the link has one."""
    visit = await find(request, token)
    if visit.used:
        return _problem(request, "answered", 410, visit.edition)
    await opened(request, visit)
    picked = read_score(score, visit.survey.scale)
    return _scoring(request, visit, chosen=visit.score if picked is None else picked, picked=picked)


@post("/s/{token:str}", **_PAGES)
async def post_survey(request: Asking, token: FromPath[str]) -> Page:
    """Count the score at once; what else is answered is a newer version of the same answer."""
    visit = await find(request, token)
    if visit.used:
        return _problem(request, "answered", 410, visit.edition)
    score = read_score(str((await request.form()).get(SCORE, "")), visit.survey.scale)
    if score is None:
        return _scoring(request, visit, invalid=True)
    answers = await answer(request, visit, {SCORE: score})
    steps = [question.id for question, _ in visit.survey.further(score, answers)]
    return await _next(request, visit, steps)


@route("/s/{token:str}/{step:str}", http_method=LOOKING, **_PAGES)
async def get_question(request: Asking, token: FromPath[str], step: FromPath[str]) -> Page:
    """A further question, with what was answered to it before."""
    visit = await find(request, token)
    if visit.used:
        return _problem(request, "answered", 410, visit.edition)
    score = visit.score
    if score is not None:
        for question, answers in visit.survey.further(score, visit.asked.answers):
            if question.id == step:
                return _asking(request, visit, score, question, answers)
    return visit.lead()


@post("/s/{token:str}/{step:str}", **_PAGES)
async def post_question(request: Asking, token: FromPath[str], step: FromPath[str]) -> Page:
    """One more answer, or none: then one that was given before is taken back."""
    visit = await find(request, token)
    if visit.used:
        return _problem(request, "answered", 410, visit.edition)
    score = visit.score
    steps = [] if score is None else [question for question, _ in visit.survey.further(score, visit.asked.answers)]
    question = next((one for one in steps if one.id == step), None)
    if score is None or question is None:
        return visit.lead()
    form = await request.form()
    try:
        given = question.read(lambda key: [str(value) for value in form.getall(key, [])])
    except InvalidAnswer:
        return _asking(request, visit, score, question, {}, invalid=True)
    answers = await answer(request, visit, question.replaced(given))
    after = [one.id for one, _ in visit.survey.further(score, answers)]
    return await _next(request, visit, after[after.index(step) + 1 :])


@route("/s/{token:str}/thanks", http_method=LOOKING, **_PAGES)
async def get_thanks(request: Asking, token: FromPath[str]) -> Page:
    """The last page, worded for the group of the score where the survey does so."""
    visit = await find(request, token)
    score = visit.score
    if score is None:
        return visit.lead()
    title, message = visit.thanks(score)
    code = await _code(request, visit) if visit.survey.incentive else ""
    return _message(request, visit.edition, title, message, code=code, soon=code is None)


@post("/s/{token:str}/thanks", **_PAGES)
async def post_thanks(request: Asking, token: FromPath[str]) -> Page:
    """Claim the code once more: who came here without the last question has not yet."""
    visit = await find(request, token)
    return visit.lead() if visit.score is None else await _next(request, visit, [])


@route("/s/{token:str}/decline", http_method=LOOKING, **_PAGES)
async def get_decline(request: Asking, token: FromPath[str]) -> Page:
    """Where the mail's "not now" leads: a button, because looking declines nothing either."""
    visit = await find(request, token)
    return visit.lead() if visit.score is not None else _page(request, "decline.html", visit.edition)


@post("/s/{token:str}/decline", **_PAGES)
async def post_decline(request: Asking, token: FromPath[str]) -> Page:
    """Make known that this invitation is declined; who changes their mind can still answer."""
    visit = await find(request, token)
    if visit.score is not None:
        return visit.lead()
    await decline(request, visit)
    words = visit.edition.words
    return _message(request, visit.edition, words["declined_title"], words["declined"])


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


async def _next(request: Asking, visit: Visit, steps: Sequence[str]) -> Page:
    """On to what is left of the questions, or to the thanks: who came so far claims the code that there may be."""
    if steps:
        return visit.lead(steps[0])
    await finish(request, visit)
    return visit.lead(THANKS)


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
            while await _code(request, visit) is None:  # noqa: ASYNC110 - it comes by way of the log
                await asyncio.sleep(LOOK_S)
    return await _code(request, visit)


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


@route("/s/{token:str}/unsubscribe", http_method=LOOKING, **_PAGES)
async def get_unsubscribe(request: Asking, token: FromPath[str]) -> Page:
    """Where the mail's footer leads: a button, because looking unsubscribes nobody."""
    _, words = await _addressed(request, token)
    return _page(request, "unsubscribe.html", words)


@post("/s/{token:str}/unsubscribe", status_code=200, **_PAGES)
async def post_unsubscribe(request: Asking, token: FromPath[str]) -> Page:
    """The button, and what a mail program posts by itself (RFC 8058): who was asked is never asked again."""
    asked, words = await _addressed(request, token)
    edge: Edge = request.app.state.edge
    unsubscribed = Unsubscribed(
        event_id=f"unsubscribed:{asked.request_id}",
        customer_id=asked.customer_id,
        occurred_at=from_ms(edge.clock()),
    )
    await edge.publish([(TOUCHPOINTS, asked.customer_id, encode(unsubscribed))])
    await edge.requests.note(asked, "unsubscribed")
    return _message(request, words, words.words["unsubscribed_title"], words.words["unsubscribed"])


async def _addressed(request: Asking, token: str) -> tuple[SurveyRequest, Edition]:
    """Whom a link was sent to, however old it is, whatever became of its survey. Raises BadLink or ExpiredLink."""
    edge: Edge = request.app.state.edge
    found = await edge.requests.find(edge.links.request_id(token, whenever=True))
    if found is None:
        raise ExpiredLink("the request is not known any more")
    asked, browser = found.request, _browser(request)
    if survey := edge.surveys.get(asked.survey_id):
        with suppress(WordsFailed):
            return asked, edition(survey, asked, edge.brand, browser)
    language = choose(SHIPPED, [asked.contact.locale or "", *browser])
    return asked, Edition(language, standard("nps", language))


async def _code(request: Asking, visit: Visit) -> str | None:
    """None as long as it is not known, "" where there is none for this answer."""
    edge: Edge = request.app.state.edge
    return await edge.incentive(visit.asked.request.customer_id, visit.asked.request.request_id)


async def find(request: Asking, token: str) -> Visit:
    """Who came by a link. Raises BadLink or ExpiredLink."""
    edge: Edge = request.app.state.edge
    asked = await edge.requests.find(edge.links.request_id(token))
    survey = edge.surveys.get(asked.request.survey_id) if asked else None
    if asked is None or survey is None:
        raise ExpiredLink("the survey is over")
    now = edge.clock()
    used = asked.answered_at is not None and now - asked.answered_at >= edge.change_for
    return Visit(token, asked, survey, edition(survey, asked.request, edge.brand, _browser(request)), now, used)


def _browser(request: Asking) -> list[str]:
    return preferred(request.headers.get("accept-language", ""))


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
    return answers


def _version(edge: Edge, visit: Visit, answers: Mapping[str, AnswerValue], now: int) -> Answer:
    score: int = answers[SCORE]  # type: ignore[assignment]
    further: dict[str, AnswerValue] = {}
    for _, own in visit.survey.further(score, answers):
        further |= own
    request = visit.asked.request
    return Answer(
        response_id=request.request_id,
        survey_id=request.survey_id,
        customer_id=request.customer_id,
        score=score,
        comment=str(further.pop(COMMENT, "")),
        answers=further,
        attributes=_attributes(edge, request),
        answered_at=from_ms(now if visit.asked.answered_at is None else visit.asked.answered_at),
        updated_at=from_ms(now),
        channel=request.channel,
        weight=request.weight,
    )


def _scores(survey: Survey, version: Answer) -> Iterator[Answer]:
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


def _scoring(
    request: Asking, visit: Visit, *, chosen: int | None = None, picked: int | None = None, invalid: bool = False
) -> Page:
    scale, words = visit.survey.scale, visit.edition.words
    return _page(
        request,
        "survey.html",
        visit.edition,
        status=400 if invalid else 200,
        scores=scale.scores,
        decline=f"/s/{visit.token}/decline" if visit.score is None else "",
        chosen=chosen,
        picked="" if picked is None else filled(words["picked"], score=picked),
        error=filled(words["choose_score"], lowest=scale.lowest, highest=scale.highest) if invalid else "",
    )


def _asking(
    request: Asking,
    visit: Visit,
    score: int,
    question: Question,
    answers: Mapping[str, AnswerValue],
    *,
    invalid: bool = False,
) -> Page:
    words = visit.edition.words
    return _page(
        request,
        "question.html",
        visit.edition,
        status=400 if invalid else 200,
        question=question,
        text=visit.wording(question, score),
        answers=answers,
        ratings=RATINGS,
        counted=filled(words["counted"], score=score) if question.id == COMMENT else "",
        error=words["choose"] if invalid else "",
    )


def _problem(
    request: Asking,
    what: str,
    status: int,
    edition: Edition | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Page:
    """What is in the way, in the browser's language where nobody knows the customer's."""
    language = choose(SHIPPED, _browser(request))
    edition = edition or Edition(language, problems(language))
    title, message = edition.words[f"{what}_title"], edition.words[what]
    return _message(request, edition, title, message, status=status, headers=headers)


def _message(request: Asking, edition: Edition, title: str, message: str, **reply: Any) -> Page:
    return _page(request, "message.html", edition, title=title, message=message, **reply)


_HEADERS = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


def _page(
    request: Asking,
    template: str,
    edition: Edition,
    *,
    status: int = 200,
    headers: Mapping[str, str] = MappingProxyType({}),
    **facts: Any,
) -> Page:
    edge: Edge = request.app.state.edge
    html = request.app.state.pages.render(
        template,
        brand=edge.brand,
        logo=edge.branding.logo is not None,
        styled=edge.branding.style != "",
        language=edition.language,
        direction=edition.direction,
        words=edition.words,
        **facts,
    )
    return Response(html, status_code=status, media_type=MediaType.HTML, headers={**_HEADERS, **headers})
