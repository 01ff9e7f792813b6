"""How often a customer is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import Contact, Scalar
from streams.times import DAY, HOUR, LATEST, Duration, rfc3339
from surveys.contacts import ContactState
from surveys.limits import Limit, instant, limits
from surveys.survey import Asking, Survey
from tests.make import NOW, contact, survey

FREE = Asking(quiet_period=Duration(0))


def asking(**fields: Duration | int) -> Asking:
    return Asking(**{"quiet_period": Duration(0), **fields})  # type: ignore[arg-type]


def quiet(survey_id: str = "nps", **fields: int) -> Survey:
    fields = {"quiet_period": 0, **fields}
    return survey(survey_id, **{name: Duration(ms) for name, ms in fields.items()})


def found(state: ContactState, one: Survey | None = None, over_all: Asking = FREE, now: int = NOW) -> list[Limit]:
    return limits(over_all, one or quiet(), state, now)


def test_nobody_is_held_back_without_limits() -> None:
    state = contact(asked={"nps": NOW}, answered={"nps": NOW}, declined={"other": NOW}, pending={"other": "r"})
    assert found(state) == []


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("quiet_period", contact(asked={"nps": NOW - DAY}, answered={"nps": NOW})),
        ("after_answer", contact(asked={"nps": NOW - HOUR}, answered={"nps": NOW - DAY})),
        ("after_decline", contact(asked={"nps": NOW - HOUR}, declined={"nps": NOW - DAY})),
        ("after_ignored", contact(asked={"nps": NOW - DAY}, answered={"nps": NOW - 2 * DAY}, declined={"x": NOW})),
    ],
)
@pytest.mark.parametrize("long", [7 * DAY, 7 * DAY - 1, DAY, DAY + 1])
def test_each_limit_ends_to_the_millisecond(name: str, state: ContactState, long: int) -> None:
    ends = NOW - DAY + long
    wanted = [] if ends <= NOW else [ends]
    assert [end for _, end in found(state, quiet(**{name: long}))] == wanted
    [(reason, _)] = found(state, quiet(**{name: 7 * DAY}))
    assert reason == f"{name}_survey"


@pytest.mark.parametrize("name", ["quiet_period", "after_answer", "after_decline", "after_ignored"])
def test_a_limit_over_all_looks_at_every_survey(name: str) -> None:
    times = {"other": NOW - DAY, "older": NOW - 9 * DAY}
    state = {
        "quiet_period": contact(asked=times, answered={"other": NOW}),
        "after_answer": contact(answered=times),
        "after_decline": contact(declined=times),
        "after_ignored": contact(asked={**times, "third": NOW - HOUR}, answered={"third": NOW}),
    }[name]
    assert found(state, quiet(**{name: 90 * DAY})) == []  # of this survey nothing is known
    reasons = {reason for reason, _ in found(state, over_all=asking(**{name: Duration(7 * DAY)}))}
    assert reasons == {f"{name}_all"}
    assert max(end for _, end in found(state, over_all=asking(**{name: Duration(7 * DAY)}))) == NOW + 6 * DAY


def test_an_answer_or_a_decline_ends_being_ignored() -> None:
    ignoring = quiet(after_ignored=90 * DAY)
    assert found(contact(asked={"nps": NOW - DAY}), ignoring) == [("after_ignored_survey", NOW + 89 * DAY)]
    for reaction in ({"answered": {"nps": NOW}}, {"declined": {"nps": NOW}}):
        assert found(contact(asked={"nps": NOW - DAY}, **reaction), ignoring) == []


def test_the_longer_one_of_two_quiet_periods_wins() -> None:
    state = contact(asked={"nps": NOW - DAY})
    for own, over_all in ((3, 9), (9, 3)):
        ends = [
            end
            for _, end in found(
                state, quiet(quiet_period=own * DAY), asking(quiet_period=Duration(over_all * DAY))
            )
        ]
        assert max(ends) == NOW + 8 * DAY


def test_what_waits_counts_as_sent_over_all_surveys() -> None:
    over_all = asking(quiet_period=Duration(7 * DAY))
    assert found(contact(pending={"other": "r"}), over_all=over_all) == [("quiet_period_all", NOW + 7 * DAY)]


# at most so many in a rolling period


@given(st.lists(st.integers(NOW - 12 * DAY, NOW), max_size=6), st.integers(1, 4), st.integers(1, 10 * DAY))
def test_at_most_so_many_in_any_period(sent: list[int], at_most: int, period: int) -> None:
    state = contact(
        asked={"other": max(sent)} if sent else {}, recent={f"r{number}": at for number, at in enumerate(sent)}
    )
    over_all = asking(at_most=at_most, at_most_in=Duration(period))

    def full(at: int) -> bool:
        return sum(at - period < one for one in sent) >= at_most

    ends = [end for _, end in found(state, over_all=over_all)]
    assert bool(ends) == full(NOW)
    for end in ends:
        assert full(end - 1)
        assert not full(end)


# the age of the account


@pytest.mark.parametrize(
    "write",
    [rfc3339, lambda ms: ms / 1_000, lambda ms: ms // 1_000, lambda ms: str(ms // 1_000)],
    ids=["text", "s", "int", "digits"],
)
def test_a_young_account_is_not_asked(write: object) -> None:
    over_all = asking(min_account_age=Duration(30 * DAY))

    def state(age: int) -> ContactState:
        return ContactState(contact=Contact(attributes={"created_at": write(NOW - age)}))  # type: ignore[operator]

    assert found(state(30 * DAY), over_all=over_all) == []
    assert found(state(29 * DAY), over_all=over_all) == [("account_age", NOW + DAY)]


def test_a_date_may_be_written_without_hyphens() -> None:
    """It is no second of the year 1970, as which everybody's account would be old."""
    assert instant("20260228") == instant("2026-02-28") == instant("2026-02-28T00:00:00Z")


@given(st.integers(100_000_000, LATEST // 1_000))
def test_seconds_as_a_text_are_seconds(seconds: int) -> None:
    assert instant(str(seconds)) == seconds * 1_000


def test_another_attribute_may_tell_the_age() -> None:
    over_all = Asking(quiet_period=Duration(0), min_account_age=Duration(DAY), account_since="signed up")
    told = ContactState(contact=Contact(attributes={"signed up": "2020-02-29"}))
    assert found(told, over_all=over_all) == []


@pytest.mark.parametrize("told", [None, "", "yesterday", True, -1, 1e300, float("nan"), 10**30, "9999-99-99"])
def test_an_account_of_unknown_age_is_not_asked(told: Scalar) -> None:
    state = ContactState(contact=Contact(attributes={"created_at": told}))
    assert found(state, over_all=asking(min_account_age=Duration(1))) == [("account_age", LATEST)]


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30))
def test_whatever_an_attribute_holds_is_a_time_or_none(told: Scalar) -> None:
    found = instant(told)
    assert found is None or 0 <= found <= LATEST
