import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from sources.dates import Dates


def ms(*parts: int, zone: str = "UTC") -> int:
    return int(datetime(*parts, tzinfo=ZoneInfo(zone)).timestamp() * 1000)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-31T12:00:00Z", ms(2024, 1, 31, 12)),
        ("2024-01-31T12:00:00.25+02:00", ms(2024, 1, 31, 10) + 250),
        ("2024-01-31 12:00", ms(2024, 1, 31, 12)),
        (" 2024-01-31 ", ms(2024, 1, 31)),
        ("20240131", ms(2024, 1, 31)),
        ("1706702400", ms(2024, 1, 31, 12)),
        ("1706702400.5", ms(2024, 1, 31, 12) + 500),
        (1706702400, ms(2024, 1, 31, 12)),
        (1706702400.25, ms(2024, 1, 31, 12) + 250),
    ],
)
def test_rfc_3339_and_unix_seconds(text: object, expected: int) -> None:
    assert Dates().parse(text) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "31/01/24", "1706702400000", "2024-02-30", "0001-01-01", True])
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(
        ValueError, match=r"^expected a time as RFC 3339 or Unix seconds, got " + re.escape(repr(text))
    ):
        Dates().parse(text)


def test_a_format() -> None:
    assert Dates(format="%d/%m/%y").parse("31/01/24") == ms(2024, 1, 31)
    with pytest.raises(ValueError, match="expected a time such as %d/%m/%y, got '2024-01-31'"):
        Dates(format="%d/%m/%y").parse("2024-01-31")


def test_naive_times_are_in_the_zone_and_others_are_not() -> None:
    dates = Dates.of("Europe/Berlin", "%Y-%m-%d %H:%M")
    assert dates.parse("2024-01-31 12:00") == ms(2024, 1, 31, 11)
    assert dates.parse("2024-07-31 12:00") == ms(2024, 7, 31, 10)
    assert Dates.of("Europe/Berlin", "%Y-%m-%d %z").parse("2024-01-31 +0000") == ms(2024, 1, 31)
    assert Dates.of("Europe/Berlin", None).parse("2024-01-31T12:00:00Z") == ms(2024, 1, 31, 12)


def test_utc_is_the_default() -> None:
    assert Dates.of("UTC", None).timezone is UTC


@pytest.mark.parametrize("zone", ["Mars/Base", "", "../../etc/passwd", "Europe"])
def test_an_unknown_zone(zone: str) -> None:
    with pytest.raises(ValueError, match="unknown time zone"):
        Dates.of(zone, None)


@pytest.mark.parametrize("format", ["%d/%m", "%Q", "%Y-%m", "%d %", "", "day"])
def test_a_format_that_does_not_name_the_day_is_refused(format: str) -> None:
    with pytest.raises(ValueError, match="wrong date format"):
        Dates.of("UTC", format)
