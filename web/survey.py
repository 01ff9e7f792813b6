"""The survey page behind a personal link: the score, an open question worded for its group, further questions.

Looking answers nothing: mail scanners follow links. Only a form's POST does, and each leads on to the next
question by a redirect, so that going back and reloading send nothing again. Every answer is written as it is
given. That an invitation was opened is a count of its own, which scanners add to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import structlog
from litestar import HttpMethod, MediaType, Response, post, route
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from streams.errors import LivenpsError
from streams.events import AnswerValue, SurveyRequest, Unsubscribed, encode
from streams.times import from_ms
from streams.topics import TOUCHPOINTS
from surveys.edition import Edition, edition
from surveys.personal import WordsFailed
from surveys.questions import COMMENT, RATINGS, InvalidAnswer, Question, Values
from surveys.wording import SHIPPED, choose, filled, problems, standard
from web.edge import Edge
from web.links import BadLink, ExpiredLink
from web.visit import (
    SCORE,
    Asking,
    Visit,
    answer,
    browser,
    code,
    decline,
    find,
    finish,
    opened,
    read_score,
    stranger,
)

THANKS, VISIT = "thanks", "visit"
LOOKING = [HttpMethod.GET, HttpMethod.HEAD]

Page = Response[Any]

log = structlog.get_logger(__name__)


def _lead(visit: Visit, step: str = "") -> Redirect:
    """On to a further question, or back to the first one."""
    return Redirect(f"/s/{visit.token}/{step}".rstrip("/"), status_code=303, headers=_HEADERS)


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
    texts = await _texts(request)
    return await _count(request, visit, read_score("".join(texts(SCORE)), visit.survey.scale))


@route("/l/{survey_id:str}", http_method=LOOKING, **_PAGES)
async def get_open_survey(request: Asking, survey_id: FromPath[str]) -> Page:
    """A survey for whoever has its plain link. Each look gets a form of its own, which counts once."""
    edge: Edge = request.app.state.edge
    return _scoring(request, stranger(request, survey_id, edge.links.token(uuid4().hex)), opens=True)


@post("/l/{survey_id:str}", **_PAGES)
async def post_open_survey(request: Asking, survey_id: FromPath[str]) -> Page:
    """The score of a stranger; from here on it is a survey like others."""
    texts = await _texts(request)
    visit = stranger(request, survey_id, "".join(texts(VISIT)))
    score = read_score("".join(texts(SCORE)), visit.survey.scale)
    if score is None:
        return _scoring(request, visit, invalid=True, opens=True)
    edge: Edge = request.app.state.edge
    await edge.requests.restore(visit.asked.request, "sent")
    known = await find(request, visit.token)
    if known.survey.id != survey_id:  # the token of an invitation, whose survey may have another scale
        raise BadLink("no look at this survey gave the form")
    return await _count(request, known, score)


async def _count(request: Asking, visit: Visit, score: int | None) -> Page:
    if visit.used:
        return _problem(request, "answered", 410, visit.edition)
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
    return _lead(visit)


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
        return _lead(visit)
    texts = await _texts(request)
    try:
        given = question.read(texts)
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
        return _lead(visit)
    title, message = visit.thanks(score)
    shown = await code(request, visit) if visit.survey.incentive else ""
    return _message(request, visit.edition, title, message, code=shown, soon=shown is None)


@post("/s/{token:str}/thanks", **_PAGES)
async def post_thanks(request: Asking, token: FromPath[str]) -> Page:
    """Claim the code once more: who came here without the last question has not yet."""
    visit = await find(request, token)
    return _lead(visit) if visit.score is None else await _next(request, visit, [])


@route("/s/{token:str}/decline", http_method=LOOKING, **_PAGES)
async def get_decline(request: Asking, token: FromPath[str]) -> Page:
    """Where the mail's "not now" leads: a button, because looking declines nothing either."""
    visit = await find(request, token)
    return _lead(visit) if visit.score is not None else _page(request, "decline.html", visit.edition)


@post("/s/{token:str}/decline", **_PAGES)
async def post_decline(request: Asking, token: FromPath[str]) -> Page:
    """Make known that this invitation is declined; who changes their mind can still answer."""
    visit = await find(request, token)
    if visit.score is not None:
        return _lead(visit)
    await decline(request, visit)
    words = visit.edition.words
    return _message(request, visit.edition, words["declined_title"], words["declined"])


async def _texts(request: Asking) -> Values:
    """What a form says by key; a file in it says nothing."""
    form = await request.form()
    return lambda key: [one for one in form.getall(key, []) if isinstance(one, str)]


async def _next(request: Asking, visit: Visit, steps: Sequence[str]) -> Page:
    """On to what is left of the questions, or to the thanks: who came so far claims the code that there may be."""
    if steps:
        return _lead(visit, steps[0])
    await finish(request, visit)
    return _lead(visit, THANKS)


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
    asked, spoken = found.request, browser(request)
    if survey := edge.surveys.get(asked.survey_id):
        with suppress(WordsFailed):
            return asked, edition(survey, asked, edge.brand, spoken)
    language = choose(SHIPPED, [asked.contact.locale or "", *spoken])
    return asked, Edition(language, standard("nps", language))


def _scoring(
    request: Asking,
    visit: Visit,
    *,
    chosen: int | None = None,
    picked: int | None = None,
    invalid: bool = False,
    opens: bool = False,
) -> Page:
    """The first question; it ``opens`` a survey where nobody was invited to it."""
    scale, words = visit.survey.scale, visit.edition.words
    return _page(
        request,
        "survey.html",
        visit.edition,
        status=400 if invalid else 200,
        scores=scale.scores,
        decline="" if opens or visit.score is not None else f"/s/{visit.token}/decline",
        visit=visit.token if opens else "",
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
    language = choose(SHIPPED, browser(request))
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
