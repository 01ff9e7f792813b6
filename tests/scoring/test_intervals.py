"""The interval of one score."""

from itertools import product
from math import comb, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scoring.intervals import confidence_sequence, interval, since
from scoring.moments import Moments
from scoring.scales import CES, CSAT, NPS, Scale
from tests.scoring.scores import adjusted_wald, histograms, scales

# Worked out with forty decimal digits from the published formula.
EXACT = {
    (5, 2, 10): (-19.050615376, 65.204461530),
    (6, 1, 10): (-0.203292865, 77.126369788),
    (17, 5, 30): (10.382158026, 62.345114701),
    (16, 4, 30): (11.777318854, 60.949953873),
    (43, 9, 100): (20.637096522, 45.382320953),
    (55, 15, 100): (24.599439982, 53.070462930),
    (550, 150, 1000): (35.331125585, 44.429592261),
    (1, 0, 1): (-48.498649420, 98.498649420),
    (0, 0, 1): (-60.011395954, 60.011395954),
    (10, 0, 10): (47.503551545, 100.0),
    (0, 5, 5): (-100.0, -17.491453034),
    (1000, 0, 1000): (99.286783237, 100.0),
}


@st.composite
def counts(draw: st.DrawFn, most: int = 5_000) -> tuple[int, int, int]:
    """Promoters, detractors and n."""
    n = draw(st.integers(1, most))
    promoters = draw(st.integers(0, n))
    return promoters, draw(st.integers(0, n - promoters)), n


@pytest.mark.parametrize("given_counts", EXACT, ids=str)
def test_agrees_with_exact_values(given_counts: tuple[int, int, int]) -> None:
    assert adjusted_wald(*given_counts) == pytest.approx(EXACT[given_counts], abs=1e-8)


@pytest.mark.parametrize(
    ("promoters", "detractors", "n", "half"),
    [(6, 1, 10, 39), (16, 4, 30, 25), (55, 15, 100, 14), (550, 150, 1000, 4.5)],
)
def test_is_as_wide_as_the_literature_says(promoters: int, detractors: int, n: int, half: float) -> None:
    lower, upper = adjusted_wald(promoters, detractors, n)
    assert (upper - lower) / 2 == pytest.approx(half, abs=0.5)


@given(counts())
def test_lies_on_the_scale_and_contains_the_score(drawn: tuple[int, int, int]) -> None:
    promoters, detractors, n = drawn
    lower, upper = adjusted_wald(promoters, detractors, n)
    assert -100 <= lower < upper <= 100
    if n > 1:  # a single promoter's 100 lies above the interval: three pseudo-answers weigh more than one
        assert lower <= 100 * (promoters - detractors) / n <= upper


@given(counts())
def test_is_symmetric_in_promoters_and_detractors(drawn: tuple[int, int, int]) -> None:
    promoters, detractors, n = drawn
    lower, upper = adjusted_wald(promoters, detractors, n)
    assert adjusted_wald(detractors, promoters, n) == pytest.approx((-upper, -lower))


@given(counts(500), st.integers(2, 20))
def test_more_answers_of_the_same_mix_are_surer(drawn: tuple[int, int, int], times: int) -> None:
    lower, upper = adjusted_wald(*drawn)
    assume(lower > -100 and upper < 100)
    narrower = adjusted_wald(*(times * count for count in drawn))
    assert narrower[1] - narrower[0] < upper - lower


@given(counts(), st.floats(0.1, 5), st.floats(0.01, 2))
def test_a_higher_confidence_is_never_narrower(drawn: tuple[int, int, int], z: float, more: float) -> None:
    inner, outer = adjusted_wald(*drawn, z), adjusted_wald(*drawn, z + more)
    assert outer[0] <= inner[0] <= inner[1] <= outer[1]


@pytest.mark.parametrize(("n", "least"), [(10, 0.92), (30, 0.93)])
@pytest.mark.parametrize("mix", [(0.55, 0.15), (0.30, 0.50), (0.43, 0.09), (0.62, 0.22), (0.80, 0.05)])
def test_covers_the_true_score_as_often_as_it_says(n: int, least: float, mix: tuple[float, float]) -> None:
    """Exactly: the probability of every outcome whose interval contains the truth."""
    p, d = mix
    truth = 100 * (p - d)
    covered = 0.0
    for promoters, detractors in product(range(n + 1), repeat=2):
        if promoters + detractors > n:
            continue
        lower, upper = adjusted_wald(promoters, detractors, n)
        if lower <= truth <= upper:
            ways = comb(n, promoters) * comb(n - promoters, detractors)
            covered += ways * p**promoters * d**detractors * (1 - p - d) ** (n - promoters - detractors)
    assert least <= covered <= 0.99


@pytest.mark.parametrize("n", [0, -1])
def test_no_answers_have_no_interval(n: int) -> None:
    with pytest.raises(ValueError, match="at least one answer"):
        adjusted_wald(0, 0, n)


@given(counts())
def test_the_interval_of_a_histogram_is_that_of_its_groups(drawn: tuple[int, int, int]) -> None:
    promoters, detractors, n = drawn
    histogram = [0, 0, 0, 0, detractors, 0, 0, n - promoters - detractors, 0, 0, promoters]
    assert interval(NPS.moments(histogram), NPS) == pytest.approx(adjusted_wald(*drawn))


@pytest.mark.parametrize(
    ("satisfied", "n", "expected"),
    [
        (15, 112, (8.2194, 21.0910)),  # 17/116 +- 1.95996 * sqrt(17/116 * 99/116 / 116)
        (0, 25, (0.0, 16.1190)),
        (25, 25, (83.8810, 100.0)),
    ],
)
def test_the_interval_of_a_csat_adds_two_of_each_kind(
    satisfied: int, n: int, expected: tuple[float, float]
) -> None:
    histogram = [0, n - satisfied, 0, 0, 0, satisfied, 0, 0, 0, 0, 0]
    assert interval(CSAT.moments(histogram), CSAT) == pytest.approx(expected, abs=1e-4)


@given(st.data())
def test_every_scale_has_intervals_and_wider_bands_within_its_ends(data: st.DataObject) -> None:
    scale = data.draw(scales)
    answers = scale.moments(data.draw(histograms(scale, least=3)))
    ends = scale.points(scale.values[0]), scale.points(scale.values[-1])
    for lower, upper in (interval(answers, scale), since(answers, scale)):
        assert ends[0] <= lower < upper <= ends[1]
        assert lower - 1e-9 <= scale.points(answers.mean) <= upper + 1e-9


@pytest.mark.parametrize(("scale", "least"), [(CSAT, 0.93), (CES, 0.915)])
@pytest.mark.parametrize("n", [10, 30, 100])
@pytest.mark.parametrize(
    "shares", [(0.05, 0.05, 0.1, 0.3, 0.5), (0.2,) * 5, (0.4, 0.1, 0, 0.1, 0.4), (0.02, 0.03, 0.05, 0.2, 0.7)]
)
def test_other_scales_cover_the_true_score_as_often_as_they_say(
    scale: Scale, least: float, n: int, shares: tuple[float, ...]
) -> None:
    """By drawing; the five shares are those of a CSAT's scores, and of the CES from 3 to 7."""
    first = scale.highest - 4
    rng = np.random.default_rng(n)
    truth = scale.points(sum(share * scale.value(first + k) for k, share in enumerate(shares)))
    runs, covered = 4_000, 0
    for drawn in rng.multinomial(n, shares, size=runs).tolist():
        lower, upper = interval(scale.moments([0] * first + drawn), scale)
        covered += lower <= truth <= upper
    assert least <= covered / runs <= 0.995


@pytest.mark.parametrize(("n", "half"), [(30, 0.43), (100, 0.22), (500, 0.10), (1500, 0.06)])
def test_a_confidence_sequence_is_as_wide_as_published(n: int, half: float) -> None:
    """At 55/30/15, whose standard deviation is 0.735."""
    assert confidence_sequence(n, sqrt(0.7 - 0.4**2)) == pytest.approx(half, abs=0.006)


@given(st.integers(1, 10**6), st.floats(0.01, 1), st.floats(0.001, 0.5))
def test_a_confidence_sequence_is_wider_than_the_interval_of_one_look(n: int, sd: float, alpha: float) -> None:
    half = confidence_sequence(n, sd, alpha)
    assert half > NormalDist().inv_cdf(1 - alpha / 2) * sd / sqrt(n)
    assert confidence_sequence(4 * n, sd, alpha) < half
    assert confidence_sequence(n, sd, alpha / 2) > half
    assert confidence_sequence(n, 2 * sd, alpha) == pytest.approx(2 * half)


def test_a_band_lies_around_the_padded_answers() -> None:
    lower, upper = since(NPS.moments([0, 0, 0, 0, 2, 0, 0, 8, 0, 0, 90]), NPS)
    p, d = 90.75 / 103, 2.75 / 103
    half = confidence_sequence(100, sqrt(p + d - (p - d) ** 2))
    assert (lower, upper) == pytest.approx((100 * (p - d - half), 100 * min(1, p - d + half)))


@pytest.mark.parametrize(("n", "alpha"), [(0, 0.05), (-1, 0.05), (10, 0), (10, 1)])
def test_a_confidence_sequence_without_answers_or_chance_is_refused(n: int, alpha: float) -> None:
    with pytest.raises(ValueError, match="an answer and an alpha"):
        confidence_sequence(n, 1, alpha)


def test_no_answers_have_no_band() -> None:
    with pytest.raises(ValueError, match="at least one answer"):
        since(Moments(), NPS)
