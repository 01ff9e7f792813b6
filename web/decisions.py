"""What was decided on a customer lately, with the rule that made each decision."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.exceptions import ClientException
from litestar.params import FromQuery, QueryParameter

from web.edge import Edge

MOST = 100


@get("/v1/decisions", summary="The newest decisions on a customer, with their reasons", tags=["out"])
async def get_decisions(
    request: Request[Any, Any, Any],
    customer_id: FromQuery[str],
    limit: Annotated[int, QueryParameter(ge=1, le=MOST)] = 20,
) -> Response[dict[str, Any]]:
    """Newest first, each with a verdict per survey.

    The newest 200,000 decisions of the customer's partition are looked through, back to ``searched_from``;
    ``complete`` says that there are no older ones. `livenps explain` looks further back.
    """
    if not 1 <= len(customer_id) <= 200:
        raise ClientException("customer_id: expected 1 to 200 characters")
    edge: Edge = request.app.state.edge
    return Response((await edge.decisions(customer_id, limit)).told())
