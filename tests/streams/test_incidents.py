"""The incidents lane's rule."""

from streams.events import Alert, Explanation, Marker
from streams.incidents import Incident, IncidentsPlan, KeepIncidents, incident_id
from streams.times import HOUR, MINUTE, from_ms
from tests.make import NOW, alert, batch

RULE = KeepIncidents()
WHY = Explanation(as_of=from_ms(NOW), window="24h", score=20.0, n=50, reference_window="30d", reference=40.0)


def only(*alerts: Alert, known: dict[str, Incident] | None = None) -> Incident:
    [incident] = RULE.decide(batch(*alerts), known or {}, NOW).incidents.values()
    return incident


def test_an_alert_that_fires_opens_an_incident_with_what_explains_it() -> None:
    fired = alert(explanation=WHY, annotations={"summary": "NPS dropped"})
    assert only(fired) == Incident(
        incident_id=f"a1-{NOW}",
        labels={"alertname": "NpsDrop", "survey": "nps"},
        annotations={"summary": "NPS dropped"},
        opened_at="2026-03-01T12:00:00Z",
        resolved_at=None,
        explanation=WHY,
    )


def test_it_is_resolved_and_keeps_the_explanation_of_its_opening() -> None:
    opened = only(alert(explanation=WHY))
    resolved = only(alert(until=NOW + HOUR), known={opened.incident_id: opened})
    assert resolved.incident_id == opened.incident_id
    assert resolved.resolved_at == "2026-03-01T13:00:00Z"
    assert resolved.explanation == WHY


def test_what_is_told_again_changes_nothing() -> None:
    later = Explanation(
        as_of=from_ms(NOW + HOUR), window="24h", score=9.0, n=1, reference_window="30d", reference=4.0
    )
    assert only(alert(explanation=WHY), alert(explanation=later)).explanation == WHY
    assert only(alert(explanation=WHY), alert(until=NOW + HOUR), alert(explanation=WHY)).resolved_at is not None


def test_the_same_alert_that_fires_again_later_is_another_incident() -> None:
    plan = RULE.decide(batch(alert(until=NOW), alert(at=NOW + HOUR)), {}, NOW)
    assert [one.resolved_at is None for one in plan.incidents.values()] == [False, True]


def test_an_end_that_comes_without_a_beginning_is_kept() -> None:
    assert only(alert(until=NOW + MINUTE)).resolved_at == "2026-03-01T12:01:00Z"


def test_times_that_are_none_are_refused_alone() -> None:
    early, late = from_ms(0).replace(year=1), 1e300
    wrong = [alert("b"), alert("c", until=NOW), Marker(marker_id="m", title="release", at=late)]
    wrong[0].starts_at = early
    wrong[1].ends_at = early
    plan = RULE.decide(batch(alert("a"), *wrong), {}, NOW)
    assert [one.item.event for one in plan.refused] == wrong
    assert {one.reason for one in plan.refused} == {"invalid"}
    assert [*plan.incidents] == [f"a-{NOW}"]
    assert not plan.markers


def test_markers_stand_beside_incidents() -> None:
    marker = Marker(marker_id="m1", title="release 4.2", at=from_ms(NOW))
    assert RULE.decide(batch(marker), {}, NOW) == IncidentsPlan(markers={"m1": marker})
    assert RULE.key(marker) == "m1"
    assert RULE.key(alert()) == "a1"
    assert incident_id(alert()) == f"a1-{NOW}"
