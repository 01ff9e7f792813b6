"""What an event adds to who was invited, and to who answered."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streams.events import Answered
from streams.times import MINUTE
from surveys.cohorts import ANSWERED, INVITED, Change, changes
from surveys.contacts import ContactState, apply, asked
from tests.make import NOW, on

happened = st.lists(
    st.tuples(st.sampled_from([INVITED, ANSWERED]), st.sampled_from(["nps", "csat"]), st.integers(0, 50)),
    max_size=12,
)


def step(what: str, survey: str, at: int, state: ContactState) -> ContactState:
    if what == INVITED:
        return asked(state, survey, f"r{at}", at)
    return apply(on(Answered, at=at, survey_id=survey), state)


@given(happened)
def test_never_more_have_answered_than_were_invited(events: list[tuple[str, str, int]]) -> None:
    """Of no minute, in whatever order things happen, and however often they are told."""
    counted: Counter[Change] = Counter()
    state = ContactState()
    for what, survey, minutes in [*events, *events]:
        after = step(what, survey, NOW + minutes * MINUTE, state)
        counted.update(changes(state, after))
        state = after
    for (what, survey, minute), n in counted.items():
        assert n == 1
        assert what == INVITED or (INVITED, survey, minute) in counted


def test_an_answer_counts_at_the_time_of_its_invitation_and_once() -> None:
    invited = step(INVITED, "nps", NOW, ContactState())
    assert list(changes(ContactState(), invited)) == [(INVITED, "nps", NOW // MINUTE)]
    first = step(ANSWERED, "nps", NOW + 90 * MINUTE, invited)
    assert list(changes(invited, first)) == [(ANSWERED, "nps", NOW // MINUTE)]
    assert list(changes(first, step(ANSWERED, "nps", NOW + 99 * MINUTE, first))) == []


def test_an_answer_of_who_was_not_invited_is_of_no_cohort() -> None:
    assert list(changes(ContactState(), step(ANSWERED, "nps", NOW, ContactState()))) == []
