"""Daily caps: never more than so many in a calendar day, over all partitions."""

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.times import DAY, HOUR, SECOND, Duration, from_ms, to_ms
from surveys.caps import ALL, LONGEST_DAY, NO_CAPS, Caps, Place, Sent
from surveys.contacts import NOBODY
from surveys.decide import decide, decide_ask
from surveys.hours import Sending
from surveys.rules import Rules
from surveys.settle import settle
from tests.make import NOW, ask, rules, survey, touchpoint
from tests.surveys.test_decide import waiting

MIDNIGHT = NOW + 12 * HOUR
AT_ONCE = survey(quiet_period=Duration(0))
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "America/Sao_Paulo", "Pacific/Apia"]


def capped(one: Rules, partitions: int = 1) -> Rules:
    return Rules(one.surveys, one.asking, partitions=partitions)


def left(one: Rules, counts: dict[str, int], now: int = NOW) -> Sent:
    """What a partition has sent off today, by scope."""
    return Sent(one.caps, 0, {Place(one.caps.day(now), scope): n for scope, n in counts.items()})


@given(cap=st.integers(1, 500), partitions=st.integers(1, 50), day=st.integers(700_000, 800_000))
def test_the_shares_of_a_day_are_the_cap_and_every_partition_gets_its_part(
    cap: int, partitions: int, day: int
) -> None:
    caps = Caps({ALL: cap}, partitions=partitions)
    shares = [[caps.share(Place(day + n, ALL), p) for p in range(partitions)] for n in range(partitions)]
    assert {sum(of_day) for of_day in shares} == {cap}
    assert {sum(of_partition) for of_partition in zip(*shares, strict=True)} == {cap}
    assert max(shares[0]) - min(shares[0]) <= 1


@given(name=st.sampled_from(ZONES), at=st.integers(0, to_ms(datetime(2040, 1, 1, tzinfo=UTC))))
@example("America/St_Johns", to_ms(datetime(2010, 11, 7, 2, 31, tzinfo=UTC)))  # 00:01 was 23:01 again
@example("America/Sao_Paulo", to_ms(datetime(2017, 10, 15, 2, tzinfo=UTC)))  # a day without a midnight
@example("Pacific/Apia", to_ms(datetime(2011, 12, 30, 9, tzinfo=UTC)))  # a date that was left out
def test_a_cap_ends_with_the_day_where_it_holds(name: str, at: int) -> None:
    caps = Caps({ALL: 1}, ZoneInfo(name))
    ends = caps.ends(at)
    assert at < ends <= at + LONGEST_DAY
    assert caps.day(ends) > caps.day(at)
    assert caps.day(ends - 1) == caps.day(at)


def test_a_day_is_that_of_the_sending_hours_zone() -> None:
    one = rules(AT_ONCE, per_day=1, sending=Sending(timezone="Europe/Berlin"))
    assert from_ms(one.caps.ends(NOW)) == datetime(2026, 3, 1, 23, tzinfo=UTC)
    assert from_ms(rules(AT_ONCE, per_day=1).caps.ends(NOW)) == datetime(2026, 3, 2, tzinfo=UTC)


def test_without_a_cap_nothing_is_counted() -> None:
    assert rules(AT_ONCE).caps == NO_CAPS
    assert NO_CAPS.around(NOW) == NO_CAPS.places("nps", NOW) == []


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({"nps": 2, ALL: 4}, "triggered"),
        ({"nps": 3, ALL: 4}, "cap_survey"),
        ({"nps": 2, ALL: 5}, "cap_all"),
        ({"nps": 3, ALL: 5}, "cap_survey"),
        ({}, "cap_survey"),  # what was sent is not known
    ],
)
def test_a_reached_cap_is_told(counts: dict[str, int], reason: str) -> None:
    one = rules(survey(per_day=3), per_day=5)
    [verdict] = decide(one, touchpoint(), NOBODY, NOW, left(one, counts)).verdicts
    assert verdict.reason == reason
    [verdict] = decide_ask(one, ask("nps"), NOBODY, NOW, left(one, counts)).verdicts
    assert verdict.reason == reason


def test_two_surveys_of_one_event_count_on_each_other() -> None:
    one = rules(survey("a"), survey("b", quiet_period=Duration(0)), per_day=1, quiet_period=0)
    verdicts = decide(one, touchpoint(), NOBODY, NOW, left(one, {ALL: 0})).verdicts
    assert [verdict.reason for verdict in verdicts] == ["triggered", "cap_all"]


def test_who_may_wait_waits_for_the_next_day_and_its_hours() -> None:
    office = Sending(hours="09:00-17:00")
    for sending, due in ((None, MIDNIGHT), (office, MIDNIGHT + 9 * HOUR)):
        one = rules(survey(per_day=1, defer=Duration(DAY), sending=sending))
        [verdict] = decide(one, touchpoint(), NOBODY, NOW, left(one, {"nps": 1})).verdicts
        assert (verdict.decision, verdict.reason, verdict.due_at) == ("scheduled", "cap_survey", from_ms(due))


def test_what_is_sent_later_counts_on_the_day_it_is_sent() -> None:
    one = rules(survey(per_day=1, delay=Duration(DAY)))
    sent = left(one, {"nps": 1})
    [verdict] = decide(one, touchpoint(), NOBODY, NOW, sent).verdicts
    assert (verdict.decision, sent.added) == ("scheduled", [])


@pytest.mark.parametrize(("defer", "wanted"), [(0, "cap_survey"), (2 * DAY, MIDNIGHT), (2 * HOUR, "cap_survey")])
def test_what_is_due_waits_on_or_is_dropped(defer: int, wanted: str | int) -> None:
    one = rules(survey(per_day=1, defer=Duration(defer)))
    state = decide(rules(survey(delay=Duration(1))), touchpoint(), NOBODY, NOW).state
    [request_id] = state.pending.values()
    found = settle(one, waiting(id_=request_id), state, NOW, left(one, {"nps": 1}))
    assert (found if isinstance(found, int) else found.reason) == wanted
    sent = left(one, {"nps": 0})
    settled = settle(one, waiting(id_=request_id), state, NOW, sent)
    assert not isinstance(settled, int)
    assert settled.reason == "due"
    assert sent.added == [(Place(one.caps.day(NOW), "nps"), request_id)]


@given(
    own=st.integers(1, 9),
    over_all=st.integers(1, 9),
    partitions=st.integers(1, 4),
    times=st.lists(st.tuples(st.integers(0, 3 * DAY // SECOND), st.sampled_from("ab")), max_size=60),
)
def test_no_more_are_asked_in_a_day_and_none_is_refused_before(
    own: int, over_all: int, partitions: int, times: list[tuple[int, str]]
) -> None:
    """Everybody is somebody else, so that nothing but the caps forbids."""
    surveys = survey("a", trigger="a", per_day=own), survey("b", trigger="b")
    one = capped(rules(*surveys, per_day=over_all), partitions)
    counts: list[Counter[Place]] = [Counter() for _ in range(partitions)]
    for number, (second, event) in enumerate(sorted(times)):
        now, partition = NOW + second * SECOND, number % partitions
        sent = Sent(one.caps, partition, {place: counts[partition][place] for place in one.caps.around(now)})
        decided = decide(one, touchpoint(f"e{number}", event=event, at=now), NOBODY, now, sent)
        counts[partition].update(place for place, _ in sent.added)
        reason = next(verdict.reason for verdict in decided.verdicts if verdict.survey_id == event)
        full = [p for p in one.caps.places(event, now) if counts[partition][p] >= one.caps.share(p, partition)]
        assert reason == "triggered" or full
    for place, n in sum(counts, Counter()).items():
        assert n <= (own if place.scope == "a" else over_all)
