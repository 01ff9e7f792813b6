"""Surveys on the operator's own site and in its app: what waits for a visitor, and what becomes of the answers.

The rules are those of the survey page; `web/visit.py` does the work of both: looking answers nothing, every
answer is written as it is given, and each reply says what is asked next, so that nobody else has to know the
branches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import structlog
from litestar import Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import (
    ClientException,
    HTTPException,
    NotAuthorizedException,
    NotFoundException,
    PermissionDeniedException,
)
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.types import Message, Scope
from msgspec import Meta, Struct, field

from streams.events import AnswerValue, Id, Name
from streams.times import to_ms
from surveys.contacts import ContactState, waits
from surveys.personal import WordsFailed
from surveys.questions import COMMENT, RATINGS, InvalidAnswer, Kind, Question, Values
from surveys.wording import filled
from web.collect import BadItems, ItemError, explained
from web.edge import Edge
from web.links import BadLink, ExpiredLink
from web.site import Site
from web.visit import SCORE, Visit, answer, decline, find, finish, opened, read_score

PATH = "/v1/pending"
SCRIPT = Path(__file__).with_name("embed") / "livenps.js"
MAX_BODY = 1 << 16
SHOWN = 5  # surveys that one reply names at most
PREFLIGHT_S = 7200  # how long a browser need not ask again whether it may

WORDS = (
    "question",
    "low",
    "high",
    "send",
    "skip",
    "decline",
    "close",
    "several",
    "poor",
    "excellent",
    "limit",
    "failed",
    "code",
    "code_soon",
)

Asking = Request[Any, Any, Any]
Reply = Response[Any]

log = structlog.get_logger(__name__)


class Card(Struct):
    """One survey as its customer reads it. ``id`` never changes; ``token`` answers it."""

    id: str
    survey_id: str
    token: str
    language: str
    direction: str
    scores: Sequence[int]
    words: Mapping[str, str]


class Option(Struct):
    id: str
    text: str


class Step(Struct, omit_defaults=True):
    """What is asked next. ``answers`` has what was answered to it before.

    ``ratings`` are those of each option; ``scores`` are of a further score, ``low`` and ``high`` its ends.
    """

    id: str
    kind: Kind
    text: str
    hint: str = ""
    options: list[Option] = field(default_factory=list)
    ratings: Sequence[int] = ()
    scores: Sequence[int] = ()
    low: str = ""
    high: str = ""
    answers: dict[str, AnswerValue] = field(default_factory=dict)


class Thanks(Struct):
    """The end. ``code`` is null where one is due and not known yet: the page at ``link`` will show it."""

    title: str
    text: str
    code: str | None
    link: str


class Next(Struct, omit_defaults=True):
    """What follows an answer: one more question, or the end."""

    question: Step | None = None
    thanks: Thanks | None = None


class Scored(Struct, forbid_unknown_fields=True):
    """The answer to the scored question, on its survey's scale."""

    score: int


Value = Annotated[str, Meta(max_length=10_000)] | int | Annotated[list[Id], Meta(max_length=50)] | None
Given = Annotated[dict[Name, Value], Meta(max_length=50)]


def known_origin(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """Let in pages of the configured origins, and whatever is no page: browsers say where a page comes from."""
    edge: Edge = connection.app.state.edge
    origin = connection.headers.get("origin")
    if origin is not None and origin not in edge.site.origins:
        raise PermissionDeniedException("pages of this origin may not ask; name it in [web] origins")


def sharing(site: Site) -> Callable[[Message, Scope], Awaitable[None]]:
    """Headers with which a browser lets pages of the configured origins read the replies (CORS), errors too."""

    async def share(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start" or not scope["path"].startswith(PATH):
            return
        given = dict(scope["headers"])
        origin = given.get(b"origin", b"")
        headers = [*message.get("headers", []), (b"vary", b"Origin"), (b"cache-control", b"no-store")]
        if origin.decode("latin-1") in site.origins:
            headers.append((b"access-control-allow-origin", origin))
            if b"access-control-request-method" in given:
                headers += _PREFLIGHT
        message["headers"] = headers

    return share


_PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", str(PREFLIGHT_S).encode()),
]
_OPTIONS: Any = {"guards": [known_origin], "tags": ["site and app"]}
_POST: Any = {**_OPTIONS, "status_code": 200, "request_max_body_size": MAX_BODY}


@get("/livenps.js", include_in_schema=False)
async def get_script(request: Asking) -> Response[bytes]:
    """What shows the card; any site may load it, and only pages of the configured origins are told something."""
    headers = {"cache-control": "public, max-age=3600", "cross-origin-resource-policy": "cross-origin"}
    return Response(SCRIPT.read_bytes(), media_type="text/javascript", headers=headers)


@get(PATH, summary="What waits for a visitor", **_OPTIONS)
async def get_pending(request: Asking, customer_id: FromQuery[str]) -> Reply:
    """The surveys that wait for this customer, the newest first, usually none or one.

    Who is there is shown by `Authorization: Bearer <signature>`, the HMAC-SHA-256 of the customer id under
    `LIVENPS_WEB_SECRET`, in hexadecimal. An anonymous visitor is `visitor-` and 32 random hexadecimal digits.
    """
    if not 1 <= len(customer_id) <= 200:
        raise ClientException("customer_id: expected 1 to 200 characters")
    edge: Edge = request.app.state.edge
    scheme, _, signature = request.headers.get("authorization", "").partition(" ")
    if not edge.site.knows(customer_id, signature.strip() if scheme.lower() == "bearer" else ""):
        raise NotAuthorizedException("expected a signature that shows that it is this customer")
    state, since = await edge.contact(customer_id), edge.clock() - edge.site.show_for
    # What was offered to an anonymous visitor is the customer's since the two are known to be one.
    offered = await asyncio.gather(*(edge.requests.offered(one, since) for one in (customer_id, *state.merged)))
    found = await asyncio.gather(*(_open(request, state, id_) for ids in offered for id_ in ids))
    newest = sorted(filter(None, found), key=lambda visit: to_ms(visit.asked.request.due_at), reverse=True)[:SHOWN]
    await asyncio.gather(*(opened(request, visit) for visit in newest))
    branding = {"brand": edge.brand, "logo": edge.branding.logo is not None, **edge.branding.accents}
    return Response({"pending": [_card(visit) for visit in newest], "branding": branding})


@post(f"{PATH}/{{token:str}}", summary="Answer the scored question", **_POST)
async def post_score(request: Asking, token: FromPath[str]) -> Reply:
    """Counts at once. The reply says what is asked next; sent again, within an hour, it changes the score."""
    visit = await _visit(request, token)
    score = read_score(str((await _body(request, Scored)).score), visit.survey.scale)
    if score is None:
        lowest, highest = visit.survey.scale.lowest, visit.survey.scale.highest
        raise _refused("$.score", f"Expected {lowest} to {highest}")
    answers = await answer(request, visit, {SCORE: score})
    return await _next(request, visit, score, visit.survey.further(score, answers))


@post(f"{PATH}/{{token:str}}/{{step:str}}", summary="Answer a further question", **_POST)
async def post_answers(request: Asking, token: FromPath[str], step: FromPath[str]) -> Reply:
    """By the question's id, of a rating by `question.item`; `{}` answers nothing, and takes back what was said."""
    visit = await _visit(request, token)
    score = visit.score
    if score is None:
        raise HTTPException("expected the score first", status_code=409)
    steps = [question for question, _ in visit.survey.further(score, visit.asked.answers)]
    question = next((one for one in steps if one.id == step), None)
    if question is None:
        raise NotFoundException(f"expected one of {', '.join(one.id for one in steps)}")
    given = await _body(request, Given)
    if unknown := sorted(given.keys() - question.keys.keys()):
        raise _refused(f"$.{unknown[0]}", f"Expected some of {', '.join(question.keys)}")
    try:
        read = question.read(_values(given))
    except InvalidAnswer as error:
        raise _refused("$", "Expected what the question offers") from error
    answers = await answer(request, visit, question.replaced(read))
    further = visit.survey.further(score, answers)
    place = [one.id for one, _ in further].index(step)
    return await _next(request, visit, score, further[place + 1 :])


@post(f"{PATH}/{{token:str}}/decline", summary="Close a survey without an answer", **_POST)
async def post_declined(request: Asking, token: FromPath[str]) -> Reply:
    """Not shown again; who has answered declines nothing."""
    visit = await _visit(request, token)
    if visit.score is None:
        await decline(request, visit)
    return Response({})


async def _open(request: Asking, state: ContactState, request_id: str) -> Visit | None:
    """Who is offered this; None where nothing is left to ask, or nothing can be said."""
    edge: Edge = request.app.state.edge
    try:
        visit = await find(request, edge.links.token(request_id))
    except ExpiredLink:
        return None
    except WordsFailed as error:  # delivery refuses such a request: only a change of the configuration leads here
        log.warning("survey cannot be shown", error=str(error))
        return None
    return visit if visit.asked.answered_at is None and waits(visit.asked.request, state) else None


def _card(visit: Visit) -> Card:
    words = visit.edition.words
    return Card(
        id=visit.asked.request.request_id,
        survey_id=visit.survey.id,
        token=visit.token,
        language=visit.edition.language,
        direction=visit.edition.direction,
        scores=[*visit.survey.scale.scores],
        words={word: words[word] for word in WORDS},
    )


async def _visit(request: Asking, token: str) -> Visit:
    """Who came by a token, and may still answer. Raises HTTPException."""
    try:
        visit = await find(request, token)
    except ExpiredLink as error:
        raise HTTPException(str(error), status_code=410) from error
    except BadLink as error:
        raise NotFoundException("expected a token of GET /v1/pending") from error
    if visit.used:
        raise HTTPException("answered, and the time is over in which that can be changed", status_code=410)
    return visit


async def _next(
    request: Asking, visit: Visit, score: int, further: Sequence[tuple[Question, dict[str, AnswerValue]]]
) -> Reply:
    if further:
        question, answers = further[0]
        return Response(Next(question=_step(visit, score, question, answers)))
    edge: Edge = request.app.state.edge
    title, text = visit.thanks(score)
    code = await finish(request, visit)
    link = f"{edge.links.link(visit.asked.request.request_id)}/thanks"
    return Response(Next(thanks=Thanks(title, text, code, link)))


def _step(visit: Visit, score: int, question: Question, answers: dict[str, AnswerValue]) -> Step:
    words = visit.edition.words
    return Step(
        id=question.id,
        kind=question.kind,
        text=visit.wording(question, score),
        hint=filled(words["counted"], score=score) if question.id == COMMENT else "",
        options=[Option(option, words[f"{question.id}.{option}"]) for option in question.options],
        ratings=[*RATINGS] if question.kind == "rating" else (),
        scores=[*question.scale.scores] if question.scale else (),
        low=words.get(f"{question.id}.low", ""),
        high=words.get(f"{question.id}.high", ""),
        answers=answers,
    )


async def _body(request: Asking, kind: Any) -> Any:
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except msgspec.ValidationError as error:
        raise _refused(*explained(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused("$", str(error)) from error


def _values(given: Mapping[str, Value]) -> Values:
    """What was sent, as a form has it."""

    def values(key: str) -> list[str]:
        value = given.get(key)
        if value is None:
            return []
        return [str(one) for one in value] if isinstance(value, list) else [str(value)]

    return values


def _refused(path: str, message: str) -> BadItems:
    return BadItems([ItemError(0, path, message)])
