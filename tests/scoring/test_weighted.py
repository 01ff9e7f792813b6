"""Weighted scores."""

import random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.intervals import interval
from scoring.scales import NPS, SCALES, Scale
from scoring.weighted import Weighted

WEIGHTS = st.floats(1, 1_000)


@st.composite
def weighted_answers(draw: st.DrawFn) -> tuple[Scale, list[tuple[int, float]]]:
    scale = draw(st.sampled_from([*SCALES.values()]))
    return scale, draw(st.lists(st.tuples(st.sampled_from([*scale.scores]), WEIGHTS), min_size=1, max_size=30))


@given(weighted_answers(), WEIGHTS)
def test_equal_weights_change_nothing(drawn: tuple[Scale, list[tuple[int, float]]], weight: float) -> None:
    scale, answers = drawn
    histogram = [0] * 11
    for score, _ in answers:
        histogram[score] += 1
    found = Weighted.of(scale, [(score, weight) for score, _ in answers])
    assert found.n == pytest.approx(found.effective) == len(answers)
    assert found.score == pytest.approx(scale.score(histogram))
    assert found.interval == pytest.approx(interval(scale.moments(histogram), scale))


@given(weighted_answers())
def test_effective_are_at_most_all_and_the_score_lies_between_the_answers(
    drawn: tuple[Scale, list[tuple[int, float]]],
) -> None:
    scale, answers = drawn
    found = Weighted.of(scale, answers)
    assert 1 - 1e-9 <= found.effective <= len(answers) * (1 + 1e-9)
    points = [scale.points(scale.value(score)) for score, _ in answers]
    assert min(points) - 1e-6 <= found.score <= max(points) + 1e-6
    lower, upper = found.interval
    worst, best = scale.ends
    assert worst <= lower <= upper <= best


def test_who_was_asked_at_a_low_rate_counts_for_those_who_were_not() -> None:
    """Of 1,000 at +100 every tenth was asked, of 1,000 at -100 everybody: the score is 0, and not -82."""
    answers = [(10, 10.0)] * 100 + [(0, 1.0)] * 1_000
    assert Weighted.of(NPS, answers).score == pytest.approx(0)
    assert Weighted.of(NPS, [(score, 1.0) for score, _ in answers]).score == pytest.approx(-81.8, abs=0.1)


def test_the_interval_holds_the_true_score_as_often_as_it_says() -> None:
    """Two segments of 60 and 0 points, one asked at a fifth of the other's rate."""
    chance, held, runs = random.Random(3), 0, 400
    for _ in range(runs):
        answers = []
        for rate, promoters, detractors in ((0.2, 0.7, 0.1), (1.0, 0.4, 0.4)):
            for _ in range(200):
                if chance.random() < rate:
                    u = chance.random()
                    answers.append((10 if u < promoters else 0 if u < promoters + detractors else 8, 1 / rate))
        lower, upper = Weighted.of(NPS, answers).interval
        held += lower <= mean([60, 0]) <= upper
    assert held / runs > 0.93
