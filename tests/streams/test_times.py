"""Instants and durations."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.times import DAY, HOUR, LATEST, MINUTE, SECOND, Duration, from_ms, rfc3339, to_ms
from tests.make import NOW


@pytest.mark.parametrize(
    ("text", "ms"),
    [("0s", 0), ("250ms", 250), ("90s", 90 * SECOND), ("15m", 15 * MINUTE), ("24h", DAY), ("30d", 30 * DAY)],
)
def test_durations_are_read_as_they_are_written(text: str, ms: int) -> None:
    assert Duration.parse(text) == ms


@given(st.integers(0, 10**9 - 1), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_a_duration_reads_back_what_it_writes(number: int, unit: str) -> None:
    duration = Duration.parse(f"{number}{unit}")
    assert Duration.parse(str(duration)) == duration


def test_a_duration_is_written_in_its_largest_whole_unit() -> None:
    assert [str(Duration(ms)) for ms in (90 * SECOND, 36 * HOUR, 7 * DAY, 1_500)] == ["90s", "36h", "7d", "1500ms"]


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5h", "1 h", "30 days", "1d12h", "1w", 30, None, "1d\n"])
def test_anything_else_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match=r'duration such as "90s", "15m", "24h" or "30d"'):
        Duration.parse(text)


@given(st.integers(0, LATEST))
def test_instants_survive_both_ways(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms
    assert to_ms(ms / SECOND) == ms
    assert to_ms(datetime.fromisoformat(rfc3339(ms))) == ms


def test_an_offset_is_heeded() -> None:
    berlin = timezone(timedelta(hours=1))
    assert to_ms(datetime(2026, 3, 1, 13, tzinfo=berlin)) == to_ms(datetime(2026, 3, 1, 12, tzinfo=UTC)) == NOW


def test_milliseconds_are_written_only_where_there_are_some() -> None:
    assert rfc3339(NOW) == "2026-03-01T12:00:00Z"
    assert rfc3339(NOW + 50) == "2026-03-01T12:00:00.050Z"


@pytest.mark.parametrize(
    "instant",
    [-1, -0.001, LATEST / SECOND + 1, 1e300, float("inf"), float("nan"), datetime(1969, 12, 31, tzinfo=UTC)],
)
def test_what_is_no_instant_is_refused(instant: datetime | float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        to_ms(instant)
