"""How a score went."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from scoring.intervals import since
from scoring.scales import CSAT, NPS, SCORES
from scoring.tally import Tally, merge
from scoring.trend import FEWEST, POINTS, Band, Bucket, band, points, shift
from streams.times import HOUR, MINUTE
from tests.make import NOW

HISTOGRAMS = st.lists(st.lists(st.integers(0, 5), min_size=SCORES, max_size=SCORES), min_size=1, max_size=100)


def buckets(histograms: list[list[int]]) -> list[Bucket]:
    return [Bucket(NOW + n * HOUR, histogram) for n, histogram in enumerate(histograms)]


def of(**scores: int) -> list[int]:
    """A histogram: s9=2 are two answers of 9."""
    return [scores.get(f"s{n}", 0) for n in range(SCORES)]


@given(HISTOGRAMS)
def test_points_hold_every_answer_once_in_order(histograms: list[list[int]]) -> None:
    found = points(buckets(histograms), NPS)
    assert 1 <= len(found) <= POINTS
    assert merge(tally.histogram for _, tally in found) == merge(histograms)
    assert found[0][0] == NOW
    steps = {later - earlier for (earlier, _), (later, _) in pairwise(found[1:])}
    assert len(steps) <= 1, "all but the first are as long"
    if len(found) > 1:
        assert found[-1][0] + max(steps, default=HOUR) <= NOW + len(histograms) * HOUR


def test_points_of_little() -> None:
    assert points([], NPS) == []
    assert points(buckets([of(s9=1), of()]), NPS) == [(NOW, Tally(NPS, of(s9=1))), (NOW + HOUR, Tally(NPS, of()))]


def test_a_band_gathers_from_its_start_on() -> None:
    given_ = buckets([of(s0=9), of(s9=3), of(), of(s9=1, s0=2)])
    found = band(given_, NPS, NOW + HOUR)
    assert [(one.at, one.score, one.n) for one in found] == [(NOW + HOUR, 100, 3), (NOW + 3 * HOUR, 100 / 3, 6)]
    whole = Tally(NPS, of(s9=4, s0=2))
    assert found[-1][2:4] == since(whole.moments, NPS)


def test_the_bucket_that_a_band_begins_in_is_left_out() -> None:
    given_ = buckets([of(s9=3), of(s9=1)])
    assert [one.n for one in band(given_, NPS, NOW + MINUTE)] == [1]
    assert band(given_, NPS, NOW + 2 * HOUR) == []


def test_a_band_is_of_the_scale() -> None:
    [found] = band(buckets([[0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0]]), CSAT, NOW)
    assert found == Band(NOW, 75, found.lower, found.upper, 4)
    assert 0 <= found.lower < 75 < found.upper <= 100


def test_a_change_compares_what_came_before_with_what_came_since() -> None:
    """The bucket that the moment lies in is on neither side, unless the moment is where it begins."""
    given_ = buckets([of(s9=30), of(s9=10), of(s0=40), of(s0=1)])
    before, after, bounds = shift(given_, NPS, NOW + HOUR)
    assert (before.n, after.n) == (30, 51)
    assert bounds is not None
    assert bounds[0] < -100 - 100 * 31 / 51 < bounds[1]
    before, after, bounds = shift(given_, NPS, NOW + HOUR + MINUTE)
    assert (before.n, after.n) == (30, 41)
    assert bounds is not None
    assert bounds[1] < 0, "from 100 to -100 is no chance"


def test_a_change_from_few_answers_has_no_bounds() -> None:
    enough, few = of(s9=FEWEST), of(s9=FEWEST - 1)
    assert shift(buckets([enough, few]), NPS, NOW + HOUR).bounds is None
    assert shift(buckets([few, enough]), NPS, NOW + HOUR).bounds is None
    assert shift(buckets([enough, enough]), NPS, NOW + HOUR).bounds is not None
    assert shift([], NPS, NOW).bounds is None


def test_looked_at_after_every_bucket_a_change_that_is_none_stays_one() -> None:
    """400 runs of 55/30/15 before and after: at most 5 % may ever say that something changed."""
    dice, missed = Random(7), 0
    for _ in range(400):
        drawn = [dice.choices((10, 8, 0), (55, 30, 15), k=30) for _ in range(20)]
        given_ = buckets([[scores.count(score) for score in range(SCORES)] for scores in drawn])
        looks = [shift(given_[:end], NPS, NOW + 8 * HOUR).bounds for end in range(9, 21)]
        missed += any(not lower <= 0 <= upper for lower, upper in filter(None, looks))
    assert missed <= 0.05 * 400
