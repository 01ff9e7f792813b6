"""Relationship surveys: everybody, every so often, spread evenly."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import Ask, Contact
from streams.times import DAY, Duration, from_ms
from surveys.contacts import ContactState
from surveys.rules import Rules
from surveys.schedule import asks, first
from surveys.survey import Filter, Survey
from tests.make import NOW, contact, rules, survey

EVERY = Duration(90 * DAY)
STARTS = NOW - NOW % DAY  # the day of NOW


def quarterly(**fields: object) -> Survey:
    fields = {"trigger": None, "every": EVERY, "starts": from_ms(STARTS).date(), "quiet_period": EVERY, **fields}
    return survey("rel", **fields)


def found(state: ContactState, now: int, one: Survey | None = None, customer: str = "c1") -> list[Ask]:
    return list(asks(rules(one or quarterly()), customer, state, now))


def test_the_first_round_asks_everybody_once_spread_evenly() -> None:
    places = sorted(first(quarterly(), f"c{number}") - STARTS for number in range(9_000))
    assert places[0] >= 0
    assert places[-1] < EVERY
    for day in range(90):
        assert 50 < sum(day * DAY <= place < (day + 1) * DAY for place in places) < 160


def test_before_their_place_and_before_the_start_nobody_is_asked() -> None:
    place = first(quarterly(), "c1")
    assert found(contact(), place - 1) == []
    [ask] = found(contact(), place)
    assert (ask.survey_id, ask.customer_id, ask.occurred_at) == ("rel", "c1", from_ms(place))
    assert found(contact(), STARTS - 1, customer="c2") == []


@pytest.mark.parametrize("since", [DAY, 89 * DAY, EVERY - 1, EVERY, EVERY + 40 * DAY])
def test_the_next_time_is_so_long_after_the_last(since: int) -> None:
    state = contact(asked={"rel": NOW})
    assert bool(found(state, NOW + since)) == (since >= EVERY)


def test_who_may_not_be_asked_is_not_asked_for() -> None:
    late = STARTS + EVERY
    for state in (
        contact(unsubscribed=True),
        contact(asked={"other": late - DAY}),
        contact(pending={"rel": "r"}),
    ):
        assert found(state, late) == []
    assert found(contact(None), late, quarterly(channel="mail")) == []
    assert found(contact(), late, quarterly(sample=0.0)) == []


def test_conditions_look_at_what_is_known_of_the_contact() -> None:
    one = quarterly(where=[Filter("plan", "exact", "pro")])
    for plan, asked in (("pro", 1), ("free", 0)):
        state = ContactState(contact=Contact(attributes={"plan": plan}))
        assert len(found(state, STARTS + EVERY, one)) == asked


def test_a_survey_without_a_rhythm_asks_nobody_by_itself() -> None:
    without: Rules = rules(survey(), survey("b", trigger=None))
    assert list(asks(without, "c1", contact(), NOW + 900 * DAY)) == []


@given(st.integers(0, 400), st.integers(0, DAY - 1), st.integers(0, DAY - 1))
def test_an_ask_has_one_id_for_a_day(day: int, one: int, other: int) -> None:
    start = STARTS + EVERY + day * DAY
    ids = [ask.event_id for ms in (one, other, other + DAY) for ask in found(contact(), start + ms)]
    assert ids[0] == ids[1] != ids[2]


def test_the_start_is_a_day_in_utc() -> None:
    one = quarterly(starts=date(2026, 12, 1), every=Duration(DAY))
    assert from_ms(first(one, "c1")).date() == date(2026, 12, 1)
