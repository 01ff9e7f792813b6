"""Which series an answer feeds, and which of them are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.segments import Dimension, Dimensions, Series, Value, fold

AGE = Dimension("age", bands=(18, 25, 35, 45, 55, 65))


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (0, "under 18"),
        (17, "under 18"),
        (17.9, "under 18"),
        (18, "18-24"),
        (24.99, "18-24"),
        (25, "25-34"),
        (34, "25-34"),
        ("30", "25-34"),
        (" 30 ", "25-34"),
        (35, "35-44"),
        (54, "45-54"),
        (55, "55-64"),
        (65, "65+"),
        (120, "65+"),
        (-3, "under 18"),
        ("unknown", "unknown"),
        ("nan", "nan"),
        (None, None),
        ("", None),
    ],
)
def test_numbers_are_banded(age: Value, band: str | None) -> None:
    assert AGE.segment(age) == band


def test_a_number_beyond_all_bounds_is_a_value_like_any_other() -> None:
    assert AGE.segment(10**400) == str(10**400)


@given(st.integers(-10, 200))
def test_a_band_says_what_it_holds(age: int) -> None:
    label = AGE.segment(age)
    assert label is not None
    low, high = {"under 18": (-10, 17), "65+": (65, 200)}.get(label) or map(int, label.split("-"))
    assert low <= age <= high


def test_one_bound_makes_two_bands() -> None:
    dimension = Dimension("orders", bands=(2,))
    assert [dimension.segment(n) for n in (1, 2)] == ["under 2", "2+"]


@pytest.mark.parametrize("bands", [(25, 18), (18, 18)])
def test_bands_that_do_not_rise_are_refused(bands: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="age: the bands have to rise"):
        Dimension("age", bands=bands)


@pytest.mark.parametrize(
    ("value", "segment"),
    [("pro", "pro"), (3, "3"), (2.5, "2.5"), (True, "true"), (False, "false"), (0, "0"), (None, None), ("", None)],
)
def test_other_values_are_their_own_segment(value: Value, segment: str | None) -> None:
    assert Dimension("plan").segment(value) == segment


def test_an_answer_feeds_its_survey_its_segments_and_its_pairs() -> None:
    dimensions = Dimensions((Dimension("plan"), Dimension("region"), AGE), pairs=(("plan", "region"),))
    assert dimensions.names == ["plan", "region", "age", "plan x region"]
    assert dimensions.series("nps", {"plan": "pro", "region": "eu", "age": 30, "shoe": 43}) == [
        Series("nps"),
        Series("nps", "plan", "pro"),
        Series("nps", "region", "eu"),
        Series("nps", "age", "25-34"),
        Series("nps", "plan x region", "pro|eu"),
    ]


def test_a_pair_needs_both_of_its_dimensions() -> None:
    dimensions = Dimensions((Dimension("plan"), Dimension("region")), pairs=(("plan", "region"),))
    assert dimensions.series("nps", {"plan": "pro"}) == [Series("nps"), Series("nps", "plan", "pro")]
    assert dimensions.series("nps", {}) == [Series("nps")]


def test_the_largest_values_are_shown_by_name_ties_by_the_alphabet() -> None:
    dimensions = Dimensions((Dimension("plan", limit=2),))
    assert dimensions.shown("plan", {"a": 1, "d": 5, "c": 3, "b": 3}) == {"d", "b"}


def test_an_allow_list_decides_alone() -> None:
    dimensions = Dimensions((Dimension("plan", show=("pro", "gone"), limit=1),))
    assert dimensions.shown("plan", {"free": 900, "pro": 1, "team": 5}) == {"pro"}


def test_a_pair_shows_its_fifty_largest() -> None:
    dimensions = Dimensions((Dimension("plan"), Dimension("region")), pairs=(("plan", "region"),))
    sizes = {f"pro|{n:02}": n for n in range(60)}
    assert dimensions.shown("plan x region", sizes) == {f"pro|{n:02}" for n in range(10, 60)}


def test_what_is_not_shown_is_other() -> None:
    assert fold(["pro", "free", "other"], {"pro"}) == {"pro": "pro", "free": "other", "other": "other"}
