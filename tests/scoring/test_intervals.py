"""The interval of one score."""

from itertools import product
from math import comb

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scoring.intervals import adjusted_wald

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
