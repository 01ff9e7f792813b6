"""The scores of everything at one moment."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.board import Board, Progress
from scoring.scales import CSAT, NPS, SCORES
from scoring.segments import Dimension, Dimensions, Series
from scoring.tally import Histogram
from tests.make import NOW, groups


def histogram(promoters: int, passives: int = 0, detractors: int = 0) -> list[int]:
    return [detractors, 0, 0, 0, 0, 0, 0, passives, 0, 0, promoters]


def board(everything: Mapping[Series, Histogram], hour: Mapping[Series, Histogram] | None = None) -> Board:
    return Board(NOW, {"all": everything, "1h": everything if hour is None else hour})


def test_segments_out_of_one_stream_have_their_own_scores() -> None:
    shown = board(
        {
            Series("nps"): histogram(320, 170, 130),
            Series("nps", "stage", "New"): histogram(60, 25, 15),
            Series("nps", "stage", "Long-term"): histogram(75, 20, 5),
            Series("nps", "stage", "Inactive"): histogram(20, 40, 40),
            Series("other-survey", "stage", "New"): histogram(1),
        }
    )
    segments = shown.segments("nps", "all", NPS, "stage", Dimensions((Dimension("stage"),)))
    assert {name: tally.score for name, tally in segments.items()} == {"New": 45, "Long-term": 70, "Inactive": -20}


def test_a_survey_is_scored_on_its_scale() -> None:
    shown = board({Series("service"): [0, 1, 0, 2, 3, 4, 0, 0, 0, 0, 0]})
    tally = shown.tally("service", "all", CSAT)
    assert (tally.score, tally.n) == (70, 10)
    assert tally.groups == {"satisfied": 7, "neutral": 2, "dissatisfied": 1}


def test_a_survey_without_answers_has_an_empty_tally() -> None:
    empty = board({})
    assert empty.tally("nps", "1h", NPS).n == 0
    assert empty.segments("nps", "1h", NPS, "stage", Dimensions((Dimension("stage"),))) == {}


def test_a_value_keeps_its_name_in_every_window() -> None:
    """What is small in all time is folded in a window too, even where it is the only value there."""
    free, pro = Series("nps", "plan", "free"), Series("nps", "plan", "pro")
    shown = board({free: histogram(100), pro: histogram(3, detractors=1)}, hour={pro: histogram(1)})
    dimensions = Dimensions((Dimension("plan", limit=1),))
    segments = shown.segments("nps", "1h", NPS, "plan", dimensions)
    assert {name: tally.groups for name, tally in segments.items()} == {"other": groups(promoters=1)}


def test_a_value_that_is_called_other_joins_the_rest() -> None:
    values = {"pro": histogram(9), "other": histogram(2), "free": histogram(0, detractors=1)}
    shown = board({Series("nps", "plan", value): part for value, part in values.items()})
    segments = shown.segments("nps", "all", NPS, "plan", Dimensions((Dimension("plan", show=("pro",)),)))
    assert {name: tally.groups for name, tally in segments.items()} == {
        "pro": groups(promoters=9),
        "other": groups(promoters=2, detractors=1),
    }


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.integers(0, 9), min_size=SCORES, max_size=SCORES)),
    st.integers(1, 8),
)
def test_folding_loses_no_answer(values: dict[str, list[int]], limit: int) -> None:
    shown = board({Series("nps", "plan", value): part for value, part in values.items()})
    segments = shown.segments("nps", "all", NPS, "plan", Dimensions((Dimension("plan", limit=limit),)))
    assert sum(tally.n for tally in segments.values()) == sum(map(sum, values.values()))
    assert len(segments.keys() - {"other"}) <= limit


def test_who_was_invited_and_who_answered_by_segment() -> None:
    """Exposed by name are those that were sent most, even where nobody answers."""
    counts: dict[tuple[str, ...], int] = {
        (name, survey, "plan", value): n
        for name, survey, value, n in (
            ("survey_segment_requests_total", "nps", "free", 90),
            ("survey_segment_requests_total", "nps", "pro", 40),
            ("survey_segment_requests_total", "nps", "team", 7),
            ("survey_segment_requests_total", "other", "pro", 1),
            ("survey_segment_answered_total", "nps", "pro", 12),
            ("survey_segment_answered_total", "nps", "team", 1),
            ("survey_segment_answered_total", "nps", "old", 2),
        )
    }
    shown = Board(NOW, {"all": {}}, counts=counts)
    dimensions = Dimensions((Dimension("plan", limit=2),))
    assert shown.invited("nps", "plan", dimensions) == {"free": (90, 0), "pro": (40, 12), "other": (7, 3)}
    assert shown.invited("nps", "region", dimensions) == {}


def test_counters_start_at_zero() -> None:
    shown = Board(NOW, {"all": {}}, counts={("nps_corrections_total", "nps", "promoter", "passive"): 2})
    assert shown.count("nps_corrections_total", "nps", "promoter", "passive") == 2
    assert shown.count("nps_corrections_total", "nps", "passive", "promoter") == 0


@pytest.mark.parametrize(
    ("progress", "recovering", "share"),
    [
        (Progress(100), False, 1),
        (Progress(0), False, 1),
        (Progress(0, until=100), True, 0),
        (Progress(43, until=100), True, 0.43),
        (Progress(None), True, 0),
    ],
)
def test_a_partition_recovers_until_it_is_where_it_was(progress: Progress, recovering: bool, share: float) -> None:
    assert (progress.recovering, progress.share) == (recovering, share)


def test_one_partition_that_recovers_is_enough() -> None:
    """Each feeds every series."""
    complete = Board(NOW, {}, progress={0: Progress(10), 1: Progress(7)})
    assert (complete.recovering, complete.share) == (False, 1)
    partial = Board(NOW, {}, progress={0: Progress(10), 1: Progress(5, until=10)})
    assert (partial.recovering, partial.share) == (True, 0.75)
