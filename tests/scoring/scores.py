"""Drawn answers of any scale."""

from hypothesis import strategies as st

from scoring.scales import SCALES, SCORES, Scale

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
