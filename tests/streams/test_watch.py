"""The watch lane's rule."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.scales import CES, CSAT, NPS, Scale
from scoring.segments import Series
from streams.events import Baseline, Event, Increment
from streams.store import Outgoing
from streams.times import DAY, HOUR, from_ms
from streams.topics import BASELINES
from streams.watch import NEW, Reading, Watch, WatchedSeries, WatchScores, reading
from tests.make import NOW, batch, increment

ALL, PRO = Series("nps"), Series("nps", "plan", "pro")
WATCH = Watch(dict.fromkeys([ALL, PRO], NPS), learn=10, learn_days=0)
RULE = WatchScores(WATCH)
FORTY = [15, 0, 0, 0, 0, 0, 0, 30, 0, 55, 0]  # 55 % promoters, 15 % detractors
SOURCE = "survey.responses:0"


def baseline(answers: list[int], **fields: Any) -> Baseline:
    return Baseline(
        survey_id="nps", answers=answers, days=2, set_at=from_ms(NOW), set_by="ann", reason="release", **fields
    )


def after(*events: Event, known: WatchedSeries = NEW, timestamp: int = NOW) -> WatchedSeries:
    """What is known of the survey as a whole after these events."""
    plan = RULE.decide(batch(*events, timestamp=timestamp), {ALL.key: known}, NOW)
    return plan.series.get(ALL.key, known)


def returned(*events: Event, known: WatchedSeries = NEW) -> list[Outgoing]:
    return RULE.decide(batch(*events), {ALL.key: known}, NOW).outgoing


def test_a_baseline_is_learned_from_the_first_answers() -> None:
    known = after(increment(*[9] * 6), timestamp=NOW - 3 * DAY)
    assert (known.baseline, sum(known.learned), known.since) == (None, 6, NOW - 3 * DAY)
    plan = RULE.decide(batch(increment(7, 7, 0, 0, offset=6)), {ALL.key: known}, NOW)
    learned = Baseline(
        survey_id="nps",
        answers=[2, 0, 0, 0, 0, 0, 0, 2, 0, 6, 0],
        days=3,
        set_at=from_ms(NOW),
        set_by="livenps",
        reason="learned from the first 10 answers",
    )
    assert plan.series[ALL.key] == WatchedSeries(baseline=learned, seen={SOURCE: 9})
    assert plan.outgoing == [Outgoing(BASELINES, ALL.key, learned)]


def test_it_takes_some_days_however_many_answer() -> None:
    rule = WatchScores(Watch({ALL: NPS}, learn=10, learn_days=7))
    [known] = rule.decide(batch(increment(*[9] * 50), timestamp=NOW), {}, NOW).series.values()
    assert known.baseline is None
    for at, learned in ((NOW + 7 * DAY - 1, False), (NOW + 7 * DAY, True)):
        plan = rule.decide(batch(increment(9, offset=50), timestamp=at), {ALL.key: known}, NOW)
        [later] = plan.series.values()
        assert (later.baseline is not None) == learned


def test_answers_that_come_all_at_once_are_taken_for_those_of_an_hour() -> None:
    learned = after(increment(*[9] * 10)).baseline
    assert learned is not None
    assert learned.days == HOUR / DAY


def test_a_baseline_that_is_set_takes_the_place_of_another_and_begins_anew() -> None:
    known = after(baseline(FORTY), increment(*[0] * 20))
    assert known.drop.evidence > 1
    again = baseline([50, 0, 0, 0, 0, 0, 0, 0, 0, 50])
    assert after(again, known=known) == WatchedSeries(baseline=again, seen=known.seen)
    assert returned(again, known=known) == [Outgoing(BASELINES, ALL.key, again)]


def test_a_baseline_that_was_set_at_no_time_is_refused() -> None:
    undated = baseline(FORTY)
    undated.set_at = 1e300
    plan = RULE.decide(batch(undated, increment(9)), {}, NOW)
    assert [one.reason for one in plan.refused] == ["invalid"]
    assert plan.outgoing == []
    assert plan.series[ALL.key].baseline is None


def test_a_baseline_that_is_reset_is_learned_anew() -> None:
    known = after(baseline(FORTY), increment(*[0] * 20))
    forget = baseline([])
    assert after(forget, known=known) == WatchedSeries(seen=known.seen)
    assert returned(forget, known=known) == [Outgoing(BASELINES, ALL.key, forget)]


def test_answers_below_the_baseline_are_evidence_of_a_drop_and_those_above_of_a_rise() -> None:
    fell = reading(WATCH, after(baseline(FORTY), increment(*[0] * 100)))
    rose = reading(WATCH, after(baseline(FORTY), increment(*[10] * 100)))
    same = reading(WATCH, after(baseline(FORTY), increment(*[0, 7, 7, 9, 9, 9, 10, 8] * 12)))
    assert fell is not None
    assert rose is not None
    assert same is not None
    assert fell.baseline == 40
    assert fell.drop >= fell.threshold > same.drop > fell.rise
    assert rose.rise >= rose.threshold > same.rise > rose.drop


def test_while_it_learns_there_is_nothing_to_read() -> None:
    assert reading(WATCH, after(increment(9))) is None


def test_segments_are_series_of_their_own() -> None:
    plan = RULE.decide(batch(increment(9), increment(3, series=PRO)), {}, NOW)
    assert {key: sum(known.learned) for key, known in plan.series.items()} == {ALL.key: 1, PRO.key: 1}


def test_what_is_not_watched_any_more_is_passed_over() -> None:
    gone = increment(9, series=Series("gone"))
    plan = RULE.decide(batch(gone, baseline(FORTY, dimension="x", segment="y")), {}, NOW)
    assert (plan.series, plan.outgoing) == ({}, [])


@pytest.mark.parametrize("start", [NEW, after(baseline(FORTY))])
@given(data=st.data())
def test_repeats_change_nothing_however_they_are_cut(start: WatchedSeries, data: st.DataObject) -> None:
    """Steps come again after a crash, cut into other batches."""
    scores = {source: data.draw(st.lists(st.integers(0, 10), max_size=30)) for source in ("a:0", "a:1")}

    def cut(source: str) -> list[Increment]:
        found, at, end = [], 0, len(scores[source])
        while at < end:
            size = data.draw(st.integers(1, end - at))
            found.append(increment(*scores[source][at : at + size], offset=at, source=source))
            at += size
        return found

    once = [one for source in scores for one in cut(source)]
    again = data.draw(st.permutations([one for source in scores for one in cut(source)]))
    known = after(*once, known=start)
    assert after(*once, *again, known=start) == known
    assert known.seen == {source: len(found) - 1 for source, found in scores.items() if found}
    if start.baseline:
        assert known.answers == sum(map(len, scores.values()))


@given(st.lists(st.integers(0, 10), min_size=2, max_size=60), st.data())
def test_one_increment_or_two_are_the_same(scores: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(scores) - 1))
    start = after(baseline(FORTY))
    parts = increment(*scores[:at]), increment(*scores[at:], offset=at)
    assert after(increment(*scores), known=start) == after(*parts, known=start)


def test_what_it_reads_is_keyed_by_the_series() -> None:
    assert RULE.key(increment(9, series=PRO)) == PRO.key
    assert RULE.key(baseline(FORTY)) == ALL.key


# other scales

SATISFIED = [0, 5, 5, 10, 40, 40, 0, 0, 0, 0, 0]  # 80 % of 100
EASY = [0, 5, 5, 5, 10, 25, 25, 25, 0, 0, 0]  # a mean of 5.2


@pytest.mark.parametrize(("scale", "answers", "points"), [(CSAT, SATISFIED, 80), (CES, EASY, 5.2)])
def test_a_series_is_watched_on_its_surveys_scale(scale: Scale, answers: list[int], points: float) -> None:
    watch = Watch({ALL: scale}, learn=10)
    rule = WatchScores(watch)

    def told(score: int) -> Reading:
        plan = rule.decide(batch(baseline(answers), increment(*[score] * 200)), {}, NOW)
        found = reading(watch, plan.series[ALL.key])
        assert found is not None
        return found

    worst, best = told(scale.lowest), told(scale.highest)
    assert worst.baseline == best.baseline == pytest.approx(points)
    assert worst.drop >= worst.threshold > worst.rise
    assert best.rise > best.drop


def test_scores_that_the_scale_does_not_have_are_passed_over() -> None:
    """Steps of before the survey's metric was changed."""
    rule = WatchScores(Watch({ALL: CSAT}, learn=10))
    plan = rule.decide(batch(increment(0, 3, 9, 5, 10)), {}, NOW)
    assert plan.series[ALL.key].learned == [0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("known", [after(baseline(FORTY), increment(*[0] * 20)), after(increment(9, 9))])
def test_a_survey_with_another_metric_is_learned_anew(known: WatchedSeries) -> None:
    watch = Watch({ALL: CSAT}, learn=10)
    assert reading(watch, known) is None
    plan = WatchScores(watch).decide(batch(increment(5, 4, offset=20)), {ALL.key: known}, NOW)
    found = plan.series[ALL.key]
    assert found == WatchedSeries(learned=[0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], since=NOW, seen={SOURCE: 21})
