"""What moved in a while."""

from collections.abc import Mapping

import pytest

from scoring.board import Board
from scoring.digest import FEWEST, Digest, digest, reference
from scoring.scales import CSAT, NPS
from scoring.segments import Dimension, Dimensions, Series
from scoring.tally import merge
from scoring.windows import DEFAULT_WINDOWS
from tests.make import NOW

WINDOWS = {window.name: window for window in DEFAULT_WINDOWS}
PLAN = Dimensions((Dimension("plan"),))

Plans = Mapping[str, tuple[int, int, int]]  # promoters, passives, detractors by plan


def held(survey: str, plans: Plans) -> dict[Series, list[int]]:
    parts = {
        Series(survey, "plan", plan): [detractors, *[0] * 6, passives, 0, 0, promoters]
        for plan, (promoters, passives, detractors) in plans.items()
    }
    return {Series(survey): merge(parts.values()), **parts}


def of(now: Plans, before: Plans, survey: str = "nps") -> Digest:
    recent, older = held(survey, now), held(survey, before)
    whole = {one: merge([recent.get(one, [0] * 11), older.get(one, [0] * 11)]) for one in recent | older}
    board = Board(NOW, {"7d": recent, "30d": whole, "all": whole})
    [found] = digest(board, {survey: NPS}, PLAN, WINDOWS["7d"], WINDOWS["30d"])
    return found


def names(lines: object) -> list[str]:
    return [line.series.value for line in lines]  # type: ignore[attr-defined]


def test_a_segment_that_fell_and_one_that_rose_have_moved() -> None:
    before = {"free": (100, 50, 50), "pro": (100, 50, 50), "same": (100, 50, 50)}
    found = of({"free": (10, 20, 70), "pro": (90, 8, 2), "same": (50, 25, 25)}, before)
    assert set(names(found.moved)) == {"free", "pro"}
    rose = {line.series.value: line.rose for line in found.moved}
    assert rose == {"free": False, "pro": True}
    changes = {line.series.value: line.change for line in found.moved}
    assert changes == {"free": pytest.approx(-85), "pro": pytest.approx(63)}


def test_what_chance_does_has_not_moved() -> None:
    before = dict.fromkeys(("a", "b", "c"), (100, 50, 50))
    found = of({"a": (22, 9, 9), "b": (18, 10, 12), "c": (20, 10, 10)}, before)
    assert not found.moved
    assert found.total.p is not None
    assert not found.total.moved


def test_few_answers_are_not_compared_and_not_ranked() -> None:
    few = FEWEST - 1
    found = of({"few": (0, 0, few), "many": (60, 20, 20)}, {"few": (500, 0, 0), "many": (600, 200, 200)})
    assert not found.moved
    assert (found.best, found.lowest) == ([], [])


def test_best_and_lowest_share_no_segment() -> None:
    plans = {name: (n, 0, 100 - n) for name, n in (("a", 90), ("b", 70), ("c", 50), ("d", 30), ("other", 99))}
    found = of(plans, plans)
    assert (names(found.best), names(found.lowest)) == (["a", "b"], ["d", "c"])


def test_nobody_has_answered() -> None:
    found = of({}, {})
    assert (found.total.now.score, found.total.change, found.total.p) == (None, None, None)
    assert not found.total.rose
    assert not found.moved


def test_surveys_are_told_on_their_own_scales() -> None:
    recent = {Series("happy"): [0, 0, 0, 0, 10, 40, 0, 0, 0, 0, 0]}
    whole = {Series("happy"): [0, 50, 0, 0, 10, 90, 0, 0, 0, 0, 0]}
    board = Board(NOW, {"7d": recent, "30d": whole, "all": whole})
    [found] = digest(board, {"happy": CSAT}, PLAN, WINDOWS["7d"], WINDOWS["30d"])
    assert (found.total.now.score, found.total.change) == (100, 50)
    assert found.total.moved


@pytest.mark.parametrize(("recent", "longer"), [("1h", "24h"), ("24h", "7d"), ("7d", "30d"), ("30d", None)])
def test_what_a_window_is_compared_with(recent: str, longer: str | None) -> None:
    found = reference(DEFAULT_WINDOWS, WINDOWS[recent])
    assert (found.name if found else None) == longer
