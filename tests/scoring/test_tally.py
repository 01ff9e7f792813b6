"""Counts of answers and their score."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.scales import GROUPS, SCORES, Group, group
from scoring.tally import Tally, merge

histograms = st.lists(st.integers(0, 1_000), min_size=SCORES, max_size=SCORES)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [(range(7), "detractor"), (range(7, 9), "passive"), (range(9, 11), "promoter")],
    ids=["0-6", "7-8", "9-10"],
)
def test_every_score_has_its_group(scores: range, expected: Group) -> None:
    assert {group(score) for score in scores} == {expected}


def test_43_percent_promoters_and_9_percent_detractors_are_34() -> None:
    tally = Tally(promoters=43, passives=48, detractors=9)
    assert tally.nps == 34
    assert tally.n == 100


@pytest.mark.parametrize(
    ("tally", "nps"),
    [(Tally(promoters=3), 100), (Tally(detractors=3), -100), (Tally(passives=3), 0), (Tally(2, 0, 1), 100 / 3)],
)
def test_the_score_is_unrounded(tally: Tally, nps: float) -> None:
    assert tally.nps == nps


def test_no_answers_no_score() -> None:
    assert Tally().n == 0
    assert Tally().nps is None
    assert Tally().interval is None
    assert Tally.of(()) == Tally()


def test_a_single_answer_has_a_score_and_a_wide_interval() -> None:
    tally = Tally(promoters=1)
    assert tally.nps == 100
    assert tally.interval == pytest.approx((-48.498649420, 98.498649420), abs=1e-8)


@given(histograms)
def test_a_histogram_is_counted_as_its_answers_one_by_one(histogram: list[int]) -> None:
    counted = dict.fromkeys(GROUPS, 0)
    for score, n in enumerate(histogram):
        counted[group(score)] += n
    tally = Tally.of(histogram)
    assert {name: tally.count(name) for name in GROUPS} == counted
    assert tally.n == sum(histogram)


@given(st.lists(histograms, max_size=5))
def test_merged_histograms_hold_all_answers(parts: list[list[int]]) -> None:
    assert merge(parts) == [sum(part[score] for part in parts) for score in range(SCORES)]


@given(histograms, histograms)
def test_merging_leaves_its_parts_alone(one: list[int], other: list[int]) -> None:
    before = list(one), list(other)
    merge((one, other))
    assert (one, other) == before
