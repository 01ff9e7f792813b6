"""Who is asked, and which rule said so."""

from typing import Any

import pytest

from streams.times import DAY, HOUR, Duration, from_ms
from surveys import decide as reasons
from surveys.contacts import ContactState, asked, scheduled
from surveys.decide import Decided, Rules, decide, decide_ask, request_id, settle
from surveys.survey import Filter, Survey
from tests.make import DELIVERED, NOW, ask, contact, rules, survey, touchpoint

LONG_AGO = NOW - 90 * DAY


def verdict(one: Survey, state: ContactState | None = None, now: int = NOW, **fields: Any) -> tuple[str, str]:
    """Decision and reason of a single survey on a touchpoint."""
    decided = decide(rules(one), touchpoint(**fields), state or ContactState(), now)
    [only] = decided.verdicts
    return only.decision, only.reason


def reasons_of(decided: Decided) -> dict[str, str]:
    return {verdict.survey_id: verdict.reason for verdict in decided.verdicts}


def test_a_matching_touchpoint_asks_at_once() -> None:
    decided = decide(rules(survey()), touchpoint(properties={"total": 80}), ContactState(), NOW)
    [invitation] = decided.invitations
    assert reasons_of(decided) == {"nps": "triggered"}
    assert decided.verdicts[0].request_id == invitation.request_id == request_id("nps", "c1", "e1")
    assert invitation.due_at == NOW
    assert invitation.properties == {"total": 80}
    assert decided.state.asked == {"nps": NOW}


def test_a_delay_schedules() -> None:
    decided = decide(rules(survey(delay=Duration(2 * HOUR))), touchpoint(), ContactState(), NOW)
    [only] = decided.verdicts
    assert (only.decision, only.reason) == ("scheduled", "delay")
    assert only.due_at == from_ms(NOW + 2 * HOUR)
    assert decided.invitations[0].due_at == NOW + 2 * HOUR
    assert decided.state.pending == {"nps": only.request_id}
    assert decided.state.asked == {}


@pytest.mark.parametrize(
    ("one", "state", "fields", "reason"),
    [
        (survey(trigger=None), ContactState(), {}, "no_trigger"),
        (survey(), ContactState(), {"event": "Order Placed"}, "other_event"),
        (survey(where=[Filter("total", "gt", 50)]), ContactState(), {"properties": {"total": 50}}, "filtered"),
        (survey(), ContactState(), {"at": NOW - DAY - 1}, "too_old"),
        (survey(), contact(unsubscribed=True), {}, "unsubscribed"),
        (survey(channel="mail"), contact(None), {}, "no_address"),
        (survey(channel="mail"), contact(bounced="ann@example.com"), {}, "no_address"),
        (survey(), scheduled(contact(), "nps", "r"), {}, "already_scheduled"),
        (survey(), asked(contact(), "nps", NOW - 30 * DAY + 1), {}, "quiet_period_survey"),
        (survey(), asked(contact(), "other", NOW - 7 * DAY + 1), {}, "quiet_period_all"),
        (survey(), contact(asked={"recently": NOW - DAY, "before": NOW - 8 * DAY}), {}, "quiet_period_all"),
        (survey(), scheduled(contact(), "other", "r"), {}, "quiet_period_all"),
        (survey(sample=0.0), contact(), {}, "not_sampled"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_refusal_has_its_reason(
    one: Survey, state: ContactState, fields: dict[str, Any], reason: str
) -> None:
    assert verdict(one, state, **fields) == ("not_asked", reason)


def test_a_refused_touchpoint_leaves_the_state_alone() -> None:
    state = contact(unsubscribed=True)
    assert decide(rules(survey(), survey("csat")), touchpoint(), state, NOW).state == state


@pytest.mark.parametrize(
    ("one", "state", "fields"),
    [
        (survey(where=[Filter("total", "gt", 50)]), ContactState(), {"properties": {"total": 51}}),
        (survey(), ContactState(), {"at": NOW - DAY}),
        (survey(channel="webhook"), contact(None), {}),
        (survey(channel="mail"), contact(), {}),
        (survey(), asked(contact(), "nps", NOW - 30 * DAY), {}),
        (survey(), asked(contact(), "other", NOW - 7 * DAY), {}),
    ],
)
def test_what_a_refusal_does_not_cover_is_asked(one: Survey, state: ContactState, fields: dict[str, Any]) -> None:
    assert verdict(one, state, **fields) == ("asked", "triggered")


def test_all_conditions_have_to_hold() -> None:
    one = survey(where=[Filter("total", "gt", 50), Filter("region", "exact", "eu")])
    assert verdict(one, properties={"total": 80, "region": "us"}) == ("not_asked", "filtered")
    assert verdict(one, properties={"total": 80, "region": "eu"}) == ("asked", "triggered")


def test_one_verdict_per_survey_and_the_first_that_asks_keeps_the_others_quiet() -> None:
    surveys = (
        survey("early", trigger="Order Placed"),
        survey("first"),
        survey("second"),
        survey("none", trigger=None),
    )
    decided = decide(rules(*surveys), touchpoint(), ContactState(), NOW)
    assert reasons_of(decided) == {
        "early": "other_event",
        "first": "triggered",
        "second": "quiet_period_all",
        "none": "no_trigger",
    }
    assert [invitation.survey.id for invitation in decided.invitations] == ["first"]


def test_a_scheduled_survey_keeps_the_others_quiet_too() -> None:
    surveys = (survey("later", delay=Duration(HOUR)), survey("now"))
    assert reasons_of(decide(rules(*surveys), touchpoint(), ContactState(), NOW)) == {
        "later": "delay",
        "now": "quiet_period_all",
    }


def test_a_clock_that_steps_back_does_not_end_a_quiet_period() -> None:
    state = asked(contact(), "nps", NOW)
    assert verdict(survey(), state, now=NOW - HOUR, at=NOW - HOUR) == ("not_asked", "quiet_period_survey")


def test_the_same_occasion_makes_the_same_request_and_another_another() -> None:
    ids = {
        request_id(survey_id, customer, event)
        for survey_id in ("nps", "csat")
        for customer in ("c1", "c2")
        for event in ("e1", "e2")
    }
    assert len(ids) == 8
    assert request_id("nps", "c1", "e1") in ids


# asks by hand or by schedule


def test_an_ask_needs_no_trigger() -> None:
    decided = decide_ask(rules(survey(trigger=None)), ask("nps"), ContactState(), NOW)
    assert reasons_of(decided) == {"nps": "triggered"}
    assert decided.state.asked == {"nps": NOW}


def test_an_ask_concerns_its_survey_only() -> None:
    decided = decide_ask(rules(survey("nps"), survey("csat")), ask("csat"), ContactState(), NOW)
    assert reasons_of(decided) == {"csat": "triggered"}


@pytest.mark.parametrize(
    ("state", "at", "reason"),
    [
        (contact(unsubscribed=True), NOW, "unsubscribed"),
        (asked(contact(), "nps", NOW - DAY), NOW, "quiet_period_survey"),
        (asked(contact(), "other", NOW - DAY), NOW, "quiet_period_all"),
        (contact(), NOW - 2 * DAY, "too_old"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_limit_holds_for_an_ask_too(state: ContactState, at: int, reason: str) -> None:
    assert reasons_of(decide_ask(rules(survey()), ask("nps", at=at), state, NOW)) == {"nps": reason}


def test_an_ask_for_a_survey_that_is_not_configured_is_refused() -> None:
    decided = decide_ask(rules(survey()), ask("gone"), contact(), NOW)
    assert reasons_of(decided) == {"gone": "unknown_survey"}
    assert decided.invitations == []
    assert decided.state == contact()


# settling what was scheduled


def test_a_due_ask_is_sent_and_starts_the_quiet_period() -> None:
    one = rules(survey(delay=Duration(HOUR)))
    state, settled = settle(one, "nps", "request", scheduled(contact(), "nps", "request"), NOW)
    assert (settled.decision, settled.reason, settled.request_id) == ("asked", "due", "request")
    assert state == contact(asked={"nps": NOW})


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (contact(unsubscribed=True), "unsubscribed"),
        (contact(bounced="ann@example.com"), "no_address"),
        (asked(contact(), "other", NOW - DAY), "quiet_period_all"),
        (asked(contact(), "nps", NOW - DAY), "quiet_period_survey"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_due_ask_is_weighed_once_more(state: ContactState, reason: str) -> None:
    one = rules(survey(delay=Duration(HOUR), channel="mail"))
    after, settled = settle(one, "nps", "request", scheduled(state, "nps", "request"), NOW)
    assert (settled.decision, settled.reason, settled.request_id) == ("not_asked", reason, "request")
    assert after == state


def test_a_due_ask_of_a_survey_that_is_gone_is_cancelled() -> None:
    after, settled = settle(rules(survey()), "gone", "request", scheduled(contact(), "gone", "request"), NOW)
    assert (settled.decision, settled.reason) == ("not_asked", "unknown_survey")
    assert after.pending == {}


def test_a_cancelled_ask_does_not_keep_anyone_quiet() -> None:
    one = rules(survey(delay=Duration(HOUR), channel="mail"))
    state, _ = settle(one, "nps", "request", scheduled(contact(None), "nps", "request"), NOW)
    known = contact("new@example.com", asked=state.asked, pending=state.pending)
    assert reasons_of(decide(one, touchpoint(), known, NOW)) == {"nps": "delay"}


def test_every_reason_is_a_label_of_its_own() -> None:
    names = [name for name in vars(reasons) if name.isupper()]
    assert len(names) == 14
    assert len({getattr(reasons, name) for name in names}) == len(names)
    assert DELIVERED not in names


def test_without_a_quiet_period_over_all_one_surveys_wait_leaves_the_others_free() -> None:
    free = Rules((survey("later", delay=Duration(HOUR)), survey("now")), quiet_period=0)
    decided = decide(free, touchpoint("e1"), ContactState(), NOW)
    assert [verdict.decision for verdict in decided.verdicts] == ["scheduled", "asked"]
