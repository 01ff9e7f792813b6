"""The HTTP edge as one application: routes, errors, headers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from jinja2 import Environment, PackageLoader, select_autoescape
from litestar import Litestar, Request, Response, Router
from litestar.datastructures import CacheControlHeader, State
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.static_files import create_static_files_router
from litestar.types import Message, Scope

from streams.errors import LivenpsError
from web import docs
from web.alerts import get_timeline, post_alerts, post_markers
from web.bounces import post_bounces
from web.branding import get_logo, get_style
from web.changes import get_changes
from web.collect import BadItems, ItemError, post_events, post_responses, post_touchpoints
from web.decisions import get_decisions
from web.edge import Edge, guard
from web.ops import get_healthz, get_metrics, get_readyz
from web.pending import get_pending, get_script, post_answers, post_declined, post_score, sharing
from web.scores import get_live, get_page, get_scores
from web.survey import (
    get_decline,
    get_open_survey,
    get_question,
    get_survey,
    get_thanks,
    get_unsubscribe,
    post_decline,
    post_open_survey,
    post_question,
    post_survey,
    post_thanks,
    post_unsubscribe,
)
from web.trend import get_trend

MAX_BODY = 1 << 20

log = structlog.get_logger(__name__)


class Pages:
    """The HTML templates; everything put into them is escaped."""

    def __init__(self) -> None:
        loader = PackageLoader("web", "templates")
        self._templates = Environment(loader=loader, autoescape=select_autoescape(["html"]), trim_blocks=True)

    def render(self, template: str, **facts: Any) -> str:
        return self._templates.get_template(template).render(facts)


def create(edge: Edge) -> Litestar:
    """The application. Everything behind ``guard`` needs a key, or loopback where no keys are configured."""
    guarded: list[HTTPRouteHandler] = [*docs.handlers]
    public: list[HTTPRouteHandler] = [get_healthz, get_readyz]
    if "collect" in edge.roles:
        guarded += [post_touchpoints, post_events, post_responses, post_bounces, post_alerts, post_markers]
        public += [get_open_survey, post_open_survey, get_survey, post_survey, get_question, post_question]
        public += [get_thanks, post_thanks]
        public += [get_decline, post_decline, get_unsubscribe, post_unsubscribe, get_style, get_logo]
        public += [get_script, get_pending, post_score, post_answers, post_declined]
    if "export" in edge.roles:
        guarded += [get_scores, get_live, get_page, get_timeline, get_trend, get_changes, get_decisions]
        public += [get_metrics]
    files = create_static_files_router(
        path="/static",
        directories=[Path(__file__).with_name("static")],
        include_in_schema=False,
        cache_control=CacheControlHeader(no_cache=True),  # modules import each other without a version
    )
    return Litestar(
        route_handlers=[
            Router("/", route_handlers=guarded, guards=[guard]),
            *public,
            files,
            docs.swagger_files(),
        ],
        state=State({"edge": edge, "pages": Pages()}),
        openapi_config=OpenAPIConfig(title="livenps", version="1", path="/docs/litestar", render_plugins=[]),
        exception_handlers={
            BadItems: _bad_items,
            LivenpsError: _failed,
            HTTPException: _refused,
            Exception: _broken,
        },
        before_send=[_headers, sharing(edge.site)],
        request_max_body_size=MAX_BODY,
        logging_config=None,
    )


def _bad_items(_: Request[Any, Any, Any], error: BadItems) -> Response[dict[str, Any]]:
    return _errors(400, error.errors)


def _refused(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    detail = error.detail or "refused"
    if error.status_code == 413:
        detail = f"the body is larger than {MAX_BODY} bytes"
    reply = _errors(error.status_code, [ItemError(0, "", detail)])
    reply.headers.update(error.headers or {})
    return reply


def _failed(_: Request[Any, Any, Any], error: LivenpsError) -> Response[dict[str, Any]]:
    if error.retriable:
        return _errors(503, [ItemError(0, "", str(error))], {"retry-after": "1"})
    log.error("request failed", error=str(error))
    return _errors(500, [ItemError(0, "", "the state cannot be used, see the log")])


def _broken(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    log.exception("request failed", path=request.url.path, exc_info=error)
    return _errors(500, [ItemError(0, "", "an internal error, see the log")])


def _errors(
    status: int, errors: list[ItemError], headers: dict[str, str] | None = None
) -> Response[dict[str, Any]]:
    return Response({"errors": errors}, status_code=status, headers=headers)


_SECURITY = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}


async def _headers(message: Message, _: Scope) -> None:
    """Every page may load from the program alone, and may not be framed."""
    if message["type"] != "http.response.start":
        return
    headers = list(message.get("headers", []))
    present = {name.lower() for name, _ in headers}
    headers += [(k.encode(), v.encode()) for k, v in _SECURITY.items() if k.encode() not in present]
    message["headers"] = headers
