"""Two samples of a score, and what of a change each segment adds."""

from math import isfinite, sqrt
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.changes import decompose, dropped
from scoring.moments import Moments
from scoring.scales import NPS
from tests.scoring.scores import histograms, scales


def nps(promoters: int, passives: int, detractors: int) -> Moments:
    return Moments(promoters + passives + detractors, promoters - detractors, promoters + detractors)


def answers(n: float, points: float) -> Moments:
    """Promoters and detractors that make an NPS."""
    return Moments(n, n * points / 100, n)


def test_a_drop_worked_out_by_hand() -> None:
    """550/300/150 of 1,000, then 2/4/4 of 10: with 3 pseudo-answers 3.65 promoters, 4.45 detractors of 13."""
    p, d = (2 + 3 * 0.55) / 13, (4 + 3 * 0.15) / 13
    z = (p - d - 0.4) / sqrt((p + d - (p - d) ** 2) / 13 + (0.7 - 0.16) / 1000)
    found = dropped(nps(550, 300, 150), nps(2, 4, 4))
    assert found.z == pytest.approx(z)
    assert found.z == pytest.approx(-2.1027, abs=1e-4)
    assert found.p_fell == pytest.approx(NormalDist().cdf(z))
    assert found.p_changed == pytest.approx(2 * NormalDist().cdf(z))


def test_answers_that_were_and_are_all_the_same_have_not_changed() -> None:
    assert dropped(nps(500, 0, 0), nps(3, 0, 0)) == (0.0, 0.5, 1.0)


def test_a_score_that_could_not_be_more_certain_can_fall() -> None:
    found = dropped(nps(1000, 0, 0), nps(0, 0, 1000))
    assert found.z < -10
    assert found.p_fell < 1e-20


@given(st.data())
def test_probabilities_are_probabilities_and_agree_with_each_other(data: st.DataObject) -> None:
    scale = data.draw(scales)
    before, after = (scale.moments(data.draw(histograms(scale, least=1))) for _ in range(2))
    found = dropped(before, after)
    assert isfinite(found.z)
    assert 0 <= found.p_fell <= 1
    assert found.p_changed == pytest.approx(2 * min(found.p_fell, 1 - found.p_fell), abs=1e-12)
    if abs(after.mean - before.mean) > 1e-9:
        assert (found.z < 0) == (after.mean < before.mean)


@given(st.data())
def test_a_rise_of_turned_answers_is_a_drop(data: st.DataObject) -> None:
    one, other = (NPS.moments(data.draw(histograms(NPS, least=1))) for _ in range(2))
    turned = [Moments(m.n, -m.total, m.squares) for m in (one, other)]
    assert dropped(*turned).z == pytest.approx(-dropped(one, other).z)


@pytest.mark.parametrize(("before", "after"), [(Moments(), nps(1, 0, 0)), (nps(1, 0, 0), Moments())])
def test_a_side_without_answers_is_refused(before: Moments, after: Moments) -> None:
    with pytest.raises(ValueError, match="before and after"):
        dropped(before, after)
    with pytest.raises(ValueError, match="before and after"):
        decompose({"a": before}, {"a": after})


def test_every_segment_improved_and_the_total_fell() -> None:
    found = decompose(
        {"pro": answers(700, 60), "free": answers(300, 0)}, {"pro": answers(400, 64), "free": answers(600, 4)}
    )
    assert found.change == pytest.approx(-0.14)
    assert sum(found.within.values()) == pytest.approx(0.04)
    assert sum(found.mix.values()) == pytest.approx(-0.18)
    assert found.within == pytest.approx({"pro": 0.55 * 0.04, "free": 0.45 * 0.04})
    assert found.mix == pytest.approx({"pro": -0.3 * (0.62 - 0.35), "free": 0.3 * (0.02 - 0.35)})
    assert found.mix_moved


def test_a_segment_that_fell_with_the_same_shares_is_all_within() -> None:
    found = decompose(
        {"pro": answers(700, 60), "free": answers(300, 0)}, {"pro": answers(70, 20), "free": answers(30, 0)}
    )
    assert found.within == pytest.approx({"pro": -0.28, "free": 0})
    assert found.mix == pytest.approx({"pro": 0, "free": 0}, abs=1e-12)
    assert not found.mix_moved


def test_new_and_vanished_segments_are_mix() -> None:
    found = decompose(
        {"old": answers(50, 80), "both": answers(50, 20)}, {"new": answers(100, -50), "both": answers(100, 20)}
    )
    assert found.within == pytest.approx({"old": 0, "both": 0, "new": 0})
    halfway = (0.5 + -0.15) / 2
    assert found.mix == pytest.approx(
        {"old": -0.5 * (0.8 - halfway), "both": 0, "new": 0.5 * (-0.5 - halfway)}, abs=1e-12
    )
    assert found.change == pytest.approx(-0.65)
    assert found.mix_moved


def test_a_segment_without_any_answer_is_left_out() -> None:
    found = decompose({"a": nps(5, 0, 1), "b": Moments()}, {"a": nps(1, 0, 5)})
    assert set(found.within) == set(found.mix) == {"a"}


@given(st.data())
def test_within_and_mix_add_up_to_the_change(data: st.DataObject) -> None:
    scale = data.draw(scales)
    sides = [
        {key: scale.moments(data.draw(histograms(scale))) for key in data.draw(st.sets(st.sampled_from("abcdef")))}
        | {"x": scale.moments(data.draw(histograms(scale, least=1)))}
        for _ in range(2)
    ]
    found = decompose(*sides)
    assert sum(found.within.values()) + sum(found.mix.values()) == pytest.approx(found.change, abs=1e-9)
    totals = [sum(side.values(), Moments()) for side in sides]
    assert found.change == pytest.approx(totals[1].mean - totals[0].mean, abs=1e-12)


@given(st.data())
def test_the_way_back_is_the_change_with_its_sign_turned(data: st.DataObject) -> None:
    scale = data.draw(scales)
    one, other = ({k: scale.moments(data.draw(histograms(scale, least=1))) for k in "abc"} for _ in range(2))
    there, back = decompose(one, other), decompose(other, one)
    assert back.within == pytest.approx({key: -value for key, value in there.within.items()}, abs=1e-12)
    assert back.mix == pytest.approx({key: -value for key, value in there.mix.items()}, abs=1e-12)
