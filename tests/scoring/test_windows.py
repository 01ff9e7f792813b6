"""Which buckets a window holds."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.windows import DEFAULT_WINDOWS, Window
from streams.times import DAY, HOUR, MINUTE
from tests.make import NOW

instants = st.integers(100 * DAY, 2 * NOW)
windows = st.builds(
    lambda width, buckets: Window("w", width * buckets * MINUTE, width * MINUTE),
    st.integers(1, 3_000),
    st.integers(1, 500),
)


def inside(window: Window, bucket: int, now: int) -> bool:
    """The rule word for word, in exact numbers."""
    oldest = floor(Fraction(now - window.length, window.width))
    return oldest < bucket <= floor(Fraction(now, window.width))


@given(windows, instants, st.integers(-3, 3))
def test_the_first_bucket_is_where_the_rule_begins(window: Window, now: int, near: int) -> None:
    bucket = window.first(now) + near
    assert (window.first(now) <= bucket <= window.bucket(now)) == inside(window, bucket, now)


@given(windows, instants)
def test_the_newest_bucket_holds_now_and_the_next_is_outside(window: Window, now: int) -> None:
    newest = window.bucket(now)
    assert newest * window.width <= now < (newest + 1) * window.width
    assert inside(window, newest, now)
    assert not inside(window, newest + 1, now)


@given(windows, instants)
def test_a_window_holds_as_many_buckets_as_its_length_has(window: Window, now: int) -> None:
    assert window.bucket(now) - window.first(now) + 1 == window.length // window.width


@given(windows, instants, st.integers(0, 100 * DAY))
def test_an_answer_leaves_the_window_within_a_bucket_of_its_length(window: Window, at: int, later: int) -> None:
    held = window.bucket(at) >= window.first(at + later)
    if later <= window.length - window.width:
        assert held
    if later >= window.length:
        assert not held


def test_the_default_windows_are_those_of_the_interface() -> None:
    assert {window.name: (window.length, window.width) for window in DEFAULT_WINDOWS} == {
        "1h": (HOUR, MINUTE),
        "24h": (DAY, 15 * MINUTE),
        "7d": (7 * DAY, 2 * HOUR),
        "30d": (30 * DAY, 8 * HOUR),
        "90d": (90 * DAY, DAY),
    }


@pytest.mark.parametrize(
    ("length", "width", "message"),
    [
        (HOUR, 30_000, "whole minutes"),
        (HOUR, 90_000, "whole minutes"),
        (HOUR, 0, "whole minutes"),
        (HOUR, 7 * MINUTE, "whole buckets"),
        (MINUTE, HOUR, "whole buckets"),
    ],
)
def test_a_window_that_is_not_made_of_whole_buckets_is_refused(length: int, width: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Window("odd", length, width)
