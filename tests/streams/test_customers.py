"""The customer lane's rule."""

from typing import TypeVar

import pytest
from msgspec.structs import replace

from scoring.segments import Dimension, Dimensions
from streams.customers import CustomersPlan, DecideSurveys, Known, NothingDecided
from streams.events import (
    Answered,
    Ask,
    Contact,
    ContactRecord,
    CustomerEvent,
    DecisionRecord,
    Event,
    Identify,
    SurveyRequest,
    Unsubscribed,
    Verdict,
)
from streams.times import DAY, FUTURE, HOUR, Duration, from_ms
from streams.topics import CONTACTS, DECISIONS, REQUESTS
from surveys.contacts import ContactState, recall
from surveys.decide import request_id
from surveys.rules import Rules
from surveys.sampling import Sampling
from surveys.survey import Asking
from tests.make import NOW, ask, batch, contact, deciding, on, rules, survey, touchpoint

NOTHING = Known({}, frozenset())
AT_ONCE = deciding(survey())
RETURNED = "Order Returned"
WAITING = survey(delay=Duration(HOUR), cancel=[RETURNED])
LATER = deciding(WAITING)
ANN = Contact(email="ann@example.com")

E = TypeVar("E", bound=Event)


def decide(rule: DecideSurveys, *events: CustomerEvent, known: Known = NOTHING) -> CustomersPlan:
    return rule.decide(batch(*events, start=100, partition=3), known, NOW)


def after(plan: CustomersPlan, known: Known = NOTHING) -> Known:
    """What is known once a plan is applied."""
    return Known({**known.contacts, **plan.contacts}, known.seen | set(plan.seen))


def returned(plan: CustomersPlan, kind: type[E]) -> list[E]:
    return [outgoing.event for outgoing in plan.outgoing if isinstance(outgoing.event, kind)]


def test_a_touchpoint_returns_its_decision_and_its_request() -> None:
    plan = decide(AT_ONCE, touchpoint(properties={"total": 80}, contact=ANN))
    [record], [request] = returned(plan, DecisionRecord), returned(plan, SurveyRequest)
    id_ = request_id("nps", "c1", "e1")
    assert (record.customer_id, record.event_id, record.event) == ("c1", "e1", "Order Delivered")
    assert (record.decision_id, record.decided_at, record.settles) == ("touchpoints:3:100", from_ms(NOW), None)
    assert [(v.survey_id, v.decision, v.reason, v.request_id) for v in record.verdicts] == [
        ("nps", "asked", "triggered", id_)
    ]
    assert request == SurveyRequest(
        request_id=id_,
        survey_id="nps",
        customer_id="c1",
        channel="log",
        state="due",
        decided_at=from_ms(NOW),
        due_at=from_ms(NOW),
        contact=ANN,
        properties={"total": 80},
    )
    assert plan.due == []
    assert plan.contacts["c1"].asked == {"nps": NOW}


def test_everything_is_returned_under_the_customers_key() -> None:
    plan = decide(AT_ONCE, touchpoint(contact=ANN), touchpoint(customer="c2"))
    assert [(outgoing.topic, outgoing.key) for outgoing in plan.outgoing] == [
        (DECISIONS, "c1"),
        (REQUESTS, "c1"),
        (DECISIONS, "c2"),
        (REQUESTS, "c2"),
        (CONTACTS, "c1"),
    ]


def test_a_delayed_request_is_returned_scheduled_and_waits() -> None:
    plan = decide(LATER, touchpoint())
    [request] = returned(plan, SurveyRequest)
    assert plan.due == [request]
    assert (request.state, request.due_at) == ("scheduled", from_ms(NOW + HOUR))
    assert ("survey_requests_total", "nps", "log") not in plan.counts


def test_a_repeat_inside_a_batch_counts_once() -> None:
    plan = decide(AT_ONCE, touchpoint(), touchpoint())
    assert len(returned(plan, DecisionRecord)) == 1
    assert plan.seen == [("c1", "e1")]
    assert plan.counts["survey_touchpoints_total", "Order Delivered"] == 1


def test_a_repeat_in_a_later_batch_counts_once() -> None:
    known = after(decide(AT_ONCE, touchpoint()))
    plan = decide(AT_ONCE, touchpoint(), known=known)
    assert (plan.outgoing, plan.seen, plan.contacts, dict(plan.counts)) == ([], [], {}, {})


def test_another_customers_event_of_the_same_id_is_no_repeat() -> None:
    plan = decide(AT_ONCE, touchpoint(), touchpoint(customer="c2"))
    assert [record.customer_id for record in returned(plan, DecisionRecord)] == ["c1", "c2"]


def test_events_of_a_batch_see_what_earlier_ones_did() -> None:
    plan = decide(AT_ONCE, touchpoint("e1"), touchpoint("e2"), on(Unsubscribed, "e3"), touchpoint("e4"))
    reasons = [record.verdicts[0].reason for record in returned(plan, DecisionRecord)]
    assert reasons == ["triggered", "quiet_period_survey", "unsubscribed"]
    assert len(returned(plan, SurveyRequest)) == 1


def test_a_contact_is_returned_only_where_it_changed() -> None:
    plan = decide(AT_ONCE, on(Identify, "e1", contact=ANN), on(Identify, "e2", contact=ANN), touchpoint("e3"))
    [record] = returned(plan, ContactRecord)
    assert record == ContactRecord(customer_id="c1", updated_at=from_ms(NOW), contact=ANN)


def test_a_contact_is_returned_once_for_a_batch_as_it_is_at_its_end() -> None:
    """The topic is compacted, and a record holds all that is known: those in between would tell nobody a thing."""
    moved = Contact(email="ann@example.org", name="Ann")
    plan = decide(
        AT_ONCE, touchpoint("e1", contact=ANN), on(Identify, "e2", contact=moved), on(Unsubscribed, "e3")
    )
    [record] = returned(plan, ContactRecord)
    assert record == ContactRecord(customer_id="c1", updated_at=from_ms(NOW), contact=moved, unsubscribed=True)
    assert recall(record, ContactState()).contact == plan.contacts["c1"].contact


def test_a_contact_that_is_the_same_again_at_the_end_of_a_batch_is_not_returned() -> None:
    known = after(decide(AT_ONCE, on(Identify, "e1", contact=ANN)))
    away, back = (Contact(email=email) for email in ("new@example.com", "ann@example.com"))
    plan = decide(
        AT_ONCE,
        on(Identify, "e2", at=NOW + 1, contact=away),
        on(Identify, "e3", at=NOW + 2, contact=back),
        known=known,
    )
    assert returned(plan, ContactRecord) == []
    assert plan.contacts["c1"].updated_at == NOW + 2


def test_a_touchpoint_that_tells_and_changes_nothing_writes_no_contact() -> None:
    assert decide(AT_ONCE, touchpoint(event="Signed Up")).contacts == {}


def test_unsubscribing_is_returned_once() -> None:
    known = Known({"c1": contact()}, frozenset())
    plan = decide(AT_ONCE, on(Unsubscribed, "e1"), on(Unsubscribed, "e2"), known=known)
    assert [record.unsubscribed for record in returned(plan, ContactRecord)] == [True]


def test_states_that_did_not_change_are_not_written() -> None:
    known = Known({"c1": contact(unsubscribed=True)}, frozenset())
    assert decide(AT_ONCE, touchpoint(), known=known).contacts == {}


def test_an_ask_is_decided_like_a_touchpoint() -> None:
    plan = decide(AT_ONCE, ask("nps"), ask("gone", "e2"))
    records = returned(plan, DecisionRecord)
    assert [(record.event, record.verdicts[0].reason) for record in records] == [
        ("ask", "triggered"),
        ("ask", "unknown_survey"),
    ]
    assert [request.survey_id for request in returned(plan, SurveyRequest)] == ["nps"]


def test_what_is_counted() -> None:
    rule = deciding(survey(), survey("csat"))
    plan = decide(rule, touchpoint("e1"), touchpoint("e2", event="Signed Up"), on(Identify, "e3", contact=ANN))
    assert dict(plan.counts) == {
        ("survey_touchpoints_total", "Order Delivered"): 1,
        ("survey_touchpoints_total", "other"): 1,
        ("survey_decisions_total", "nps", "asked", "triggered"): 1,
        ("survey_decisions_total", "csat", "not_asked", "quiet_period_all"): 1,
        ("survey_decisions_total", "nps", "not_asked", "other_event"): 1,
        ("survey_decisions_total", "csat", "not_asked", "other_event"): 1,
        ("survey_requests_total", "nps", "log"): 1,
    }


@pytest.mark.parametrize("at", [1e300, -1.0, float("nan"), float("inf")])
def test_a_time_that_cannot_be_is_refused_and_the_rest_goes_on(at: float) -> None:
    bad = Ask(event_id="e1", customer_id="c1", survey_id="nps", occurred_at=at)
    plan = decide(AT_ONCE, bad, touchpoint("e2"))
    [refused] = plan.refused
    assert (refused.item.offset, refused.reason) == (100, "invalid")
    assert refused.detail.startswith("occurred_at: ")
    assert plan.seen == [("c1", "e2")]


def test_a_time_from_the_future_is_refused_as_such() -> None:
    bad = Ask(event_id="e1", customer_id="c1", survey_id="nps", occurred_at=from_ms(NOW + FUTURE + 1))
    plan = decide(AT_ONCE, bad, touchpoint("e2"))
    assert [(refused.item.offset, refused.reason) for refused in plan.refused] == [(100, "future")]
    assert plan.seen == [("c1", "e2")]


# cancelling


def test_a_cancel_event_ends_what_is_scheduled_and_the_tick_settles_it() -> None:
    first = decide(LATER, touchpoint())
    known = after(first)
    plan = decide(LATER, touchpoint("e2", event=RETURNED), known=known)
    [request] = first.due
    assert plan.cancelled == [request.request_id]
    assert plan.contacts["c1"].pending == {}
    settling = LATER.settle(0, [request], after(plan, known), NOW)
    [record], [going] = returned(settling, DecisionRecord), returned(settling, SurveyRequest)
    assert (record.settles, record.verdicts[0].reason, going.state) == (
        request.request_id,
        "cancelled",
        "cancelled",
    )


def test_a_cancel_event_in_the_same_batch_and_an_ask_after_it() -> None:
    plan = decide(LATER, touchpoint("e1"), touchpoint("e2", event=RETURNED), touchpoint("e3"))
    first, second = plan.due
    assert plan.cancelled == [first.request_id]
    assert plan.contacts["c1"].pending == {"nps": second.request_id}
    settling = LATER.settle(0, [first], after(plan), NOW)
    assert settling.verdicts[0].reason == "cancelled"
    assert settling.contacts["c1"].pending == {"nps": second.request_id}


def test_a_cancel_event_of_another_customer_ends_nothing() -> None:
    known = after(decide(LATER, touchpoint()))
    plan = decide(LATER, touchpoint("e2", customer="c2", event=RETURNED), known=known)
    assert plan.cancelled == []


# an older state


class Told(NothingDecided):
    """A log that holds how one ask was settled."""

    def __init__(self, request_id: str, verdict: Verdict) -> None:
        self.request_id = request_id
        self.record = DecisionRecord(
            decision_id=f"settled:{request_id}",
            customer_id="c1",
            event_id=request_id,
            event="due",
            decided_at=from_ms(NOW + HOUR),
            verdicts=[verdict],
            settles=request_id,
        )

    def settled(self, partition: int, request_id: str) -> DecisionRecord | None:
        return self.record if request_id == self.request_id else None


def test_what_was_sent_before_the_state_went_back_is_not_cancelled_and_keeps_the_customer_quiet() -> None:
    """The state knows the ask as scheduled, the log that it was sent."""
    first = decide(LATER, touchpoint())
    [request] = first.due
    sent = Verdict(survey_id="nps", decision="asked", reason="due", request_id=request.request_id)
    rule = DecideSurveys(rules(WAITING, survey("other", trigger=RETURNED)), Told(request.request_id, sent))
    plan = rule.decide(batch(touchpoint("e2", event=RETURNED), start=101), after(first), NOW + 2 * HOUR)
    [record] = returned(plan, DecisionRecord)
    assert [verdict.reason for verdict in record.verdicts] == ["other_event", "quiet_period_all"]
    assert plan.cancelled == []
    assert plan.contacts["c1"].asked == {"nps": NOW + HOUR}
    settling = rule.settle(0, [request], after(plan, after(first)), NOW + 2 * HOUR)
    assert returned(settling, DecisionRecord) == []
    assert settling.contacts["c1"] == plan.contacts["c1"]


class Elsewhere(NothingDecided):
    """A log that knows a decision on another customer's touchpoint at every place: the topic was made anew."""

    def made(self, partition: int, offset: int) -> DecisionRecord | None:
        asked = Verdict(survey_id="nps", decision="asked", reason="triggered", request_id="of-another")
        return DecisionRecord(
            decision_id=f"touchpoints:{partition}:{offset}",
            customer_id="another",
            event_id="e1",
            event="Order Delivered",
            decided_at=from_ms(NOW - DAY),
            verdicts=[asked],
        )


def test_a_decision_on_anothers_touchpoint_is_not_taken_over() -> None:
    plan = DecideSurveys(rules(survey()), Elsewhere()).decide(batch(touchpoint()), NOTHING, NOW)
    [record] = returned(plan, DecisionRecord)
    assert record.customer_id == "c1"
    [request] = returned(plan, SurveyRequest)
    assert request.request_id == request_id("nps", "c1", "e1")


def test_what_another_ask_was_settled_as_is_known_before_one_that_is_due_earlier() -> None:
    surveys = survey("a", delay=Duration(HOUR)), survey("b", delay=Duration(HOUR))
    sent = Verdict(survey_id="b", decision="asked", reason="due", request_id="rb")
    rule = DecideSurveys(rules(*surveys), Told("rb", sent))
    known = Known({"c1": ContactState(pending={"a": "ra", "b": "rb"})}, frozenset())
    plan = rule.settle(0, [scheduled_request("a")], known, NOW + 2 * HOUR)
    assert [verdict.reason for verdict in plan.verdicts] == ["quiet_period_all"]


# settling


def scheduled_request(id_: str) -> SurveyRequest:
    return SurveyRequest(
        request_id=f"r{id_}",
        survey_id=id_,
        customer_id="c1",
        channel="log",
        state="scheduled",
        decided_at=from_ms(NOW - DAY),
        due_at=from_ms(NOW),
        contact=ANN,
    )


def test_a_due_ask_goes_out_with_a_record_that_settles_it() -> None:
    known = after(decide(LATER, touchpoint(contact=ANN)))
    [request] = decide(LATER, touchpoint(contact=ANN)).due
    plan = LATER.settle(0, [request], known, NOW + HOUR)
    [record], [going] = returned(plan, DecisionRecord), returned(plan, SurveyRequest)
    assert plan.settled == [request.request_id]
    assert (record.settles, record.decision_id) == (request.request_id, f"settled:{request.request_id}")
    assert (record.verdicts[0].decision, record.verdicts[0].reason) == ("asked", "due")
    assert (going.state, going.contact, going.request_id) == ("due", ANN, request.request_id)
    assert plan.contacts["c1"].asked == {"nps": NOW + HOUR}
    assert plan.contacts["c1"].pending == {}
    assert plan.counts["survey_requests_total", "nps", "log"] == 1


def test_a_due_ask_goes_to_where_the_customer_is_reached_now() -> None:
    first = decide(LATER, touchpoint(contact=ANN))
    moved = decide(LATER, on(Identify, "e2", contact=Contact(email="new@example.com")), known=after(first))
    plan = LATER.settle(0, first.due, after(moved, after(first)), NOW + HOUR)
    assert [request.contact.email for request in returned(plan, SurveyRequest)] == ["new@example.com"]


def test_a_due_ask_of_who_may_not_be_asked_any_more_is_cancelled() -> None:
    first = decide(LATER, touchpoint())
    left = decide(LATER, on(Unsubscribed, "e2"), known=after(first))
    plan = LATER.settle(0, first.due, after(left, after(first)), NOW + HOUR)
    [record], [request] = returned(plan, DecisionRecord), returned(plan, SurveyRequest)
    assert (record.verdicts[0].decision, record.verdicts[0].reason) == ("not_asked", "unsubscribed")
    assert request.state == "cancelled"
    assert ("survey_requests_total", "nps", "log") not in plan.counts


def test_two_due_asks_of_one_customer_see_each_other() -> None:
    rule = deciding(survey("a"), survey("b"))
    state = ContactState(pending={"a": "ra", "b": "rb"})
    due = [scheduled_request("a"), scheduled_request("b")]
    plan = rule.settle(0, due, Known({"c1": state}, frozenset()), NOW)
    assert sum(request.state == "due" for request in returned(plan, SurveyRequest)) == 1
    assert plan.settled == ["ra", "rb"]
    assert plan.contacts["c1"].pending == {}


def test_who_is_invited_and_who_answers_is_counted_by_segment() -> None:
    """By the request's properties over the contact's attributes, as the survey's page stamps them."""
    dimensions = Dimensions((Dimension("plan"), Dimension("region"), Dimension("age", bands=(18, 25))))
    rule = DecideSurveys(rules(survey()), NothingDecided(), dimensions)
    who = Contact(email="ann@example.com", attributes={"plan": "pro", "age": 20})
    asked = decide(rule, touchpoint(contact=who, properties={"plan": "free", "total": 80}))
    invited = "survey_segment_requests_total"
    assert {count: n for count, n in asked.counts.items() if count[0] == invited} == {
        (invited, "nps", "plan", "free"): 1,
        (invited, "nps", "age", "18-24"): 1,
    }
    answered = Answered(
        event_id="answered:r1",
        customer_id="c1",
        survey_id="nps",
        occurred_at=from_ms(NOW),
        segments={"plan": "free"},
    )
    first = decide(rule, answered, known=after(asked))
    assert first.counts["survey_segment_answered_total", "nps", "plan", "free"] == 1
    again = Answered(event_id="answered:r2", customer_id="c1", survey_id="nps", occurred_at=from_ms(NOW))
    assert not decide(rule, again, known=after(first, after(asked))).counts


def test_account_and_role_are_segments_like_attributes() -> None:
    rule = DecideSurveys(
        rules(survey()), NothingDecided(), Dimensions((Dimension("account_id"), Dimension("role")))
    )
    who = Contact(account_id="a-1", role="user", attributes={"role": "an attribute of that name comes second"})
    asked = decide(rule, touchpoint(contact=who, properties={"role": "admin"}))
    invited = "survey_segment_requests_total"
    assert {count[1:] for count in asked.counts if count[0] == invited} == {
        ("nps", "account_id", "a-1"),
        ("nps", "role", "admin"),
    }


def test_a_scheduled_ask_is_counted_by_segment_when_it_goes_out() -> None:
    rule = DecideSurveys(rules(survey(delay=Duration(HOUR))), NothingDecided(), Dimensions((Dimension("plan"),)))
    who = Contact(email="ann@example.com", attributes={"plan": "pro"})
    asked = decide(rule, touchpoint(contact=who))
    count = ("survey_segment_requests_total", "nps", "plan", "pro")
    assert asked.counts[count] == 0
    assert rule.settle(3, asked.due, after(asked), NOW + HOUR).counts[count] == 1


# reminders

REMINDING = deciding(survey(reminder=Duration(5 * DAY)))
REMINDER = f"{request_id('nps', 'c1', 'e1')}-reminder"


def test_what_is_sent_off_leaves_a_reminder_that_waits() -> None:
    plan = decide(REMINDING, touchpoint(contact=ANN, properties={"total": 80}))
    invitation, waiting = returned(plan, SurveyRequest)
    [record] = returned(plan, DecisionRecord)
    assert record.verdicts[0].remind_at == from_ms(NOW + 5 * DAY)
    assert plan.due == [waiting]
    assert (waiting.request_id, waiting.reminds) == (REMINDER, invitation.request_id)
    assert (waiting.state, waiting.decided_at, waiting.due_at) == (
        "scheduled",
        from_ms(NOW),
        from_ms(NOW + 5 * DAY),
    )
    assert (waiting.contact, waiting.properties) == (ANN, {"total": 80})
    assert plan.contacts["c1"].pending == {}


def test_a_scheduled_ask_leaves_one_when_it_goes_out() -> None:
    rule = deciding(survey(delay=Duration(HOUR), reminder=Duration(5 * DAY)))
    first = decide(rule, touchpoint())
    plan = rule.settle(0, first.due, after(first), NOW + HOUR)
    [waiting] = plan.due
    assert (waiting.request_id, waiting.decided_at) == (REMINDER, from_ms(NOW + HOUR))
    assert waiting.due_at == from_ms(NOW + HOUR + 5 * DAY)


def test_a_reminder_goes_out_with_a_record_that_settles_it_and_counts_as_no_request() -> None:
    first = decide(REMINDING, touchpoint(contact=ANN))
    moved = decide(REMINDING, on(Identify, "e2", contact=Contact(email="new@example.com")), known=after(first))
    known = after(moved, after(first))
    plan = REMINDING.settle(0, first.due, known, NOW + 5 * DAY)
    [record], [going] = returned(plan, DecisionRecord), returned(plan, SurveyRequest)
    assert (record.decision_id, record.settles, record.event) == (f"settled:{REMINDER}", REMINDER, "reminder")
    assert (record.verdicts[0].decision, record.verdicts[0].reason) == ("reminded", "reminder")
    assert (going.state, going.due_at, going.contact.email) == ("due", from_ms(NOW + 5 * DAY), "new@example.com")
    assert plan.settled == [REMINDER]
    assert plan.due == []
    assert dict(plan.counts) == {("survey_decisions_total", "nps", "reminded", "reminder"): 1}
    assert plan.contacts["c1"] == replace(known.contacts["c1"], reminders={})


def test_a_reminder_for_who_answered_is_settled_and_not_sent() -> None:
    first = decide(REMINDING, touchpoint())
    answered = decide(REMINDING, on(Answered, "e2", survey_id="nps"), known=after(first))
    plan = REMINDING.settle(0, first.due, after(answered, after(first)), NOW + 5 * DAY)
    [record], [request] = returned(plan, DecisionRecord), returned(plan, SurveyRequest)
    assert (record.verdicts[0].decision, record.verdicts[0].reason) == ("not_reminded", "answered")
    assert request.state == "cancelled"
    assert plan.contacts["c1"].reminders == {}


def test_a_waiting_reminder_blocks_no_other_ask() -> None:
    rule = deciding(survey(reminder=Duration(5 * DAY)), survey("other", trigger=RETURNED), quiet_period=HOUR)
    first = decide(rule, touchpoint())
    plan = rule.decide(batch(touchpoint("e2", event=RETURNED), start=101), after(first), NOW + HOUR)
    assert [one.reason for one in plan.verdicts] == ["other_event", "triggered"]


def test_a_reminder_that_the_log_tells_of_is_not_sent_again() -> None:
    """The state is older: it still has the reminder waiting."""
    first = decide(REMINDING, touchpoint())
    sent = Verdict(survey_id="nps", decision="reminded", reason="reminder", request_id=REMINDER)
    rule = DecideSurveys(rules(survey(reminder=Duration(5 * DAY))), Told(REMINDER, sent))
    plan = rule.settle(0, first.due, after(first), NOW + 6 * DAY)
    assert returned(plan, DecisionRecord) == []
    assert plan.settled == [REMINDER]
    assert plan.contacts["c1"].reminders == {}


def test_an_invitation_that_the_log_tells_of_leaves_its_reminder_again() -> None:
    """The state is older: it still has the invitation waiting, and other rules."""
    first = decide(LATER, touchpoint())
    [request] = first.due
    sent = Verdict(
        survey_id="nps",
        decision="asked",
        reason="due",
        request_id=request.request_id,
        remind_at=from_ms(NOW + 5 * DAY),
    )
    rule = DecideSurveys(rules(WAITING), Told(request.request_id, sent))
    plan = rule.settle(0, [request], after(first), NOW + 2 * HOUR)
    [waiting] = plan.due
    assert (waiting.request_id, waiting.decided_at, waiting.due_at) == (
        REMINDER,
        from_ms(NOW + HOUR),
        from_ms(NOW + 5 * DAY),
    )
    assert plan.contacts["c1"].reminders == {"nps": NOW + HOUR}


# steered samples


class Made(NothingDecided):
    """A log that holds all the decisions that were made."""

    def __init__(self, decisions: list[DecisionRecord]) -> None:
        self.decisions = {record.decision_id: record for record in decisions}

    def made(self, partition: int, offset: int) -> DecisionRecord | None:
        return self.decisions.get(f"touchpoints:{partition}:{offset}")


def test_what_is_taken_over_from_the_log_counts_again_as_it_was_decided() -> None:
    """At another rate now: a state that was lost has the same counts then."""
    one = survey(sampling=Sampling(5.0, "plan", at_least=0.3), delay=Duration(HOUR))
    steering = Rules((one,), Asking(), dimensions=Dimensions((Dimension("plan"),)))
    events = [touchpoint(customer=f"c{n}", properties={"plan": "ab"[n % 2]}) for n in range(60)]
    first = decide(DecideSurveys(steering, NothingDecided()), *events)
    assert 0 < sum(first.drawn.values()) < 60
    assert sum(map(len, first.eligible.values())) == 60

    everybody = Rules(
        (survey(sampling=Sampling(0.1, "plan", at_least=1.0)),), Asking(), dimensions=steering.dimensions
    )
    again = decide(DecideSurveys(everybody, Made(returned(first, DecisionRecord))), *events)
    assert (again.drawn, again.eligible) == (first.drawn, first.eligible)
    requests = [(one.request_id, one.weight) for one in returned(again, SurveyRequest)]
    assert requests == [(one.request_id, one.weight) for one in returned(first, SurveyRequest)]
    assert {weight for _, weight in requests} == {1 / 0.3}
