"""Alerts come back in from Alertmanager and become incidents; people mark what they did."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import ClientException
from litestar.params import FromQuery
from msgspec import Meta, Struct, field, structs

from scoring.explanation import RECENT, REFERENCE, before, changes, parts
from streams.errors import LivenpsError
from streams.events import Alert, Explanation, Id, Marker, Name, Remark, SegmentChange, Text, encode
from streams.incidents import undated_because
from streams.times import from_ms, rfc3339, to_ms
from streams.topics import ALERTS
from web.collect import BadItems, ItemError, accepted, explained, not_future, read_items
from web.edge import Edge

SEGMENTS, COMMENTS = 10, 5
SHOWN = 200
MOST = 1_000
STATUS = ("open", "resolved")

Texts = Annotated[dict[Name, Text], Meta(max_length=100)]


class Notified(Struct):
    """One alert as Alertmanager's webhook has it."""

    status: Literal["firing", "resolved"]
    labels: Texts
    fingerprint: Id
    startsAt: Annotated[datetime, Meta(tz=True)]  # noqa: N815 - Alertmanager's name
    endsAt: Annotated[datetime, Meta(tz=True)]  # noqa: N815
    annotations: Texts = field(default_factory=dict)


class Notification(Struct):
    """The body of Alertmanager's webhook, version 4."""

    version: Literal["4"]
    alerts: list[Notified]


@post("/v1/alerts", status_code=202, summary="Alertmanager's webhook, which opens incidents", tags=["in"])
async def post_alerts(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """The webhook's body, version 4. Each alert that fires is kept with what explains it at this moment."""
    edge: Edge = request.app.state.edge
    try:
        notification = _notification.decode(await request.body())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        path, message = explained(error) if isinstance(error, msgspec.ValidationError) else ("$", str(error))
        raise BadItems([ItemError(0, path, f"no webhook of Alertmanager, version 4: {message}")]) from error
    if len(notification.alerts) > MOST:
        raise BadItems([ItemError(0, "$.alerts", f"Expected at most {MOST:,} alerts; group by more labels")])
    explanations: dict[str, Explanation | None] = {}
    alerts = []
    for number, one in enumerate(notification.alerts):
        survey = one.labels.get("survey", "") if one.status == "firing" else ""
        if survey not in explanations:
            explanations[survey] = await explanation(edge, survey)
        alert = _alert(one, explanations[survey])
        if undated := undated_because(alert):
            raise BadItems([ItemError(0, f"$.alerts[{number}]", undated)])
        alerts.append(alert)
    await edge.publish([(ALERTS, alert.alert_id, encode(alert)) for alert in alerts])
    return accepted([alert.alert_id for alert in alerts])


def _alert(one: Notified, why: Explanation | None) -> Alert:
    return Alert(
        alert_id=one.fingerprint,
        status=one.status,
        labels=one.labels,
        annotations=one.annotations,
        starts_at=one.startsAt,
        ends_at=one.endsAt if one.status == "resolved" else None,
        explanation=why,
    )


async def explanation(edge: Edge, survey: str) -> Explanation | None:
    """What explains a survey's score now; None where that cannot be told: the alert counts more."""
    if survey not in edge.surveys:
        return None
    scale = edge.surveys[survey].scale
    try:
        board = await edge.board()
        comments = await edge.comments(survey, COMMENTS)
    except LivenpsError:
        return None
    if board.recovering or not {RECENT, REFERENCE} <= board.windows.keys():
        return None
    recent, older = board.tally(survey, RECENT, scale), before(board, survey, scale)
    split = changes(board, survey, scale, edge.dimensions)
    moved = [name for name, one in split.items() if one.mix_moved]
    strongest = parts(board, survey, scale, edge.dimensions, split)[:SEGMENTS]
    return Explanation(
        metric=scale.name,
        as_of=from_ms(board.as_of),
        window=RECENT,
        score=recent.score,
        n=recent.n,
        reference_window=REFERENCE,
        reference=scale.points(older.mean) if older.n else None,
        segments=[SegmentChange(**part._asdict()) for part in strongest],
        mix_moved=moved,
        comments=[
            Remark(
                response_id=one.response_id,
                score=one.score,
                comment=one.comment,
                answered_at=datetime.fromisoformat(one.answered_at),
            )
            for one in comments
        ],
    )


@get("/v1/timeline", summary="What fired and why, and what people did", tags=["out"])
async def get_timeline(
    request: Request[Any, Any, Any],
    survey: FromQuery[str | None] = None,
    status: FromQuery[str | None] = None,
) -> Response[dict[str, Any]]:
    """The newest incidents and markers, of all surveys or of one; incidents of the pipeline have no survey."""
    edge: Edge = request.app.state.edge
    if survey is not None and survey not in edge.surveys:
        raise ClientException(f"survey: expected one of {', '.join(edge.surveys)}")
    if status not in (None, *STATUS):
        raise ClientException(f"status: expected one of {', '.join(STATUS)}")
    found = await edge.timeline()
    incidents = [
        one
        for one in found.incidents
        if status in (None, STATUS[one.resolved_at is not None]) and survey in (None, one.labels.get("survey"))
    ]
    markers = [one for one in found.markers if survey is None or one.survey_id in (None, survey)][:SHOWN]
    # An event's time may be written in several ways; what is read back is written in one.
    dated = [structs.replace(one, at=rfc3339(to_ms(one.at))) for one in markers]
    return Response({"incidents": incidents[:SHOWN], "markers": dated})


@post("/v1/markers", status_code=202, summary="Mark what was done: a release, a campaign", tags=["in"])
async def post_markers(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """One marker, or an array of up to 1,000. Required: ``title``; ``at`` is now where it is left out."""
    edge: Edge = request.app.state.edge
    now = edge.clock()

    def complete(fields: dict[str, Any]) -> None:
        fields.setdefault("marker_id", uuid4().hex)
        fields.setdefault("at", rfc3339(now))

    def check(marker: Marker) -> tuple[str, str] | None:
        if marker.survey_id is not None and marker.survey_id not in edge.surveys:
            return "$.survey_id", f"Expected one of {', '.join(edge.surveys)}, got {marker.survey_id!r}"
        return not_future({"at": marker.at}, now)

    markers = read_items(await request.body(), Marker, complete, check)
    await edge.publish([(ALERTS, one.marker_id, encode(one)) for one in markers])
    return accepted([one.marker_id for one in markers])


_notification = msgspec.json.Decoder(Notification)
