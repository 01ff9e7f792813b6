"""The drop detector: its bar, its bets, its state, and how often it is wrong."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.detector import Baseline, Detector, Direction, State
from scoring.scales import CES, CSAT, NPS, Scale
from tests.scoring.scores import histograms, scales

KNOWN = Baseline(mean=0.4, standard_error=0.0, n=1e9, answers_per_day=50, covered=30)
DIRECTIONS: tuple[Direction, ...] = ("drop", "rise")
directions = st.sampled_from(DIRECTIONS)


def drawn(mix: tuple[float, float, float], n: int, seed: int) -> list[float]:
    """Values of answers of an NPS."""
    values: list[float] = np.random.default_rng(seed).choice([1.0, 0.0, -1.0], size=n, p=mix).tolist()
    return values


def alarm_after(detector: Detector, values: list[float], state: State | None = None) -> int | None:
    """How many answers it takes until the alarm."""
    state = state or State()
    for n, value in enumerate(values, 1):
        state = detector.step(state, value)
        if state.alarmed:
            return n
    return None


@st.composite
def detectors(draw: st.DrawFn) -> tuple[Detector, Scale]:
    scale = draw(scales)
    answers = scale.moments(draw(histograms(scale, least=1)))
    baseline = Baseline.of(answers, scale, draw(st.floats(0.1, 1000)))
    return Detector.of(baseline, scale, draw(directions), series=draw(st.integers(1, 10_000))), scale


def test_a_baseline_is_frozen_from_answers() -> None:
    baseline = Baseline.of(NPS.moments([0, 0, 0, 15, 0, 0, 0, 30, 0, 0, 55]), NPS, days=20)
    assert baseline.mean == pytest.approx(0.4)
    assert baseline.answers_per_day == 5
    assert baseline.standard_error == pytest.approx(sqrt((71.5 / 103 - (40 / 103) ** 2) / 103))


@given(st.data())
def test_no_baseline_is_certain(data: st.DataObject) -> None:
    scale = data.draw(scales)
    histogram = [0] * 11
    histogram[data.draw(st.integers(scale.lowest, scale.highest))] = data.draw(st.integers(1, 1_000))
    assert Baseline.of(scale.moments(histogram), scale, days=1).standard_error > 0


def test_the_bar_and_the_level_of_one_series() -> None:
    detector = Detector.of(KNOWN, NPS)
    assert detector.bar == pytest.approx(0.35)
    assert detector.level == 4_500
    assert detector.bets == (0.15, 0.30, 0.60)
    unsure = Detector.of(KNOWN._replace(standard_error=0.02), NPS, series=20, days=30)
    assert unsure.bar == pytest.approx(0.4 - 0.05 - 1.64 * 0.02)
    assert unsure.level == 20 * 30 * 50


def test_many_series_with_unsure_baselines_have_lower_bars() -> None:
    """A chance of 1 % in 500 is 4.11 standard errors."""
    unsure = KNOWN._replace(standard_error=0.05)
    assert Detector.of(unsure, NPS, series=1).bar == pytest.approx(0.4 - 0.05 - 0.082)
    assert Detector.of(unsure, NPS, series=500).bar == pytest.approx(0.4 - 4.1075 * 0.05, abs=1e-5)


def test_the_bars_of_many_lopsided_series_are_held_by_more_pseudo_answers() -> None:
    """4.11 standard errors ask for 3 (4.11 / 1.96)^2 = 13.18 pseudo-answers, beside 1,000 of 75 points."""
    lopsided = Baseline(mean=0.75, standard_error=0.03, n=1_000, answers_per_day=50, covered=20)
    drawn = 0.75 * 13.18 / 1_013.18
    assert Detector.of(lopsided, NPS, series=500).bar == pytest.approx(0.75 - 4.1075 * 0.03 - drawn, abs=1e-4)
    rise = Detector.of(lopsided, NPS, "rise", series=500)
    assert rise.bar == pytest.approx(-0.75 - 4.1075 * 0.03, abs=1e-5), "the middle lies on the other side"


@pytest.mark.parametrize(("days", "bar"), [(0.5, 0.3), (6, 0.3), (6.999, 0.35), (7, 0.35), (30, 0.35)])
def test_a_baseline_that_has_seen_no_weekend_has_a_wider_dead_band(days: float, bar: float) -> None:
    assert Detector.of(KNOWN._replace(covered=days), NPS).bar == pytest.approx(bar)


def test_what_a_baseline_covers_is_its_days_unless_told_apart() -> None:
    answers = NPS.moments([0, 0, 0, 15, 0, 0, 0, 30, 0, 0, 55])
    assert Baseline.of(answers, NPS, days=20).covered == 20
    busier_of_late = Baseline.of(answers, NPS, days=5, covered=30)
    assert (busier_of_late.answers_per_day, busier_of_late.covered) == (20, 30)


def test_a_rise_is_a_drop_of_turned_values() -> None:
    rise = Detector.of(KNOWN, NPS, "rise")
    fall = Detector.of(KNOWN._replace(mean=-0.4), NPS, "drop")
    values = drawn((0.5, 0.2, 0.3), 300, seed=3)
    assert rise.run(State(), values) == fall.run(State(), [-value for value in values])


def test_the_first_steps_by_hand() -> None:
    detector = Detector.of(KNOWN, NPS)
    state = detector.run(State(), [-1.0, 1.0])
    r = [(1 + bet * 1.35) for bet in (0.15, 0.30, 0.60)]
    r = [(before + 1) * (1 - bet * 0.65) for before, bet in zip(r, (0.15, 0.30, 0.60), strict=True)]
    assert state.sums == pytest.approx(r)
    assert state.evidence == pytest.approx(0.5 * r[0] + 0.35 * r[1] + 0.15 * r[2])
    assert not state.alarmed


def test_an_alarm_begins_at_the_level_and_ends_below_a_quarter_of_it() -> None:
    """An answer at the bar itself neither wins nor loses: R becomes R + 1."""
    detector = Detector(bar=0.0, level=100.0, bets=(0.15, 0.30, 0.60), sign=1)

    def alarmed(evidence: float, before: bool) -> bool:
        return detector.step(State((evidence - 1,) * 3, before), 0.0).alarmed

    assert not alarmed(99.9, before=False)
    assert alarmed(100.0, before=False)
    assert alarmed(25.0, before=True)
    assert not alarmed(24.9, before=True)


def test_bets_are_bounded_by_the_best_value_there_is() -> None:
    """0.9 / (best - bar): the best is 1 for drops and for rises of an NPS, 0 for rises of a CSAT."""
    low, high = KNOWN._replace(mean=-0.9), KNOWN._replace(mean=0.9)
    assert Detector.of(low, NPS).bets == pytest.approx((0.15, 0.30, 0.9 / 1.95))
    assert Detector.of(high, NPS, "rise").bets == pytest.approx((0.15, 0.30, 0.9 / 1.95))
    assert Detector.of(high, CSAT, "rise").bets == (0.15, 0.30, 0.60)


@given(detectors(), st.data())
def test_sums_stay_above_0_and_at_the_cap_for_ever(pair: tuple[Detector, Scale], data: st.DataObject) -> None:
    """From any state that may be, a step leads to one that may be: so do ten million."""
    detector, scale = pair
    cap = 10 * detector.level
    sums = data.draw(st.tuples(*[st.floats(0, cap)] * 3))
    stepped = detector.step(State(sums), scale.value(data.draw(st.integers(scale.lowest, scale.highest))))
    assert all(0 < r <= cap for r in stepped.sums)


@given(detectors(), st.data())
def test_a_run_is_its_steps(pair: tuple[Detector, Scale], data: st.DataObject) -> None:
    detector, scale = pair
    values = data.draw(st.lists(st.sampled_from(scale.values), max_size=50))
    cut = data.draw(st.integers(0, 50))
    state = State()
    for value in values:
        state = detector.step(state, value)
    assert detector.run(State(), values) == state
    assert detector.run(detector.run(State(), values[:cut]), values[cut:]) == state


@given(detectors())
def test_no_answer_can_lose_a_bet_altogether(pair: tuple[Detector, Scale]) -> None:
    detector, scale = pair
    for bet in detector.bets:
        assert bet > 0
        assert all(1 + bet * (detector.bar - detector.sign * value) >= 0.1 - 1e-9 for value in scale.values)


@given(detectors())
def test_evidence_gains_nothing_on_average_at_the_bar(pair: tuple[Detector, Scale]) -> None:
    """Two values with the bar as their mean: E[R' - 1] is R, whatever R was (a martingale, so R - t is too)."""
    detector, scale = pair
    ends = sorted(detector.sign * value for value in (scale.values[0], scale.values[-1]))
    if not ends[0] <= detector.bar <= ends[1]:
        return
    share = (detector.bar - ends[0]) / (ends[1] - ends[0])
    small = State((0.3, 0.2, 0.1))
    up, down = (detector.step(small, detector.sign * end).sums for end in reversed(ends))
    for bet, (r, high, low) in enumerate(zip(small.sums, up, down, strict=True)):
        if max(high, low) < 10 * detector.level:
            assert share * high + (1 - share) * low == pytest.approx(r + 1), bet


@pytest.mark.parametrize("scale", [NPS, CSAT, CES], ids=lambda scale: scale.name)
def test_a_steep_drop_and_a_steep_rise_are_found_on_every_scale(scale: Scale) -> None:
    low, high = scale.values[0], scale.values[-1]
    middle = Baseline((low + high) / 2, 0.02, 600, 20, 30)
    for direction, value in zip(DIRECTIONS, (low, high), strict=True):
        found = alarm_after(Detector.of(middle, scale, direction), [value] * 100)
        assert found is not None
        assert 5 < found < 40
        assert alarm_after(Detector.of(middle, scale, direction), [low, high] * 500) is None


def test_a_score_that_cannot_fall_below_its_bar_never_alarms() -> None:
    floor = Baseline(-1.0, 0.01, 600, 20, 30)
    assert alarm_after(Detector.of(floor, NPS), [-1.0] * 5_000) is None


def test_a_fall_of_20_points_is_found_within_250_answers() -> None:
    """From a state that has long been steady. 199 on average, of which 60 runs miss by 15 or so."""
    detector = Detector.of(KNOWN, NPS)
    found = []
    for seed in range(60):
        steady = detector.run(State(), drawn((0.55, 0.30, 0.15), 300, seed))._replace(alarmed=False)
        found.append(alarm_after(detector, drawn((0.45, 0.30, 0.25), 5_000, seed + 1_000), steady))
    assert None not in found
    assert 150 < np.mean([n for n in found if n]) < 250


def test_a_steady_score_alarms_seldom() -> None:
    """The level is the least average of answers to a false alarm: at 900, at most about 20 in 18,000."""
    detector = Detector.of(KNOWN._replace(answers_per_day=10), NPS)
    alarms, state = 0, State()
    for value in drawn((0.525, 0.30, 0.175), 18_000, seed=11):  # exactly at the bar
        before, state = state, detector.step(state, value)
        alarms += state.alarmed and not before.alarmed
    assert 0 < alarms <= 20


@pytest.mark.parametrize(
    "wrong",
    [{"series": 0}, {"days": 0.0}, {"dead_band": 0.0}, {"baseline": KNOWN._replace(answers_per_day=0)}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_detector_of_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Detector.of(**{"baseline": KNOWN, "scale": NPS, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize(("n", "days"), [(0, 5), (5, 0)])
def test_a_baseline_of_nothing_is_refused(n: int, days: float) -> None:
    with pytest.raises(ValueError, match="answers and days"):
        Baseline.of(NPS.moments([0] * 10 + [n]), NPS, days)
