"""The API docs at ``/docs``: OpenAPI with Swagger UI, served from the program itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import swagger_ui_bundle
from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.static_files import create_static_files_router
from msgspec import Struct

from streams import events
from streams.events import Marker, Touchpoint
from web.alerts import STATUS, Notification
from web.bounces import Bounce
from web.collect import MAX_ITEMS, ItemError, Told
from web.edge import Edge
from web.pending import Given, Scored

SWAGGER = Path(next(iter(swagger_ui_bundle.__path__))) / "vendor" / "swagger-ui-4.15.5"
# What the collector fills in, so that nobody has to send it.
_OPTIONAL = {"event_id", "occurred_at", "response_id", "marker_id", "at"}
_REF = "#/components/schemas/{name}"
_NULL = {"type": "null"}
_BODIES: dict[str, Any] = {
    "/v1/touchpoints": Touchpoint,
    "/v1/events": Told,
    "/v1/responses": events.Response,
    "/v1/markers": Marker,
    "/v1/bounces": Bounce,
    "/v1/alerts": Notification,
    "/v1/pending/{token}": Scored,
    "/v1/pending/{token}/{step}": Given,
}
_TYPED = {"/v1/events"}  # named by their ``type``, which elsewhere goes without saying
_ALONE = {"/v1/alerts", "/v1/pending/{token}", "/v1/pending/{token}/{step}"}  # not in an array


class Errors(Struct):
    """Why a request was refused; for a body one error per item, with its first wrong field."""

    errors: list[ItemError]


@get("/docs", media_type=MediaType.HTML, include_in_schema=False)
async def get_docs(request: Request[Any, Any, Any]) -> Response[str]:
    headers = {
        "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    }
    return Response(request.app.state.pages.render("docs.html"), media_type=MediaType.HTML, headers=headers)


@get("/docs/openapi.json", include_in_schema=False)
async def get_openapi(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """Litestar's schema of the routes, with what the handlers check and answer themselves."""
    edge: Edge = request.app.state.edge
    schema = request.app.openapi_schema.to_schema()
    kinds = [*_BODIES.values(), Errors]
    (*bodies, errors), components = msgspec.json.schema_components(kinds, ref_template=_REF)
    schema["components"] = {"schemas": {name: _without_required(one) for name, one in components.items()}}
    refused = {"description": "Refused, or failed for now", "content": {"application/json": {"schema": errors}}}
    choices = {
        "survey": edge.surveys,
        "window": edge.windows,
        "dimension": edge.dimensions.names,
        "status": STATUS,
    }
    for path, operations in schema["paths"].items():
        for operation in operations.values() if path.startswith("/v1/") else ():
            operation["responses"].pop("400", None)
            operation["responses"]["default"] = refused
            for parameter in operation.get("parameters", []):
                if parameter["name"] in choices:
                    parameter["schema"] = {"type": "string", "enum": list(choices[parameter["name"]])}
    components["Response"]["properties"]["survey_id"] = {"type": "string", "enum": list(edge.surveys)}
    for path, body in zip(_BODIES, bodies, strict=True):
        if path in schema["paths"]:  # not in a worker without the collector
            one = {"allOf": [body, {"required": ["type"]}]} if path in _TYPED else body
            several = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_ITEMS}
            content = {"application/json": {"schema": one if path in _ALONE else {"oneOf": [one, several]}}}
            schema["paths"][path]["post"]["requestBody"] = {"required": True, "content": content}
    return Response({**_as_openapi_3_0(schema), "openapi": "3.0.3"})


def swagger_files() -> Any:
    return create_static_files_router(path="/docs/ui", directories=[SWAGGER], include_in_schema=False)


def _without_required(schema: dict[str, Any]) -> dict[str, Any]:
    required = [name for name in schema.get("required", []) if name not in _OPTIONAL and name != "type"]
    return {**schema, "required": required}


def _as_openapi_3_0(node: Any) -> Any:
    """What Swagger UI can read: 3.0 says otherwise that a value may be null, and nothing of the names in a map."""
    if isinstance(node, list):
        return [_as_openapi_3_0(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {key: _as_openapi_3_0(value) for key, value in node.items() if key != "propertyNames"}
    if _NULL in found.get("anyOf", []):
        found |= {"anyOf": [one for one in found["anyOf"] if one != _NULL], "nullable": True}
    return found


handlers: list[HTTPRouteHandler] = [get_docs, get_openapi]
