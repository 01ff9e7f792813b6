"""Sticky sampling."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scoring.intervals import interval
from scoring.moments import Moments
from scoring.scales import NPS, SCALES, Scale
from streams.times import DAY
from surveys.sampling import PERIOD, Counts, Sampling, rate, sampled, wanted
from tests.make import NOW

IDS = [f"customer-{n}" for n in range(10_000)]
START = NOW - NOW % PERIOD


def sample(rate: float, survey: str = "nps", now: int = NOW) -> set[str]:
    return {id_ for id_ in IDS if sampled(id_, survey, rate, now)}


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_the_share_is_the_rate(rate: float) -> None:
    five_sigma = 5 * (rate * (1 - rate) / len(IDS)) ** 0.5
    assert len(sample(rate)) / len(IDS) == pytest.approx(rate, abs=five_sigma)


def test_nobody_and_everybody() -> None:
    assert sample(0.0) == set()
    assert sample(1.0) == set(IDS)


def test_a_customer_has_the_same_draw_for_the_whole_period() -> None:
    days = [sample(0.1, now=START + day * DAY) for day in range(0, 90, 10)]
    assert all(one == other for one, other in pairwise([*days, sample(0.1, now=START + PERIOD - 1)]))


def test_a_greater_rate_keeps_who_was_in_the_sample() -> None:
    assert sample(0.1) < sample(0.2) < sample(0.5)


@pytest.mark.parametrize(("survey", "now"), [("other", START), ("nps", START + PERIOD)], ids=["survey", "period"])
def test_another_survey_or_period_draws_anew(survey: str, now: int) -> None:
    """Two independent draws of 10 % share 1 % of all."""
    both = sample(0.1, now=START) & sample(0.1, survey, now)
    assert len(both) / len(IDS) == pytest.approx(0.01, abs=0.005)


# steered rates

COUNT = st.integers(0, 100_000)
STEERED = Sampling(margin=5.0)


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    eligible = draw(COUNT)
    drawn = draw(st.integers(0, eligible))
    answered = draw(st.integers(0, drawn))
    share = draw(st.floats(0, 1))
    return Counts(eligible, drawn, answered, Moments(answered, answered * (2 * share - 1), answered))


@given(counts(), counts(), st.floats(0, 1, exclude_max=True), st.integers(1, 64), st.floats(0.001, 1))
def test_a_rate_lies_between_the_lowest_and_one(
    now: Counts, before: Counts, elapsed: float, parts: int, at_least: float
) -> None:
    found = rate(Sampling(margin=5.0, at_least=at_least), NPS, now, before, elapsed, parts)
    assert at_least <= found <= 1


@given(counts(), counts(), st.floats(0, 0.999), st.floats(1, 20))
def test_a_smaller_margin_never_lowers_the_rate(
    now: Counts, before: Counts, elapsed: float, margin: float
) -> None:
    wide, narrow = (rate(Sampling(margin=one), NPS, now, before, elapsed) for one in (margin, margin / 2))
    assert narrow >= wide


@given(counts(), st.floats(0.01, 0.99))
def test_more_answers_never_raise_the_rate(now: Counts, elapsed: float) -> None:
    """Of the same scores, so that the variance stays."""
    half = Counts(now.eligible, now.drawn, now.answered // 2, now.values)
    assert rate(STEERED, NPS, now, Counts(), elapsed) <= rate(STEERED, NPS, half, Counts(), elapsed)


@given(counts(), st.floats(0, 0.9))
def test_the_more_customers_are_expected_the_lower_the_rate(now: Counts, elapsed: float) -> None:
    more = Counts(2 * now.eligible, now.drawn, now.answered, now.values)
    assume(now.eligible)
    assert rate(STEERED, NPS, more, Counts(), elapsed) <= rate(STEERED, NPS, now, Counts(), elapsed)


def test_nothing_is_known_at_first() -> None:
    assert rate(STEERED, NPS, Counts(), Counts(), 0.5) == STEERED.at_least
    few = Counts(eligible=10)
    assert rate(STEERED, NPS, few, Counts(), 0.5) == 1


def test_enough_answers_are_enough() -> None:
    many = Counts(50_000, 10_000, 2_000, Moments(2_000, 800, 1_400))
    assert rate(STEERED, NPS, many, Counts(), 0.5) == STEERED.at_least


@pytest.mark.parametrize("scale", SCALES.values(), ids=lambda scale: scale.name)
def test_as_many_are_wanted_as_the_interval_needs(scale: Scale) -> None:
    """Half of the best and half of the worst is the largest variance there can be."""
    worst, best = scale.values[0], scale.values[-1]
    margin = (scale.points(best) - scale.points(worst)) / 20
    n = wanted(Sampling(margin=margin), scale, Moments())
    answers = Moments(n, n * (worst + best) / 2, n * (worst**2 + best**2) / 2)
    lower, upper = interval(answers, scale)
    assert (upper - lower) / 2 == pytest.approx(margin, rel=0.02)
    agreed = Moments(10_000, 10_000 * best, 10_000 * best**2)
    assert wanted(Sampling(margin=margin), scale, agreed) < n / 100
