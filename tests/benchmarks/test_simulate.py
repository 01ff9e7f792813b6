"""What `make simulate` finds, with fewer runs and bounds that leave room for chance; the seeds are fixed."""

import json
from typing import Any

import numpy as np
import pytest

from benchmarks.simulate.__main__ import Effort, main, worst
from benchmarks.simulate.detection import Bank, delays, false_alarms, frozen
from benchmarks.simulate.intervals import coverage
from benchmarks.simulate.looks import misses, sizes
from benchmarks.simulate.mixes import TEN, USUAL, WATCHED, Mix
from benchmarks.simulate.plot import Axis, Curve, curves
from benchmarks.simulate.rules import judged
from scoring.detector import Detector, State
from scoring.scales import NPS

UNEVEN = Mix(0.50, 0.00, 0.50)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_the_bank_steps_as_the_detector_does(rng: np.random.Generator) -> None:
    """Alarms that begin and end included: 40 falls to 0 and comes back."""
    detectors = [Detector.of(one, NPS, series=3) for one in frozen(USUAL, 300, 5, 20, rng)]
    bank, states, begun = Bank([detectors]), [State()] * 20, [0, 0]
    for answer in range(3_000):
        values = (UNEVEN if 1_000 <= answer < 2_000 else USUAL).values(20, rng)
        begun[0] += int(bank.step(values).sum())
        for place, (detector, value) in enumerate(zip(detectors, values.tolist(), strict=True)):
            before, states[place] = states[place], detector.step(states[place], value)
            begun[1] += states[place].alarmed and not before.alarmed
        assert bank.alarmed[0].tolist() == [state.alarmed for state in states]
    assert np.moveaxis(bank.sums[:, 0], 0, 1) == pytest.approx(
        np.array([state.sums for state in states]), rel=1e-2
    )
    assert begun[0] == begun[1] >= 20


@pytest.mark.parametrize("mix", {*TEN, *WATCHED}, ids=lambda mix: mix.name)
def test_drawn_answers_are_of_their_mix(mix: Mix, rng: np.random.Generator) -> None:
    assert sum(mix) == pytest.approx(1)
    values = mix.values(100_000, rng)
    assert [float((values == value).mean()) for value in (1, 0, -1)] == pytest.approx(list(mix), abs=0.01)


def test_a_week_has_the_score_of_its_mix() -> None:
    days = [USUAL.on(day, 0.1) for day in range(7)]
    assert np.mean([day.nps for day in days]) == pytest.approx(0.4)
    assert days[5].nps == days[6].nps == pytest.approx(days[0].nps - 0.1)


def test_adjusted_intervals_hold_the_true_score_where_plain_ones_do_not() -> None:
    """Exact, so the figures are those of the literature."""
    ten, hundred = coverage((10, 100))
    assert (ten.plain_worst, ten.adjusted_worst) == pytest.approx((0.514, 0.891), abs=0.001)
    assert (hundred.plain_worst, hundred.adjusted_worst) == pytest.approx((0.907, 0.943), abs=0.001)
    assert ten.adjusted_mean == pytest.approx(0.948, abs=0.001)


@pytest.mark.parametrize("baseline", [None, 200, 1_000])
@pytest.mark.parametrize("mix", [USUAL, UNEVEN], ids=lambda mix: mix.name)
def test_false_alarms_stay_below_one_in_ninety_days(
    mix: Mix, baseline: int | None, rng: np.random.Generator
) -> None:
    rows = [*false_alarms(mix, baseline, 500, rng, a_day=20, swing=0.05, watched=(1, 20))]
    assert all(row.alarms < 1 for row in rows)
    assert all(row.bars_above < 0.3 for row in rows)


def test_a_fall_of_20_points_is_found_within_250_answers(rng: np.random.Generator) -> None:
    known, many = delays(USUAL, 0.2, None, 400, rng, watched=(1, 20))
    assert known.found == many.found == 1
    assert known.mean is not None
    assert many.mean is not None
    assert 170 < known.mean < 240
    assert 300 < many.mean < 450


def test_a_fall_that_some_runs_do_not_find_has_no_mean(rng: np.random.Generator) -> None:
    (row,) = delays(USUAL, 0.05, None, 5, rng, watched=(500,))
    assert row.found < 1
    assert row.mean is None


def test_a_window_with_a_threshold_cries_wolf_and_the_detector_does_not(rng: np.random.Generator) -> None:
    rules = {row.rule: row for row in judged(3, rng)}
    assert rules["nps < 30 for 1h, window 1h"].false_a_month > 50
    assert rules["the same, with n >= 30"].delay is None
    assert rules["the detector"].false_a_month < 0.3
    cusum = rules["CUSUM tuned for 55/30/15"]
    assert cusum.other_mix > 5 * cusum.false_a_month


def test_looking_again_and_again_misses_with_intervals_and_not_with_bands(rng: np.random.Generator) -> None:
    rows = [*misses(3_000, 100, rng)]
    assert all(row.interval > 0.3 for row in rows)
    assert all(row.since < 0.15 for row in rows)


def test_the_test_of_two_samples_has_the_size_it_says_where_shrinking_to_0_has_not(
    rng: np.random.Generator,
) -> None:
    five, one = sizes((10,), 5, rng)
    assert five.to_baseline < 0.065
    assert five.to_zero > 0.12
    assert one.to_baseline < 0.02


def test_the_worst_of_all_mixes_is_shown() -> None:
    kept = {"baseline": 200, "a_day": 50, "weekend": 0}
    found = ((1, 0.1), (20, 0.2), (1, 0.3), (20, 0.1))
    rows = [{**kept, "series": series, "alarms": alarms, "error": 0.01} for series, alarms in found]
    assert worst(rows) == [{**kept, "1 series": (0.3, 0.01), "20 series": (0.2, 0.01)}]


def test_a_picture_is_drawn_of_curves_and_escaped() -> None:
    drawn = curves(
        "a < b", Axis("n", (1, 10), log=True), Axis("%", (0, 1)), [Curve("x & y", "ours", [(1, 0), (10, 2)])]
    )
    assert "a &lt; b" in drawn
    assert "x &amp; y" in drawn
    assert 'd="M70.0 284.0L736.0 66.0"' in drawn  # the 2 is drawn at the end of its axis


def test_json_holds_every_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = Effort(coverage=(3,), runs=4, rules=1, looks=2, answers=50, after=(2,), baselines=1, busy=False)
    monkeypatch.setattr("benchmarks.simulate.__main__.QUICK", tiny)
    assert main(["--quick", "--json"]) == 0
    found: dict[str, list[dict[str, Any]]] = json.loads(capsys.readouterr().out)
    assert set(found) == {"coverage", "rules", "false_alarms", "ablation", "delays", "looks", "sizes"}
    assert {row["series"] for row in found["false_alarms"]} == {1, 20, 100, 500}
