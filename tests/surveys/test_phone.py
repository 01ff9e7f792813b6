"""Telephone numbers as people write them, and how long a text message is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.phone import e164, messages


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+4917012345678", "+4917012345678"),
        ("+49 (170) 123-45.678", "+4917012345678"),
        ("+1\u00a0415/555 2671", "+14155552671"),
        ("+49 (0)170 12345678", "+4917012345678"),
        ("+49 ( 0 ) 170 12345678", "+4917012345678"),
        ("0170 12345678", None),
        ("+0170 12345678", None),
        ("004917012345678", None),
        ("+49", None),
        ("+1234567890123456", None),
        ("+49170ABC5678", None),
        ("+4917012345678\r\nx: y", None),
        ("+٤٩١٧٠١٢٣٤٥٦٧٨", None),
        ("+4٩17012345678", None),
        ("", None),
        (None, None),
    ],
)
def test_a_number_has_its_countrys_code(text: str | None, number: str | None) -> None:
    assert e164(text) == number


@given(st.text())
def test_a_number_is_a_plus_and_digits(text: str) -> None:
    number = e164(text)
    assert number is None or (number[0] == "+" and number[1:].isascii() and number[1:].isdecimal())


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ش" * 70, 1),
        ("ش" * 71, 2),
        ("x" * 69 + "ş", 1),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_how_many_messages_a_text_takes(text: str, count: int) -> None:
    assert messages(text) == count
