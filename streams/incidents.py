"""The incidents lane's rule: alerts become incidents that open and are resolved; markers stand beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from streams.events import Alert, Event, Explanation, Marker
from streams.store import Batch, Plan, Refused
from streams.times import rfc3339, to_ms


class Incident(Struct, frozen=True, kw_only=True):
    """One firing of an alert. The explanation is that of its opening: what people were woken by."""

    incident_id: str
    labels: dict[str, str]
    annotations: dict[str, str]
    opened_at: str
    resolved_at: str | None
    explanation: Explanation | None


@dataclass(slots=True)
class IncidentsPlan(Plan):
    """What is kept, by id."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    markers: dict[str, Marker] = field(default_factory=dict)


class KeepIncidents:
    """Pure: an alert that fires again is the same incident while it has the same start."""

    types = (Alert, Marker)
    max_records = 500

    def key(self, event: Event) -> str:
        return event.alert_id if isinstance(event, Alert) else event.marker_id  # type: ignore[attr-defined]

    def decide(self, batch: Batch, known: Mapping[str, Incident], now: int) -> IncidentsPlan:
        plan = IncidentsPlan()
        for item in batch.items:
            if undated := undated_because(item.event):
                plan.refused.append(Refused(item, "invalid", undated))
            elif isinstance(item.event, Marker):
                plan.markers[item.event.marker_id] = item.event
            elif isinstance(item.event, Alert):
                id_ = incident_id(item.event)
                plan.incidents[id_] = _after(plan.incidents.get(id_) or known.get(id_), item.event, id_)
        return plan


def undated_because(event: Event) -> str:
    """What is wrong with its times; nothing where each of them is an instant between 1970 and 9999."""
    times = {"at": event.at} if isinstance(event, Marker) else {}
    if isinstance(event, Alert):
        times = {"starts_at": event.starts_at, "ends_at": event.ends_at or event.starts_at}
    for name, time in times.items():
        try:
            to_ms(time)
        except (ValueError, OverflowError) as error:
            return f"{name}: {error}"
    return ""


def incident_id(alert: Alert) -> str:
    return f"{alert.alert_id}-{to_ms(alert.starts_at)}"


def _after(before: Incident | None, alert: Alert, id_: str) -> Incident:
    resolved = rfc3339(to_ms(alert.ends_at)) if alert.status == "resolved" and alert.ends_at is not None else None
    return Incident(
        incident_id=id_,
        labels=alert.labels,
        annotations=alert.annotations,
        opened_at=rfc3339(to_ms(alert.starts_at)),
        # Alertmanager tells it at least once, and a late repeat opens nothing again.
        resolved_at=resolved or (before.resolved_at if before else None),
        explanation=before.explanation if before and before.explanation else alert.explanation,
    )
