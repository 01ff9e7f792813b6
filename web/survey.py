"""The survey page behind a personal link: the score, then an open question worded for its group.

Looking never counts: mail scanners follow links. Only the form's POST does.
"""

from __future__ import annotations

from typing import Any

from litestar import HttpMethod, MediaType, Request, Response, post, route
from litestar.params import FromPath, FromQuery

from scoring.scales import Scale
from sinks.redis.requests import Asked
from streams.events import Response as Answer
from streams.events import Scalar, SurveyRequest, encode
from streams.times import from_ms
from streams.topics import RESPONSES
from surveys.survey import Survey
from web.edge import Edge
from web.links import BadLink, ExpiredLink, Receipt

MAX_COMMENT = 2_000


@route("/s/{token:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], include_in_schema=False)
async def get_survey(
    request: Request[Any, Any, Any], token: FromPath[str], score: FromQuery[str] = ""
) -> Response[str]:
    """The question, with a score chosen but not sent where the link has one."""
    found = await _open(request, token)
    if isinstance(found, Response):
        return found
    return _question(request, token, found[1], chosen=_score(score, found[1].scale))


@post("/s/{token:str}", include_in_schema=False)
async def post_survey(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[str]:
    """Count the score at once; the comment is a newer version of the same answer."""
    found = await _open(request, token)
    if isinstance(found, Response):
        return found
    asked, survey = found
    score = _score(str((await request.form()).get("score", "")), survey.scale)
    if score is None:
        error = f"Please choose a number from {survey.scale.lowest} to {survey.scale.highest}."
        return _question(request, token, survey, error=error, status=400)
    edge: Edge = request.app.state.edge
    receipt = Receipt(asked.request.request_id, score, edge.clock())
    await _publish(edge, asked.request, receipt, comment="")
    # Marked after it is written: a crash in between lets a second try correct the answer, and loses nothing.
    await edge.requests.mark_answered(receipt.request_id)
    return _page(
        request,
        "followup.html",
        question=survey.words[survey.scale.group(score)],
        action=f"/s/{token}/comment",
        receipt=edge.links.receipt(receipt),
        score=score,
    )


@post("/s/{token:str}/comment", include_in_schema=False)
async def post_comment(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[str]:
    edge: Edge = request.app.state.edge
    form = await request.form()
    try:
        receipt = edge.links.read_receipt(str(form.get("receipt", "")))
        same = edge.links.request_id(token) == receipt.request_id
    except BadLink as error:
        return _problem(request, error)
    found = await edge.requests.find(receipt.request_id) if same else None
    survey = edge.surveys.get(found.request.survey_id) if found else None
    if found is None or survey is None:
        return _problem(request, BadLink("the link is not valid"))
    # Browsers count a line break as one character, and send two.
    comment = str(form.get("comment", "")).replace("\r\n", "\n").strip()[:MAX_COMMENT]
    if comment:
        await _publish(edge, found.request, receipt, comment)
    return _page(request, "thanks.html", message=survey.words["thanks"])


async def _open(request: Request[Any, Any, Any], token: str) -> tuple[Asked, Survey] | Response[str]:
    """The request behind a link, or the page that says why there is none."""
    edge: Edge = request.app.state.edge
    try:
        asked = await edge.requests.find(edge.links.request_id(token))
    except BadLink as error:
        return _problem(request, error)
    survey = edge.surveys.get(asked.request.survey_id) if asked else None
    if asked is None or survey is None:
        return _problem(request, ExpiredLink("the survey is over"))
    if asked.answered:
        return _page(
            request,
            "problem.html",
            status=410,
            title="You have already answered",
            message="Thank you, your answer is here. A link counts once.",
        )
    return asked, survey


async def _publish(edge: Edge, asked: SurveyRequest, receipt: Receipt, comment: str) -> None:
    answer = Answer(
        response_id=asked.request_id,
        survey_id=asked.survey_id,
        customer_id=asked.customer_id,
        score=receipt.score,
        comment=comment,
        attributes=_attributes(edge, asked),
        answered_at=from_ms(receipt.answered_at),
        updated_at=from_ms(max(edge.clock(), receipt.answered_at)),
        channel=asked.channel,
    )
    await edge.publish([(RESPONSES, answer.response_id, encode(answer))])


def _attributes(edge: Edge, asked: SurveyRequest) -> dict[str, Scalar]:
    """The dimensions as they were when the customer was asked: the request's properties over the contact's."""
    known = {**asked.contact.attributes, **asked.properties}
    return {one.name: known[one.name] for one in edge.dimensions.single if known.get(one.name) is not None}


def _score(text: str, scale: Scale) -> int | None:
    return next((score for score in scale.scores if str(score) == text), None)


def _question(
    request: Request[Any, Any, Any],
    token: str,
    survey: Survey,
    *,
    chosen: int | None = None,
    error: str | None = None,
    status: int = 200,
) -> Response[str]:
    return _page(
        request,
        "survey.html",
        status=status,
        words=survey.words,
        scores=survey.scale.scores,
        action=f"/s/{token}",
        chosen=chosen,
        error=error,
    )


def _problem(request: Request[Any, Any, Any], error: BadLink) -> Response[str]:
    if isinstance(error, ExpiredLink):
        title, message, status = "This survey is over", "The link has expired. Thank you all the same!", 410
    else:
        title, message, status = (
            "This link does not work",
            "Please open it again from the message we sent you.",
            404,
        )
    return _page(request, "problem.html", status=status, title=title, message=message)


def _page(request: Request[Any, Any, Any], template: str, *, status: int = 200, **facts: Any) -> Response[str]:
    brand = request.app.state.edge.brand
    html = request.app.state.pages.render(template, brand=brand, **facts)
    headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
    return Response(html, status_code=status, media_type=MediaType.HTML, headers=headers)
