"""Scales: their scores, groups, values and points."""

from statistics import fmean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.moments import Moments
from scoring.scales import CES, CSAT, NPS, SCALES, SCORES, Scale
from tests.scoring.scores import histograms, scales

every_scale = pytest.mark.parametrize("scale", SCALES.values(), ids=list(SCALES))


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (NPS, {"promoter": [9, 10], "passive": [7, 8], "detractor": [0, 1, 2, 3, 4, 5, 6]}),
        (CSAT, {"satisfied": [4, 5], "neutral": [3], "dissatisfied": [1, 2]}),
        (CES, {"easy": [5, 6, 7], "neutral": [4], "difficult": [1, 2, 3]}),
    ],
    ids=list(SCALES),
)
def test_groups_come_best_first_and_hold_every_score_once(scale: Scale, expected: dict[str, list[int]]) -> None:
    assert {name: [*scores] for name, scores in scale.groups.items()} == expected
    assert list(scale.groups) == list(expected)
    assert [scale.group(score) for score in scale.scores] == [
        next(name for name, scores in expected.items() if score in scores) for score in scale.scores
    ]


@pytest.mark.parametrize(
    ("scale", "values"),
    [
        (NPS, [-1, -1, -1, -1, -1, -1, -1, 0, 0, 1, 1]),
        (CSAT, [0, 0, 0, 1, 1]),
        (CES, [-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1]),
    ],
    ids=list(SCALES),
)
def test_every_score_has_its_value(scale: Scale, values: list[float]) -> None:
    assert [scale.value(score) for score in range(scale.lowest, scale.highest + 1)] == values


@pytest.mark.parametrize(
    ("scale", "histogram", "points"),
    [
        (NPS, [9, 0, 0, 0, 0, 0, 0, 48, 0, 43, 0], 34),
        (CSAT, [0, 1, 2, 1, 3, 3, 0, 0, 0, 0, 0], 60),
        (CES, [0, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0], 4.75),
    ],
    ids=list(SCALES),
)
def test_points_are_what_people_read(scale: Scale, histogram: list[int], points: float) -> None:
    assert scale.points(scale.moments(histogram).mean) == pytest.approx(points)


@given(histograms(NPS, least=1))
def test_the_nps_is_promoters_less_detractors(histogram: list[int]) -> None:
    promoters, detractors = sum(histogram[9:]), sum(histogram[:7])
    assert NPS.score(histogram) == 100 * (promoters - detractors) / sum(histogram)


@given(histograms(CSAT, least=1))
def test_the_csat_is_the_share_of_the_satisfied(histogram: list[int]) -> None:
    assert CSAT.score(histogram) == 100 * sum(histogram[4:]) / sum(histogram)


@given(histograms(CES, least=1))
def test_the_ces_is_the_mean_score(histogram: list[int]) -> None:
    mean = sum(score * n for score, n in enumerate(histogram)) / sum(histogram)
    assert CES.score(histogram) == mean


@given(st.data())
def test_the_score_is_the_mean_of_the_moments_in_points(data: st.DataObject) -> None:
    scale = data.draw(scales)
    histogram = data.draw(histograms(scale, least=1))
    assert scale.score(histogram) == pytest.approx(scale.points(scale.moments(histogram).mean))


@every_scale
def test_the_ends_are_the_scores_of_answers_that_are_all_alike(scale: Scale) -> None:
    alike = [[int(bin_ == score) for bin_ in range(SCORES)] for score in (scale.lowest, scale.highest)]
    assert scale.ends == tuple(map(scale.score, alike))


@pytest.mark.parametrize(
    ("scale", "points", "text"),
    [
        (NPS, 34.4, "34"),
        (NPS, -33.3, "-33"),
        (NPS, -0.4, "0"),
        (CSAT, 200 / 3, "67 %"),
        (CES, 5.55, "5.5"),
        (CES, 7.0, "7.0"),
    ],
)
def test_a_score_is_read_in_its_unit(scale: Scale, points: float, text: str) -> None:
    assert scale.text(points) == text


def test_a_score_is_read_with_more_digits_where_they_are_asked_for() -> None:
    assert [scale.text(1.234, 1) for scale in (NPS, CSAT, CES)] == ["1.2", "1.2 %", "1.23"]


@given(st.data())
def test_moments_are_mean_and_variance_of_the_answers_one_by_one(data: st.DataObject) -> None:
    scale = data.draw(scales)
    histogram = data.draw(histograms(scale, least=1, most=5))
    values = [scale.value(score) for score, n in enumerate(histogram) for _ in range(n)]
    moments = scale.moments(histogram)
    assert moments.n == len(values)
    assert moments.mean == pytest.approx(fmean(values))
    assert moments.variance == pytest.approx(pvariance(values), abs=1e-12)


@given(st.data())
def test_moments_of_parts_add_up(data: st.DataObject) -> None:
    scale = data.draw(scales)
    one, other = data.draw(histograms(scale)), data.draw(histograms(scale))
    added = scale.moments(one) + scale.moments(other)
    whole = scale.moments([a + b for a, b in zip(one, other, strict=True)])
    assert (added.n, added.total, added.squares) == pytest.approx((whole.n, whole.total, whole.squares))


@given(st.data(), st.floats(0.01, 100))
def test_as_many_times_the_answers_have_the_same_mean_and_variance(data: st.DataObject, times: float) -> None:
    scale = data.draw(scales)
    moments = scale.moments(data.draw(histograms(scale, least=1)))
    scaled = moments * times
    assert scaled.n == pytest.approx(moments.n * times)
    assert (scaled.mean, scaled.variance) == pytest.approx((moments.mean, moments.variance), abs=1e-9)


@every_scale
def test_no_answers_are_no_moments(scale: Scale) -> None:
    assert scale.moments(()) == scale.moments([0] * SCORES) == Moments()


@every_scale
@pytest.mark.parametrize("beyond", [-1, 1])
def test_a_score_that_the_scale_does_not_have_is_refused(scale: Scale, beyond: int) -> None:
    score = scale.lowest - 1 if beyond < 0 else scale.highest + 1
    with pytest.raises(ValueError, match=rf"\({scale.name}\), got {score}"):
        scale.value(score)
    with pytest.raises(ValueError, match=rf"\({scale.name}\), got {score}"):
        scale.group(score)


@pytest.mark.parametrize(("scale", "score"), [(CSAT, 0), (CSAT, 6), (CSAT, 10), (CES, 0), (CES, 8)])
def test_answers_outside_the_scale_are_left_out(scale: Scale, score: int) -> None:
    histogram = [0, 0, 0, 1, *[0] * 7]
    inside = scale.score(histogram), scale.moments(histogram)
    assert scale.holds(histogram)
    histogram[score] = 2
    assert (scale.score(histogram), scale.moments(histogram)) == inside
    assert not scale.holds(histogram)


@every_scale
def test_pseudo_answers_are_answers_of_the_scale(scale: Scale) -> None:
    """Their mean lies halfway between the ends, their variance below that of answers at both ends."""
    lowest, highest = scale.values[0], scale.values[-1]
    assert scale.pseudo.mean == pytest.approx((lowest + highest) / 2)
    assert 0 < scale.pseudo.variance <= ((highest - lowest) / 2) ** 2
