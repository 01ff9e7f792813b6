"""Who is asked, and which rule said so."""

from typing import Any

import pytest

from streams.events import Contact, SurveyRequest, Verdict
from streams.times import DAY, HOUR, Duration, from_ms
from surveys import reasons
from surveys.contacts import ContactState, scheduled
from surveys.decide import Decided, cancelled, decide, decide_ask, decided_before, request_id
from surveys.hours import Sending
from surveys.rules import Rules
from surveys.sampling import sampled
from surveys.settle import LATE, settle, settled_before
from surveys.survey import Exclude, Filter, Survey
from tests.make import NOW, ask, contact, rules, survey, touchpoint


def verdict(one: Survey, state: ContactState | None = None, now: int = NOW, **fields: Any) -> tuple[str, str]:
    """Decision and reason of a single survey on a touchpoint."""
    decided = decide(rules(one), touchpoint(**fields), state or ContactState(), now)
    [only] = decided.verdicts
    return only.decision, only.reason


def waiting(survey_id: str = "nps", id_: str = "request", due_at: int = NOW) -> SurveyRequest:
    return SurveyRequest(
        request_id=id_,
        survey_id=survey_id,
        customer_id="c1",
        channel="log",
        state="scheduled",
        decided_at=from_ms(due_at - HOUR),
        due_at=from_ms(due_at),
        contact=Contact(),
    )


def settled_now(
    one: Rules, state: ContactState, request: SurveyRequest | None = None
) -> tuple[ContactState, Verdict]:
    """The state after a scheduled ask that is due was settled, and the verdict."""
    verdict = settle(one, request or waiting(), state, NOW)
    assert isinstance(verdict, Verdict)
    return settled_before(one, state, verdict, NOW), verdict


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
        (survey(), contact(asked={"nps": NOW - 30 * DAY + 1}), {}, "quiet_period_survey"),
        (survey(), contact(asked={"other": NOW - 7 * DAY + 1}), {}, "quiet_period_all"),
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
        (survey(), contact(asked={"nps": NOW - 30 * DAY}), {}),
        (survey(), contact(asked={"other": NOW - 7 * DAY}), {}),
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
    assert [invitation.survey_id for invitation in decided.invitations] == ["first"]


def test_a_scheduled_survey_keeps_the_others_quiet_too() -> None:
    surveys = (survey("later", delay=Duration(HOUR)), survey("now"))
    assert reasons_of(decide(rules(*surveys), touchpoint(), ContactState(), NOW)) == {
        "later": "delay",
        "now": "quiet_period_all",
    }


def test_a_clock_that_steps_back_does_not_end_a_quiet_period() -> None:
    state = contact(asked={"nps": NOW})
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
        (contact(asked={"nps": NOW - DAY}), NOW, "quiet_period_survey"),
        (contact(asked={"other": NOW - DAY}), NOW, "quiet_period_all"),
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
    state, settled = settled_now(one, scheduled(contact(), "nps", "request"))
    assert (settled.decision, settled.reason, settled.request_id) == ("asked", "due", "request")
    assert state == contact(asked={"nps": NOW})


def test_asks_are_remembered_one_by_one_where_a_limit_counts_them() -> None:
    counting = rules(survey(), at_most=2)
    state, _ = settled_now(counting, scheduled(contact(recent={"a": 1, "b": 2}), "nps", "request"))
    assert state.recent == {"b": 2, "request": NOW}
    decided = decide(counting, touchpoint(), contact(), NOW)
    assert list(decided.state.recent.values()) == [NOW]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (contact(unsubscribed=True), "unsubscribed"),
        (contact(bounced="ann@example.com"), "no_address"),
        (contact(asked={"other": NOW - DAY}), "quiet_period_all"),
        (contact(asked={"nps": NOW - DAY}), "quiet_period_survey"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_due_ask_is_weighed_once_more(state: ContactState, reason: str) -> None:
    one = rules(survey(delay=Duration(HOUR), channel="mail"))
    after, settled = settled_now(one, scheduled(state, "nps", "request"))
    assert (settled.decision, settled.reason, settled.request_id) == ("not_asked", reason, "request")
    assert after == state


def test_a_due_ask_of_a_survey_that_is_gone_is_cancelled() -> None:
    after, settled = settled_now(rules(survey()), scheduled(contact(), "gone", "request"), waiting("gone"))
    assert (settled.decision, settled.reason) == ("not_asked", "unknown_survey")
    assert after.pending == {}


def test_a_cancelled_ask_does_not_keep_anyone_quiet() -> None:
    one = rules(survey(delay=Duration(HOUR), channel="mail"))
    state, _ = settled_now(one, scheduled(contact(None), "nps", "request"))
    known = contact("new@example.com", asked=state.asked, pending=state.pending)
    assert reasons_of(decide(one, touchpoint(), known, NOW)) == {"nps": "delay"}


def test_two_that_wait_do_not_wait_for_each_other() -> None:
    both = rules(survey("a", delay=Duration(HOUR)), survey("b", delay=Duration(HOUR)))
    state = contact(pending={"a": "ra", "b": "rb"})
    state, first = settled_now(both, state, waiting("a", "ra"))
    state, second = settled_now(both, state, waiting("b", "rb"))
    assert [(one.decision, one.reason) for one in (first, second)] == [
        ("asked", "due"),
        ("not_asked", "quiet_period_all"),
    ]
    assert (state.asked, state.pending) == ({"a": NOW}, {})


@pytest.mark.parametrize(("late", "reason"), [(LATE, "due"), (LATE + 1, "too_late")])
def test_what_nobody_settled_for_a_day_is_not_sent(late: int, reason: str) -> None:
    state = scheduled(contact(), "nps", "request")
    _, settled = settled_now(rules(survey()), state, waiting(due_at=NOW - late))
    assert settled.reason == reason


@pytest.mark.parametrize(("ago", "reason"), [(8 * DAY - HOUR, "due"), (8 * DAY - HOUR + 1, "too_late")])
def test_what_may_wait_for_a_week_is_late_after_that(ago: int, reason: str) -> None:
    """A state that was lost and filled again knows when it was due first, an hour after it was decided."""
    patient = rules(survey(defer=Duration(7 * DAY)))
    state = scheduled(contact(), "nps", "request")
    _, settled = settled_now(patient, state, waiting(due_at=NOW - ago))
    assert settled.reason == reason


# cancel events

RETURNED = "Order Returned"


def test_a_cancel_event_names_the_scheduled_asks_of_its_surveys() -> None:
    one = rules(survey(cancel=[RETURNED]), survey("other"), survey("third", cancel=["Refunded", RETURNED]))
    state = contact(pending={"nps": "r1", "other": "r2"})
    assert cancelled(one, RETURNED, state) == {"nps": "r1"}
    assert cancelled(one, "Refunded", state) == {}


def test_what_was_cancelled_is_settled_so_when_it_is_due() -> None:
    state, settled = settled_now(rules(survey()), contact())
    assert (settled.decision, settled.reason, settled.request_id) == ("not_asked", "cancelled", "request")
    assert state == contact()


def test_a_later_ask_of_the_survey_outlives_the_one_that_was_cancelled() -> None:
    again = scheduled(contact(), "nps", "later")
    state, settled = settled_now(rules(survey()), again)
    assert settled.reason == "cancelled"
    assert state == again
    before = Verdict(survey_id="nps", decision="not_asked", reason="cancelled", request_id="request")
    assert settled_before(rules(survey()), again, before, NOW) == again


# a survey that is gone from the configuration


@pytest.mark.parametrize("decision", ["asked", "scheduled"])
def test_what_was_decided_for_a_survey_that_is_gone_is_carried_through(decision: Any) -> None:
    """An ask that is nowhere scheduled would stay pending, and keep the customer quiet for ever."""
    before = [Verdict(survey_id="gone", decision=decision, reason="delay", request_id="r", due_at=from_ms(NOW))]
    decided = decided_before(rules(survey()), before, NOW, {}, contact())
    assert [(one.survey_id, one.channels, one.request_id) for one in decided.invitations] == [
        ("gone", ("log",), "r")
    ]
    assert (list(decided.state.pending), list(decided.state.asked)) == (
        ([], ["gone"]) if decision == "asked" else (["gone"], [])
    )


def test_every_reason_is_a_label_of_its_own_and_told_in_words() -> None:
    names = {getattr(reasons, name) for name in vars(reasons) if name.isupper() and name != "WORDS"}
    assert set(reasons.WORDS) == names
    assert len(set(reasons.WORDS.values())) == len(names)


def test_without_a_quiet_period_over_all_one_surveys_wait_leaves_the_others_free() -> None:
    free = rules(survey("later", delay=Duration(HOUR)), survey("now"), quiet_period=0)
    decided = decide(free, touchpoint("e1"), ContactState(), NOW)
    assert [verdict.decision for verdict in decided.verdicts] == ["scheduled", "asked"]


# waiting for a limit's end


@pytest.mark.parametrize(
    ("one", "state", "reason", "until"),
    [
        (
            survey(defer=Duration(30 * DAY)),
            contact(asked={"nps": NOW - DAY}),
            "quiet_period_survey",
            NOW + 29 * DAY,
        ),
        (survey(defer=Duration(6 * DAY)), contact(asked={"other": NOW - DAY}), "quiet_period_all", NOW + 6 * DAY),
        (survey(defer=Duration(7 * DAY)), contact(pending={"other": "r"}), "quiet_period_all", NOW + 7 * DAY),
        (
            survey(defer=Duration(9 * DAY), delay=Duration(8 * DAY)),
            contact(asked={"other": NOW - DAY}),
            "quiet_period_all",
            NOW + 8 * DAY,
        ),
    ],
)
def test_an_ask_waits_for_the_end_of_the_last_limit(
    one: Survey, state: ContactState, reason: str, until: int
) -> None:
    [only] = decide(rules(one), touchpoint(), state, NOW).verdicts
    assert (only.decision, only.reason, only.due_at) == ("scheduled", reason, from_ms(until))


def test_an_ask_that_would_wait_too_long_is_dropped() -> None:
    one = survey(defer=Duration(6 * DAY - 1))
    assert verdict(one, contact(asked={"other": NOW - DAY})) == ("not_asked", "quiet_period_all")


def test_who_is_not_in_the_sample_does_not_wait() -> None:
    one = survey(defer=Duration(60 * DAY), sample=0.0)
    assert verdict(one, contact(asked={"other": NOW - DAY})) == ("not_asked", "not_sampled")


def test_a_deferred_ask_waits_on_where_another_was_sent_in_between() -> None:
    """Up to as long as it may wait from its occasion on, which was an hour ago."""
    both = rules(survey(defer=Duration(7 * DAY)), survey("other"))
    state = contact(asked={"other": NOW - 2 * HOUR}, pending={"nps": "request"})
    assert settle(both, waiting(), state, NOW) == NOW + 7 * DAY - 2 * HOUR
    longest = contact(asked={"other": NOW - HOUR}, pending={"nps": "request"})
    assert settle(both, waiting(), longest, NOW) == NOW + 7 * DAY - HOUR
    later = contact(asked={"other": NOW - HOUR + 1}, pending={"nps": "request"})
    refused = settle(both, waiting(), later, NOW)
    assert isinstance(refused, Verdict)
    assert (refused.decision, refused.reason) == ("not_asked", "quiet_period_all")


# exclusions


def test_who_is_excluded_is_not_asked_and_what_waits_for_them_is_not_sent() -> None:
    excluding = rules(survey(), exclude=Exclude(domains=["example.com"]))
    assert reasons_of(decide(excluding, touchpoint(), contact(), NOW)) == {"nps": "excluded_domain"}
    _, settled = settled_now(excluding, scheduled(contact(), "nps", "request"))
    assert settled.reason == "excluded_domain"
    assert reasons_of(decide_ask(excluding, ask("nps"), contact(), NOW)) == {"nps": "excluded_domain"}


# sending hours

NIGHT = Sending("20:00-22:00")  # it is noon


def test_outside_the_sending_hours_an_ask_waits_for_them() -> None:
    [only] = decide(rules(survey(sending=NIGHT)), touchpoint(), ContactState(), NOW).verdicts
    assert (only.decision, only.reason, only.due_at) == ("scheduled", "sending_hours", from_ms(NOW + 8 * HOUR))


def test_the_hours_of_a_survey_stand_in_place_of_those_over_all() -> None:
    noon = Sending("12:00-13:00")
    decided = decide(
        rules(survey(sending=noon), survey("b"), quiet_period=0, sending=NIGHT), touchpoint(), contact(), NOW
    )
    assert reasons_of(decided) == {"nps": "triggered", "b": "sending_hours"}


def test_where_the_contact_lives_counts() -> None:
    tokyo = ContactState(contact=Contact(timezone="Asia/Tokyo"))  # where it is nine in the evening
    assert verdict(survey(sending=NIGHT), tokyo) == ("asked", "triggered")


def test_a_delay_and_a_limit_end_before_the_hours_open() -> None:
    one = survey(sending=NIGHT, delay=Duration(11 * HOUR), defer=Duration(7 * DAY))
    [delayed] = decide(rules(one), touchpoint(), contact(), NOW).verdicts
    assert (delayed.reason, delayed.due_at) == ("delay", from_ms(NOW + 32 * HOUR))
    [deferred] = decide(rules(one), touchpoint(), contact(asked={"other": NOW - DAY}), NOW).verdicts
    assert (deferred.reason, deferred.due_at) == ("quiet_period_all", from_ms(NOW + 6 * DAY + 8 * HOUR))


def test_what_is_due_outside_the_hours_waits_on() -> None:
    state = scheduled(contact(), "nps", "request")
    assert settle(rules(survey(sending=NIGHT)), waiting(), state, NOW) == NOW + 8 * HOUR
    _, settled = settled_now(rules(survey(sending=Sending("12:00-12:01"))), state)
    assert settled.reason == "due"


# the weight of the sample


def test_who_is_in_a_sample_stands_for_those_who_are_not() -> None:
    customer = next(f"c{n}" for n in range(99) if sampled(f"c{n}", "nps", 0.25, NOW))
    for one, decision in (
        (survey(sample=0.25), "asked"),
        (survey(sample=0.25, delay=Duration(HOUR)), "scheduled"),
    ):
        decided = decide(rules(one), touchpoint(customer=customer), ContactState(), NOW)
        [verdict], [invitation] = decided.verdicts, decided.invitations
        assert (verdict.decision, verdict.weight, invitation.weight) == (decision, 4, 4)
        changed = rules(survey(sample=0.5))  # what was decided before keeps the weight that it had
        [invitation] = decided_before(changed, [verdict], NOW, {}, ContactState()).invitations
        assert invitation.weight == 4


def test_without_a_sample_everybody_stands_for_one() -> None:
    decided = decide(rules(survey()), touchpoint(), ContactState(), NOW)
    assert [invitation.weight for invitation in decided.invitations] == [1]
