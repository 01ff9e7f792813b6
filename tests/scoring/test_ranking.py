"""Which of many series are flagged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.ranking import discoveries, flagged

evidences = st.dictionaries(st.integers(), st.floats(0, 1e9), max_size=30)
p_values = st.dictionaries(st.integers(), st.floats(0, 1), max_size=30)


@pytest.mark.parametrize(
    ("evidence", "names"),
    [
        ([399, 0, 0, 0], ""),  # alone it has to reach S * patience = 400
        ([400, 0, 0, 0], "a"),
        ([200, 200, 0, 0], "ab"),  # two of them the half
        ([200, 199, 0, 0], ""),
        ([90, 134, 140, 150], "dcb"),  # three reach a third; a is left out
        ([100, 100, 100, 100], "abcd"),
    ],
)
def test_the_more_series_stand_out_the_less_each_has_to(evidence: list[float], names: str) -> None:
    assert flagged(dict(zip("abcd", evidence, strict=True)), patience=100) == list(names)


@given(evidences, st.floats(1, 1e6))
def test_flags_are_the_largest_set_that_reaches_its_level(evidence: dict[int, float], patience: float) -> None:
    found = flagged(evidence, patience)
    ordered = sorted(evidence.values(), reverse=True)
    levels = [len(evidence) * patience / k for k in range(1, len(evidence) + 1)]
    sizes = [k for k, (e, level) in enumerate(zip(ordered, levels, strict=True), 1) if e >= level]
    assert len(found) == max(sizes, default=0)
    assert [evidence[key] for key in found] == ordered[: len(found)]


@given(evidences, st.floats(1, 1e6))
def test_more_evidence_never_unflags(evidence: dict[int, float], patience: float) -> None:
    more = {key: 2 * value for key, value in evidence.items()}
    assert set(flagged(evidence, patience)) <= set(flagged(more, patience))


def test_discoveries_of_the_paper() -> None:
    """The fifteen p-values of Benjamini and Hochberg (1995), table 1: four at 5 %."""
    published = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    published += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
    assert discoveries(dict(enumerate(reversed(published)))) == [14, 13, 12, 11]


@given(p_values, st.floats(0.001, 0.5))
def test_discoveries_lie_between_bonferroni_and_no_correction(p: dict[int, float], rate: float) -> None:
    found = discoveries(p, rate)
    assert (
        {key for key in p if p[key] < rate / len(p)} <= set(found) <= {key for key in p if p[key] <= rate * 1.001}
    )
    assert [p[key] for key in found] == sorted(p.values())[: len(found)]


def test_nothing_is_watched_and_nothing_found() -> None:
    assert flagged({}, 100) == discoveries({}) == []
