"""Sticky sampling."""

from itertools import pairwise

import pytest

from streams.times import DAY
from surveys.sampling import PERIOD, sampled
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
