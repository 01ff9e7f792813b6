"""When something is due."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livenps.schedule import Schedule
from streams.times import DAY, HOUR, from_ms, rfc3339, to_ms

ZONES = [
    ZoneInfo(name)
    for name in ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu")
]
INSTANTS = st.integers(to_ms(datetime(2000, 1, 1, tzinfo=UTC)), to_ms(datetime(2100, 1, 1, tzinfo=UTC)))
SCHEDULES = st.builds(
    Schedule,
    st.sets(st.integers(0, 6), min_size=1),
    st.times().map(lambda one: time(one.hour, one.minute)),
    st.sampled_from(ZONES),
)


@given(SCHEDULES, INSTANTS)
def test_last_and_next_are_neighbours_around_now(schedule: Schedule, now: int) -> None:
    last, following = schedule.last(now), schedule.next(now)
    assert last <= now < following
    assert schedule.last(following - 1) == last
    assert schedule.next(last) == following
    assert schedule.last(last) == last
    assert following - last <= 7 * DAY + 2 * HOUR


@given(SCHEDULES, INSTANTS)
def test_it_is_on_a_named_day_at_the_time_that_clocks_show(schedule: Schedule, now: int) -> None:
    local = from_ms(schedule.last(now)).astimezone(schedule.zone)
    assert local.weekday() in schedule.days
    late = datetime.combine(local.date(), local.time()) - datetime.combine(local.date(), schedule.at)
    assert 0 <= late.total_seconds() <= 3_600, "only a time that clocks skip comes later"


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2026-03-29T00:59:00+00:00", "2026-03-28T01:30:00Z"),
        ("2026-03-29T01:30:00+00:00", "2026-03-29T01:30:00Z"),  # 02:30 was skipped
        ("2026-10-25T01:45:00+00:00", "2026-10-25T00:30:00Z"),  # 02:30 was there twice
        ("2026-10-26T01:30:00+00:00", "2026-10-26T01:30:00Z"),
    ],
)
def test_where_clocks_change(now: str, last: str) -> None:
    schedule = Schedule(range(7), time(2, 30), ZoneInfo("Europe/Berlin"))
    assert rfc3339(schedule.last(to_ms(datetime.fromisoformat(now)))) == last
