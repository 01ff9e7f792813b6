"""A batch spread over series and buckets, against counting one by one."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoring.cells import Cells, Row, spread
from scoring.segments import Series

FEEDS = [
    [Series("nps")],
    [Series("nps"), Series("nps", "plan", "pro"), Series("nps", "region", "eu")],
    [Series("nps"), Series("nps", "plan", "free")],
    [Series("csat")],
]
WINDOWS = [(1, 2_000), (15, 0), (1_440, 1)]
ANSWERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3_000), st.integers(0, 10)), max_size=60)


def cells(answers: list[tuple[int, int, int]]) -> Cells:
    feed, minute, score = np.array(answers, np.int64).reshape(-1, 3).T
    return spread(FEEDS, feed, minute, score, WINDOWS)


def counted(found: Cells, rows: list[Row]) -> Counter[tuple[Series, int]]:
    return Counter(
        {(found.series[number], score): n for number, histogram in rows for score, n in enumerate(histogram) if n}
    )


@given(ANSWERS)
def test_every_answer_is_counted_in_all_its_series_and_buckets(answers: list[tuple[int, int, int]]) -> None:
    found = cells(answers)
    assert counted(found, found.total) == Counter(
        (series, score) for feed, _, score in answers for series in FEEDS[feed]
    )
    for (width, first), buckets in zip(WINDOWS, found.buckets, strict=True):
        inside = [one for one in answers if one[1] // width >= first]
        expected = Counter(
            (minute // width, series, score) for feed, minute, score in inside for series in FEEDS[feed]
        )
        assert (
            Counter(
                {
                    (bucket, series, score): n
                    for bucket, rows in buckets
                    for (series, score), n in counted(found, rows).items()
                }
            )
            == expected
        )
        assert [bucket for bucket, _ in buckets] == sorted({minute // width for _, minute, _ in inside})


def test_no_answers_fill_no_cells() -> None:
    nothing = np.array([], np.int64)
    assert spread([], nothing, nothing, nothing, [(1, 0)]) == Cells([], [], [[]])
