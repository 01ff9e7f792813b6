"""The API docs at ``/docs``: OpenAPI with Swagger UI, served from the program itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import swagger_ui_bundle
from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.static_files import create_static_files_router

from streams import events
from streams.events import Event, Touchpoint

SWAGGER = Path(next(iter(swagger_ui_bundle.__path__))) / "vendor" / "swagger-ui-4.15.5"
# What the collector fills in, so that nobody has to send it.
_OPTIONAL = {"event_id", "occurred_at", "response_id"}
_BODIES: dict[str, type[Event]] = {"/v1/touchpoints": Touchpoint, "/v1/responses": events.Response}


@get("/docs", media_type=MediaType.HTML, include_in_schema=False)
async def get_docs(request: Request[Any, Any, Any]) -> Response[str]:
    headers = {
        "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    }
    return Response(request.app.state.pages.render("docs.html"), media_type=MediaType.HTML, headers=headers)


@get("/docs/openapi.json", include_in_schema=False)
async def get_openapi(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """Litestar's schema of the routes, with the bodies that the collector reads itself."""
    schema = request.app.openapi_schema.to_schema()
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    for path, kind in _BODIES.items():
        if path not in schema["paths"]:  # a worker without the collector
            continue
        (root,), defined = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
        for name, one in defined.items():
            components[name] = _without_required(one)
        content = {"schema": {"oneOf": [root, {"type": "array", "items": root, "minItems": 1, "maxItems": 1_000}]}}
        schema["paths"][path]["post"]["requestBody"] = {"required": True, "content": {"application/json": content}}
    return Response(schema)


def swagger_files() -> Any:
    return create_static_files_router(path="/docs/ui", directories=[SWAGGER], include_in_schema=False)


def _without_required(schema: dict[str, Any]) -> dict[str, Any]:
    required = [name for name in schema.get("required", []) if name not in _OPTIONAL and name != "type"]
    return {**schema, "required": required}


handlers: list[HTTPRouteHandler] = [get_docs, get_openapi]
