"""Counts of answers and their score."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.intervals import interval
from scoring.scales import CES, CSAT, NPS, SCALES, SCORES, Scale
from scoring.tally import Tally, merge
from tests.make import groups
from tests.scoring import scores

histograms = st.lists(st.integers(0, 1_000), min_size=SCORES, max_size=SCORES)


def test_43_percent_promoters_and_9_percent_detractors_are_34() -> None:
    tally = Tally(NPS, [9, 0, 0, 0, 0, 0, 0, 48, 0, 0, 43])
    assert (tally.score, tally.n) == (34, 100)
    assert tally.groups == groups(43, 48, 9)


@pytest.mark.parametrize(
    ("scale", "answers", "score", "counts"),
    [
        (NPS, [9, 10, 10], 100, {"promoter": 3, "passive": 0, "detractor": 0}),
        (NPS, [0, 6, 6], -100, {"promoter": 0, "passive": 0, "detractor": 3}),
        (NPS, [9, 6, 10], 100 / 3, {"promoter": 2, "passive": 0, "detractor": 1}),
        (CSAT, [5, 4, 3, 1], 50, {"satisfied": 2, "neutral": 1, "dissatisfied": 1}),
        (CSAT, [1, 2, 3], 0, {"satisfied": 0, "neutral": 1, "dissatisfied": 2}),
        (CES, [7, 5, 4, 3], 4.75, {"easy": 2, "neutral": 1, "difficult": 1}),
    ],
)
def test_the_score_is_unrounded(scale: Scale, answers: list[int], score: float, counts: dict[str, int]) -> None:
    tally = Tally(scale, [answers.count(one) for one in range(SCORES)])
    assert tally.score == score
    assert list(tally.groups.items()) == list(counts.items()), "best first"


@pytest.mark.parametrize("scale", SCALES.values(), ids=list(SCALES))
@pytest.mark.parametrize("histogram", [(), [0] * SCORES])
def test_no_answers_no_score(scale: Scale, histogram: list[int]) -> None:
    tally = Tally(scale, histogram)
    assert (tally.n, tally.score, tally.interval) == (0, None, None)
    assert set(tally.groups.values()) == {0}


def test_a_single_answer_has_a_score_and_a_wide_interval() -> None:
    tally = Tally(NPS, [0] * 10 + [1])
    assert tally.score == 100
    assert tally.interval == pytest.approx((-48.498649420, 98.498649420), abs=1e-8)


@given(st.data())
def test_a_histogram_is_counted_as_its_answers_one_by_one(data: st.DataObject) -> None:
    scale = data.draw(scores.scales)
    histogram = data.draw(scores.histograms(scale))
    counted = dict.fromkeys(scale.groups, 0)
    for score, n in enumerate(histogram):
        if n:
            counted[scale.group(score)] += n
    tally = Tally(scale, histogram)
    assert tally.groups == counted
    assert tally.n == sum(histogram)
    assert tally.interval == (interval(scale.moments(histogram), scale) if any(histogram) else None)


@pytest.mark.parametrize("scale", [CSAT, CES])
def test_what_was_answered_on_another_scale_does_not_count(scale: Scale) -> None:
    """A survey whose metric was changed has such answers, until it is rebuilt."""
    before = [5, 0, 0, 0, 2, 1, 0, 0, 9, 9, 9]
    tally = Tally(scale, before)
    assert tally.n == sum(tally.groups.values()) == 3
    assert tally.score == Tally(scale, [0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0]).score
    assert tally.interval is not None


@given(st.lists(histograms, max_size=5))
def test_merged_histograms_hold_all_answers(parts: list[list[int]]) -> None:
    assert merge(parts) == [sum(part[score] for part in parts) for score in range(SCORES)]


@given(histograms, histograms)
def test_merging_leaves_its_parts_alone(one: list[int], other: list[int]) -> None:
    before = list(one), list(other)
    merge((one, other))
    assert (one, other) == before
