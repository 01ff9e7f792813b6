"""Sending hours, by the clock on the customer's wall."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.times import DAY, MINUTE, from_ms, to_ms
from surveys.hours import DAYS, Sending, next_open, zone

OFFICE = Sending("09:00-18:00", ["mon", "tue", "wed", "thu", "fri"], "Europe/Berlin")
ZONES = sorted(available_timezones())


def at(text: str, place: str = "Europe/Berlin", fold: int = 0) -> int:
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(place), fold=fold))


def opens(text: str, sending: Sending = OFFICE, place: str | None = None, fold: int = 0) -> str:
    """When it opens, as the wall shows it, with the hours to UTC."""
    opened = next_open(sending, place, at(text, place or sending.timezone, fold))
    return from_ms(opened).astimezone(ZoneInfo(place or sending.timezone)).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("asked", "opened"),
    [
        ("2026-03-02T09:00", "2026-03-02T09:00+01:00"),
        ("2026-03-02T17:59", "2026-03-02T17:59+01:00"),
        ("2026-03-02T18:00", "2026-03-03T09:00+01:00"),
        ("2026-03-02T08:59", "2026-03-02T09:00+01:00"),
        ("2026-03-06T18:00", "2026-03-09T09:00+01:00"),  # Friday evening
        ("2026-03-27T18:00", "2026-03-30T09:00+02:00"),  # a clock is put forward in that weekend
        ("2026-10-23T18:00", "2026-10-26T09:00+01:00"),  # and back in this one
    ],
)
def test_an_evening_or_a_weekend_waits_for_the_next_morning(asked: str, opened: str) -> None:
    assert opens(asked) == opened


def test_the_contacts_time_zone_wins_and_an_unknown_one_is_none() -> None:
    evening = at("2026-03-02T20:00")
    assert from_ms(next_open(OFFICE, "America/New_York", evening)) == from_ms(evening)  # it is 2 p.m. there
    for unknown in (None, "", "Berlin", "../../etc/passwd", "/etc/passwd", "Europe", "\0", "x" * 200):
        assert next_open(OFFICE, unknown, evening) == at("2026-03-03T09:00")


def test_hours_that_a_clock_leaves_out_open_when_it_goes_on() -> None:
    """On 29 March 2026 it is 3 o'clock after 1:59 in Berlin."""
    assert opens("2026-03-29T01:30", Sending("02:00-04:00", timezone="Europe/Berlin")) == "2026-03-29T03:00+02:00"
    assert opens("2026-03-29T01:30", Sending("02:30-04:00", timezone="Europe/Berlin")) == "2026-03-29T03:00+02:00"
    assert opens("2026-03-29T01:30", Sending("02:00-03:00", timezone="Europe/Berlin")) == "2026-03-30T02:00+02:00"


def test_hours_that_a_clock_shows_twice_count_twice() -> None:
    """On 25 October 2026 it is 2 o'clock after 2:59 in Berlin, once."""
    early = Sending("02:00-02:30", timezone="Europe/Berlin")
    assert opens("2026-10-25T01:00", early) == "2026-10-25T02:00+02:00"
    assert opens("2026-10-25T02:29", early) == "2026-10-25T02:29+02:00"
    assert opens("2026-10-25T02:30", early) == "2026-10-25T02:00+01:00"
    assert opens("2026-10-25T02:30", early, fold=1) == "2026-10-26T02:00+01:00"
    late = Sending("01:00-02:30", timezone="Europe/Berlin")
    assert opens("2026-10-25T02:40", late) == "2026-10-25T02:00+01:00"  # when the clock is put back into them
    assert opens("2026-10-25T02:40", late, fold=1) == "2026-10-26T01:00+01:00"
    half = Sending("01:00-01:45", timezone="Australia/Lord_Howe")  # where it is half an hour, at 2 o'clock
    assert opens("2026-04-05T01:50", half) == "2026-04-05T01:30+10:30"


def test_a_day_that_a_zone_left_out_waits_for_the_next_week() -> None:
    """Samoa went from Thursday, 29 December 2011 to Saturday."""
    fridays = Sending(days=["fri"], timezone="Pacific/Apia")
    assert opens("2011-12-29T12:00", fridays).startswith("2012-01-06T00:00")


# Any time, and the days around those on which clocks are put forward or back.
TIMES = st.integers(at("2025-01-01T00:00"), at("2030-01-01T00:00")) | st.builds(
    lambda changed, before: at(changed) - before,
    st.sampled_from(["2026-03-29T03:00", "2026-10-25T03:00", "2026-04-05T12:00", "2026-03-08T08:00"]),
    st.integers(-DAY, 2 * DAY),
)


@given(
    TIMES,
    st.sampled_from(ZONES) | st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/New_York"]),
    st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True),
    st.integers(0, 1_439),
    st.integers(1, 1_440),
)
def test_it_opens_inside_the_hours_and_as_early_as_may_be(
    asked: int, place: str, days: list[Any], begin: int, length: int
) -> None:
    end = min(begin + length, 1_440)
    hours = f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    opened = next_open(Sending(hours, days), place, asked)

    def inside(ms: int) -> bool:
        local = from_ms(ms).astimezone(ZoneInfo(place))
        return DAYS[local.weekday()] in days and begin <= local.hour * 60 + local.minute < end

    assert asked <= opened < asked + 9 * DAY
    assert inside(opened)
    if opened > asked:
        assert not any(inside(ms) for ms in range(asked, opened, 15 * MINUTE))
        assert not inside(opened - 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hours": "18:00-09:00"}, "Expected hours of one day, such as 09:00-18:00"),
        ({"hours": "09:00-09:00"}, "Expected hours of one day"),
        ({"timezone": "Berlin"}, "Expected a time zone such as Europe/Berlin, found 'Berlin'"),
    ],
)
def test_what_would_never_open_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sending(**fields)


def test_zones_are_known_by_the_names_of_the_tz_database() -> None:
    assert zone("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    assert zone("Europe/Atlantis") is None
