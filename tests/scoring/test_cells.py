"""Answers spread over series and buckets, against counting one by one."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoring.cells import Cells, Changes, buckets, entries, tabulate

FEEDS = [np.array(fed, np.int64) for fed in ([0], [0, 1, 2], [0, 3], [4])]
SERIES = 5
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 3_000), st.integers(0, 10), st.integers(-1, 1), st.integers(-1, 1)
    ),
    max_size=60,
)
Change = tuple[int, int, int, int, int]


def columns(changes: list[Change]) -> Changes:
    return Changes(*np.array(changes, np.int64).reshape(-1, 5).T)


def counted(cells: Cells) -> Counter[tuple[int, int]]:
    """By line and score."""
    assert cells.line.tolist() == sorted(set(cells.line.tolist()))
    assert cells.histogram.any(axis=1).all()
    table = zip(cells.line.tolist(), cells.histogram.tolist(), strict=True)
    return Counter({(line, score): n for line, histogram in table for score, n in enumerate(histogram) if n})


def summed(found: list[tuple[tuple[int, ...], int]]) -> Counter[tuple[int, ...]]:
    total: Counter[tuple[int, ...]] = Counter()
    for key, n in found:
        total[key] += n
    return Counter({key: n for key, n in total.items() if n})


@given(CHANGES)
def test_every_change_is_one_of_each_of_its_series(changes: list[Change]) -> None:
    found = entries(FEEDS, columns(changes))
    each = list(zip(*(column.tolist() for column in found), strict=True))
    for place in (3, 4):
        assert summed([(one[:3], one[place]) for one in each]) == summed(
            [((series, *one[1:3]), one[place]) for one in changes for series in FEEDS[one[0]].tolist()]
        )


@given(CHANGES, st.sampled_from([SERIES, 100_000]))
def test_lines_are_summed_by_score(changes: list[Change], lines: int) -> None:
    found = columns(changes)
    assert counted(tabulate(found.feed, found.score, found.n, lines)) == summed(
        [((line, score), n) for line, _, score, n, _ in changes]
    )


@given(CHANGES, st.sampled_from([(1, 2_000), (15, 0), (1_440, 1)]))
def test_buckets_hold_what_falls_into_them(changes: list[Change], window: tuple[int, int]) -> None:
    width, first = window
    found = [
        ((bucket, *cell), n)
        for bucket, cells in buckets(columns(changes), SERIES, width, first)
        for cell, n in counted(cells).items()
    ]
    assert Counter(dict(found)) == summed(
        [((at // width, line, score), n) for line, at, score, n, _ in changes if at // width >= first]
    )
