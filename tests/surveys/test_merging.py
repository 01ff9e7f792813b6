"""What a merged id leaves to the other one, and what that takes in."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import Bounced, Contact, CustomerEvent, Declined, Identify, Merge, Merged, Unsubscribed
from streams.times import MINUTE, from_ms
from surveys.contacts import ContactState, apply, asked, recall, record, scheduled, waits
from surveys.merging import leave, refusal, refused, take_in
from tests.make import NOW, contact, on
from tests.surveys.test_contacts import customer_events, due

MERGE = Merge(event_id="m1", customer_id="visitor", into="c1", occurred_at=from_ms(NOW))
states = st.builds(
    lambda events, sent: told(events, asked_all(sent)),
    st.lists(customer_events, max_size=4),
    st.dictionaries(st.sampled_from(["nps", "csat"]), st.integers(NOW, NOW + 9)),
)


def told(events: list[CustomerEvent], state: ContactState) -> ContactState:
    for event in events:
        state = apply(event, state)
    return state


def asked_all(sent: dict[str, int]) -> ContactState:
    state = ContactState()
    for survey_id, at in sent.items():
        state = asked(state, survey_id, f"{survey_id}:{at}", at)
    return state


def history(state: ContactState) -> Merged:
    return leave(MERGE, state, NOW)[1]


@given(states, states)
def test_the_later_time_of_each_survey_counts(visitor: ContactState, customer: ContactState) -> None:
    both = take_in(history(visitor), customer)
    for name in ("asked", "answered", "declined", "recent"):
        mine, theirs = getattr(customer, name), getattr(visitor, name)
        assert getattr(both, name) == {
            key: max(mine.get(key, 0), theirs.get(key, 0)) for key in mine.keys() | theirs.keys()
        }
    assert both.unsubscribed == (visitor.unsubscribed or customer.unsubscribed)


@given(states, st.lists(customer_events, max_size=5), st.integers(0, 5), st.integers(0, 5))
def test_it_does_not_matter_when_and_how_often_a_history_comes(
    visitor: ContactState, events: list[CustomerEvent], first: int, again: int
) -> None:
    late = take_in(history(visitor), told(events, ContactState()))
    state = ContactState()
    for place in range(len(events) + 1):
        if place in (min(first, len(events)), again):
            state = take_in(history(visitor), state)
        state = told(events[place : place + 1], state)
    assert state == late


@given(states, states, st.randoms())
def test_a_record_tells_all_that_was_taken_over(
    visitor: ContactState, customer: ContactState, chance: random.Random
) -> None:
    """For ever: the event that brought it is deleted some day."""
    both = take_in(history(visitor), customer)
    told_again = [record("c1", both)] * 2
    chance.shuffle(told_again)
    state = ContactState()
    for one in told_again:
        state = recall(one, state)
    assert state == both


def test_what_the_customer_is_known_by_wins_over_what_the_visitor_was() -> None:
    visitor = apply(on(Identify, at=NOW, contact=Contact(email="v@example.com", name="V")), ContactState())
    customer = apply(on(Identify, at=NOW - MINUTE, contact=Contact(email="c@example.com")), ContactState())
    both = take_in(history(visitor), customer)
    assert both.contact == Contact(email="c@example.com", name="V")
    later = apply(on(Identify, at=NOW - MINUTE, contact=Contact(name="Carla")), both)
    assert later.contact == Contact(email="c@example.com", name="Carla")


def test_a_channel_that_was_refused_under_either_id_stays_refused() -> None:
    customer = ContactState(contact=Contact(consent={"mail": True, "sms": False}), updated_at=NOW)
    visitor = ContactState(contact=Contact(consent={"mail": False, "sms": True}), updated_at=NOW)
    assert take_in(history(visitor), customer).contact.consent == {"mail": False, "sms": False}


def test_an_address_that_bounced_stays_bounced() -> None:
    visitor = apply(on(Bounced, email="ann@example.com"), contact("ann@example.com"))
    assert take_in(history(visitor), ContactState()).address is None


def test_what_waits_ends_with_the_merge() -> None:
    left, _ = leave(MERGE, scheduled(ContactState(), "nps", "r1"), NOW)
    assert (left.merged_into, left.merged_at, left.pending) == ("c1", NOW, {})


def test_a_card_of_a_merged_id_is_not_shown_any_more() -> None:
    left, _ = leave(MERGE, ContactState(asked={"nps": NOW}), NOW)
    assert waits(due("nps", "r1", NOW), ContactState(asked={"nps": NOW}))
    assert not waits(due("nps", "r1", NOW), left)


def test_a_merge_that_is_told_again_keeps_its_time() -> None:
    left, first = leave(MERGE, ContactState(), NOW)
    again, second = leave(MERGE, left, NOW + MINUTE)
    assert (again, second) == (left, first)


def test_a_merged_id_that_unsubscribed_and_declined_takes_that_along() -> None:
    visitor = told([on(Unsubscribed), on(Declined, survey_id="nps")], ContactState())
    both = take_in(history(visitor), ContactState())
    assert both.unsubscribed
    assert both.declined == {"nps": NOW}


def test_what_cannot_be_merged() -> None:
    itself = Merge(event_id="m1", customer_id="c1", into="c1", occurred_at=from_ms(NOW))
    assert refusal(itself, ContactState()) == "a customer cannot be merged into itself"
    back = Merge(event_id="m2", customer_id="c1", into="visitor", occurred_at=from_ms(NOW))
    taken_in = take_in(history(ContactState()), ContactState())
    assert refusal(back, taken_in) == "visitor was merged into c1 before"
    left, _ = leave(MERGE, ContactState(), NOW)
    elsewhere = Merge(event_id="m3", customer_id="visitor", into="c2", occurred_at=from_ms(NOW))
    assert refusal(elsewhere, left) == "visitor was merged into c1 before"
    assert refusal(MERGE, left) is None


@pytest.mark.parametrize(("came_by", "stays"), [(["visitor", "c1"], True), (["c9", "visitor", "c1"], False)])
def test_whose_own_history_comes_back_stays_on_its_own(came_by: list[str], *, stays: bool) -> None:
    left, _ = leave(MERGE, ContactState(), NOW)
    back = Merged(event_id="h", customer_id="visitor", occurred_at=from_ms(NOW), path=came_by)
    assert (refusal(back, left) is not None) == stays
    assert (refused(back, left).merged_into == "") == stays
