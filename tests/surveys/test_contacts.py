"""What is known of one customer."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import (
    Answered,
    Ask,
    Attempt,
    Bounced,
    Contact,
    ContactRecord,
    CustomerEvent,
    Declined,
    Identify,
    SurveyRequest,
    Unsubscribed,
)
from streams.times import MINUTE, from_ms
from surveys.contacts import NOBODY, ContactState, apply, asked, recall, scheduled, unscheduled, waits
from surveys.survey import MOST
from tests.make import NOW, contact, on, touchpoint
from tests.sinks.invitations import request


def identify(at: int = NOW, event_id: str = "e1", **fields: object) -> Identify:
    identified: Identify = on(Identify, event_id, at=at, contact=Contact(**fields))  # type: ignore[arg-type]
    return identified


some = st.sampled_from([None, "", "a@example.com", "b@example.com"])
contacts = st.builds(
    Contact, email=some, name=some, attributes=st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3))
)
times = st.integers(NOW, NOW + 5)
surveys = st.sampled_from(["nps", "csat"])
customer_events = st.one_of(
    st.builds(lambda at, one: on(Identify, at=at, contact=one), times, contacts),
    st.builds(lambda at, one: touchpoint(at=at, contact=one), times, st.none() | contacts),
    st.builds(lambda at, id_: on(Answered, at=at, survey_id=id_), times, surveys),
    st.builds(lambda at, id_: on(Declined, at=at, survey_id=id_), times, surveys),
    st.builds(lambda at, id_: on(Ask, at=at, survey_id=id_), times, surveys),
    st.builds(lambda at: on(Unsubscribed, at=at), times),
    st.builds(lambda at: on(Bounced, at=at, email="a@example.com"), times),
)


@given(st.lists(customer_events, max_size=6))
def test_applying_an_event_again_changes_nothing(events: list[CustomerEvent]) -> None:
    state = ContactState()
    for event in events:
        state = apply(event, state)
        assert apply(event, state) == state


@given(st.lists(st.tuples(times, some), min_size=1))
def test_the_newest_address_wins_in_any_order(said: list[tuple[int, str | None]]) -> None:
    said = list({at: (at, email) for at, email in said if email}.values())
    state = ContactState()
    for at, email in said:
        state = apply(identify(at, email=email), state)
    assert state.contact.email == max(said, default=(0, None))[1]


@given(st.lists(st.tuples(times, contacts), unique_by=lambda one: one[0], min_size=1), st.randoms())
def test_the_newest_word_on_each_field_wins_in_any_order(
    said: list[tuple[int, Contact]], chance: random.Random
) -> None:
    """An old address after a new one, while something else that is known is newer than both."""
    states = []
    for order in (sorted(said, key=lambda one: one[0]), chance.sample(said, len(said))):
        state = ContactState()
        for at, one in order:
            state = apply(on(Identify, at=at, contact=one), state)
        states.append(state)
    assert states[0] == states[1]
    for name in ("email", "name"):
        told = [(at, getattr(one, name)) for at, one in said if getattr(one, name)]
        assert getattr(states[1].contact, name) == max(told, default=(0, None))[1]
    plans = [(at, one.attributes["x"]) for at, one in said if "x" in one.attributes]
    assert states[1].contact.attributes.get("x") == max(plans, default=(0, None))[1]


@given(st.lists(st.tuples(times, contacts), unique_by=lambda one: one[0], min_size=2), st.integers(1, 5))
def test_a_contact_record_tells_when_each_field_was_told(said: list[tuple[int, Contact]], cut: int) -> None:
    """A state that is gone, and filled again from the record, takes what comes later as the old one would."""
    state = ContactState()
    for at, one in said[:cut]:
        state = apply(on(Identify, at=at, contact=one), state)
    record = ContactRecord(
        customer_id="c1",
        updated_at=from_ms(state.updated_at),
        contact=state.contact,
        older={name: from_ms(at) for name, at in state.older.items()},
    )
    again = recall(record, ContactState())
    for at, one in said[cut:]:
        state, again = (apply(on(Identify, at=at, contact=one), each) for each in (state, again))
    assert again == state


def test_account_and_role_are_fields_like_the_others() -> None:
    state = apply(identify(account_id="a-1", role="user"), ContactState())
    state = apply(identify(NOW + 1, role="decision_maker"), state)
    assert state.contact == Contact(account_id="a-1", role="decision_maker")
    assert state.contact.traits == {"account_id": "a-1", "role": "decision_maker"}


def test_a_field_that_is_not_said_stays_as_it_was() -> None:
    state = apply(identify(email="ann@example.com", attributes={"plan": "free", "age": 30}), ContactState())
    state = apply(identify(NOW + 1, name="Ann", attributes={"plan": "pro"}), state)
    assert state.contact == Contact(email="ann@example.com", name="Ann", attributes={"plan": "pro", "age": 30})


def test_an_older_event_fills_in_only_what_is_missing() -> None:
    state = apply(identify(NOW, email="new@example.com", attributes={"plan": "pro"}), ContactState())
    older = identify(NOW - 1, email="old@example.com", name="Ann", attributes={"plan": "free", "region": "eu"})
    state = apply(older, state)
    assert state.contact == Contact(
        email="new@example.com", name="Ann", attributes={"plan": "pro", "region": "eu"}
    )
    assert state.updated_at == NOW


def test_a_touchpoint_tells_of_a_contact_too() -> None:
    told = apply(touchpoint(contact=Contact(email="ann@example.com")), ContactState())
    assert told.address == "ann@example.com"
    assert apply(touchpoint(), told) == told


def test_a_bounced_address_is_none_until_another_is_known() -> None:
    state = apply(on(Bounced, email="ann@example.com"), contact("ann@example.com"))
    assert state.address is None
    state = apply(identify(NOW + MINUTE, email="ann@example.org"), state)
    assert state.address == "ann@example.org"


def test_an_address_that_came_back_is_told_in_whatever_case() -> None:
    assert apply(on(Bounced, email="ann@example.com"), contact("Ann@Example.com")).address is None


def test_the_bounce_of_a_former_address_takes_nothing_away() -> None:
    assert apply(on(Bounced, email="old@example.com"), contact("new@example.com")).address == "new@example.com"


def test_who_has_no_address_has_none() -> None:
    assert ContactState().address is None
    assert contact(None).address is None


def test_unsubscribed_stays_unsubscribed() -> None:
    state = apply(on(Unsubscribed), contact())
    assert apply(identify(NOW + MINUTE, email="new@example.com"), state).unsubscribed


@pytest.mark.parametrize(("kind", "name"), [(Answered, "answered"), (Declined, "declined")])
def test_the_latest_answer_and_refusal_per_survey_are_kept(kind: type[Answered | Declined], name: str) -> None:
    state = ContactState()
    for survey_id, at in (("nps", NOW), ("nps", NOW + 2), ("nps", NOW + 1), ("csat", NOW)):
        state = apply(on(kind, at=at, survey_id=survey_id), state)
    assert getattr(state, name) == {"nps": NOW + 2, "csat": NOW}


def test_attributes_stay_within_the_bound_of_an_event_and_the_newest_are_kept() -> None:
    state = apply(identify(attributes={f"a{n}": 0 for n in range(80)}), ContactState())
    state = apply(identify(NOW + 1, attributes={f"a{n}": 1 for n in range(40, 130)}), state)
    kept = state.contact.attributes
    assert kept == {f"a{n}": 0 for n in range(10)} | {f"a{n}": 1 for n in range(40, 130)}


def test_a_sent_ask_ends_the_scheduled_one_of_its_survey_only() -> None:
    state = scheduled(scheduled(ContactState(), "nps", "request-1"), "csat", "request-2")
    state = asked(state, "nps", "request-1", NOW)
    assert state.pending == {"csat": "request-2"}
    assert (state.asked, state.recent) == ({"nps": NOW}, {"request-1": NOW})
    assert unscheduled(state, "csat").pending == {}


def test_a_request_that_was_sent_leaves_a_later_ask_of_its_survey_waiting() -> None:
    """As after a lost state, which learns of both."""
    state = scheduled(ContactState(), "nps", "later")
    assert asked(state, "nps", "first", NOW).pending == {"nps": "later"}
    assert asked(state, "nps", "later", NOW).pending == {}


def test_surveys_without_end_leave_a_contact_publishable() -> None:
    state = ContactState()
    for number in range(150):
        state = apply(on(Declined, at=NOW + number, survey_id=f"s{number}"), state)
    assert sorted(state.declined.values()) == list(range(NOW + 50, NOW + 150))


def test_an_older_event_pushes_no_newer_attribute_out() -> None:
    newer = apply(identify(NOW, attributes={f"a{number}": 1 for number in range(100)}), ContactState())
    both = apply(identify(NOW - 1, attributes={"old": 1}), newer)
    assert both.contact.attributes == newer.contact.attributes


def test_nothing_is_changed_in_place() -> None:
    before = contact(asked={"nps": 1}, pending={"csat": "request-1"})
    apply(on(Answered, survey_id="nps"), before)
    asked(before, "nps", "request-1", NOW)
    scheduled(before, "nps", "request-2")
    assert before == contact(asked={"nps": 1}, pending={"csat": "request-1"})


@given(st.lists(st.tuples(surveys, times), max_size=MOST + 5), st.randoms())
def test_the_topics_tell_who_was_asked_again_in_any_order_and_more_than_once(
    sent: list[tuple[str, int]], chance: random.Random
) -> None:
    state = ContactState()
    told: list[SurveyRequest | Attempt] = []
    for number, (survey_id, at) in enumerate(sorted(sent, key=lambda one: one[1])):
        state = asked(state, survey_id, f"r{number}", at)
        told += [due(survey_id, f"r{number}", at), attempt(survey_id, f"r{number}", at)]
    told += told[: len(told) // 2]
    chance.shuffle(told)
    again = ContactState()
    for event in told:
        again = recall(event, again)
    assert again.asked == state.asked
    assert sorted(again.recent.values()) == sorted(state.recent.values()) == sorted(at for _, at in sent)[-MOST:]


def due(survey_id: str, request_id: str, at: int) -> SurveyRequest:
    return SurveyRequest(
        request_id=request_id,
        survey_id=survey_id,
        customer_id="c1",
        channel="log",
        state="due",
        decided_at=from_ms(at),
        due_at=from_ms(at),
        contact=Contact(),
    )


def attempt(survey_id: str, request_id: str, at: int) -> Attempt:
    return Attempt(
        request_id=request_id,
        survey_id=survey_id,
        customer_id="c1",
        channel="log",
        outcome="sent",
        at=from_ms(at),
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (NOBODY, True),
        (ContactState(answered={"nps": NOW - 1}, declined={"nps": NOW - 1}), True),  # an earlier invitation
        (ContactState(answered={"other": NOW + 1}), True),
        (ContactState(answered={"nps": NOW + 1}), False),
        (ContactState(declined={"nps": NOW}), False),
        (ContactState(unsubscribed=True), False),
        (ContactState(merged_into="c2"), False),  # it waits for that one
    ],
)
def test_an_offer_waits_until_something_comes_of_it(state: ContactState, expected: bool) -> None:
    assert waits(request(), state) is expected
