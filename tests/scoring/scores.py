"""Drawn answers of any scale, and the interval of an NPS."""

from hypothesis import strategies as st

from scoring.intervals import Z95, interval
from scoring.moments import Moments
from scoring.scales import NPS, SCALES, SCORES, Scale

scales = st.sampled_from([*SCALES.values()])


@st.composite
def histograms(draw: st.DrawFn, scale: Scale, least: int = 0, most: int = 500) -> list[int]:
    """Answers by score, at least ``least`` of them and about ``most`` at most of each."""
    bins = [0] * SCORES
    for score in range(scale.lowest, scale.highest + 1):
        bins[score] = draw(st.integers(0, most))
    missing = least - sum(bins)
    if missing > 0:
        bins[draw(st.integers(scale.lowest, scale.highest))] += missing
    return bins


def adjusted_wald(promoters: int, detractors: int, n: int, z: float = Z95) -> tuple[float, float]:
    """The interval of an NPS from its groups."""
    return interval(Moments(n, promoters - detractors, promoters + detractors), NPS, z)
