"""Property filters of a trigger."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import Scalar
from surveys.filters import matches
from surveys.survey import Filter, Operator


def meets(op: Operator, wanted: Scalar | list[Scalar], *actual: Scalar) -> bool:
    """Whether a property meets a condition; without a value the property is missing."""
    return matches(Filter(property="p", op=op, value=wanted), dict.fromkeys("p", *actual) if actual else {"q": 1})


@pytest.mark.parametrize(
    ("op", "wanted", "actual"),
    [
        ("exact", "pro", "pro"),
        ("exact", 12, 12),
        ("exact", 12, "12"),
        ("exact", "12", 12.0),
        ("exact", True, True),
        ("exact", True, "true"),
        ("in", [False], "false"),
        ("is_not", True, "1"),
        ("exact", "nan", "nan"),
        ("is_not", "pro", "free"),
        ("is_not", 12, "13"),
        ("is_not", "1E5", "100000"),
        ("is_not", 1, True),
        ("icontains", "berlin", "Greater BERLIN area"),
        ("icontains", "straße", "HAUPTSTRASSE"),
        ("icontains", 4, 141),
        ("not_icontains", "berlin", "Paris"),
        ("regex", "^SKU-[0-9]+$", "SKU-17"),
        ("regex", "(?i)berlin|paris", "to PARIS"),
        ("regex", "^1", 12),
        ("not_regex", "^SKU-[0-9]+$", "sku-17"),
        ("gt", 50, 50.01),
        ("gt", "9", "10"),
        ("gte", 50, 50),
        ("lt", 50, -1),
        ("lte", 50, "50"),
        ("in", ["eu", "us"], "us"),
        ("in", [1, 2], "2"),
        ("is_set", None, 0),
        ("is_set", None, ""),
        ("is_set", None, False),
        ("is_not_set", None, None),
    ],
)
def test_meets(op: Operator, wanted: Scalar | list[Scalar], actual: Scalar) -> None:
    assert meets(op, wanted, actual)


@pytest.mark.parametrize(
    ("op", "wanted", "actual"),
    [
        ("exact", "pro", "Pro"),
        ("exact", 1, True),
        ("exact", "pro", None),
        ("exact", "01067", "1067"),  # texts are texts: a post code, a part's number
        ("in", ["1E5", "12_3"], "123"),
        ("exact", 123, "12_3"),
        ("is_not", "pro", "pro"),
        ("is_not", 12, "12.0"),
        ("icontains", "berlin", "Paris"),
        ("icontains", "none", None),
        ("not_icontains", "berlin", "BERLIN"),
        ("regex", "^SKU-[0-9]+$", "SKU-17b"),
        ("regex", "none|None", None),
        ("not_regex", "an+", "Hanna"),
        ("gt", 50, 50),
        ("gt", 50, "many"),
        ("gt", 0, True),
        ("gt", 0, None),
        ("gt", 0, "nan"),
        ("gte", 50, 49.99),
        ("lt", 50, 50),
        ("lt", 60, 10**400),
        ("lte", 50, 51),
        ("in", ["eu", "us"], "apac"),
        ("in", [], "eu"),
        ("is_set", None, None),
        ("is_not_set", None, "x"),
    ],
)
def test_does_not_meet(op: Operator, wanted: Scalar | list[Scalar], actual: Scalar) -> None:
    assert not meets(op, wanted, actual)


@pytest.mark.parametrize(
    ("op", "wanted", "met"),
    [
        ("exact", "x", False),
        ("is_not", "x", True),
        ("icontains", "x", False),
        ("not_icontains", "x", True),
        ("regex", "", False),
        ("not_regex", "", True),
        ("gt", 0, False),
        ("gte", 0, False),
        ("lt", 0, False),
        ("lte", 0, False),
        ("in", ["x"], False),
        ("is_set", None, False),
        ("is_not_set", None, True),
    ],
)
def test_a_missing_property_meets_only_the_negative_conditions(
    op: Operator, wanted: Scalar | list[Scalar], met: bool
) -> None:
    assert meets(op, wanted) is met


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)


@given(scalars, scalars.filter(lambda wanted: wanted is not None))
def test_negations_are_negations(actual: Scalar, wanted: Scalar) -> None:
    assert meets("is_not", wanted, actual) is not meets("exact", wanted, actual)
    assert meets("not_icontains", wanted, actual) is not meets("icontains", wanted, actual)
    assert meets("is_not_set", None, actual) is not meets("is_set", None, actual)


@given(st.integers(-(2**50), 2**50), st.integers(-(2**50), 2**50), st.booleans(), st.booleans())
def test_numbers_order_as_numbers_also_as_texts(left: int, right: int, left_text: bool, right_text: bool) -> None:
    actual, wanted = str(left) if left_text else left, str(right) if right_text else right
    assert meets("gt", wanted, actual) is (left > right)
    assert meets("gte", wanted, actual) is (left >= right)
    assert meets("lt", wanted, actual) is (left < right)
    assert meets("lte", wanted, actual) is (left <= right)
    assert meets("exact", wanted, actual) is (left == right)  # also of two texts: these are written one way


@pytest.mark.parametrize(
    ("op", "wanted", "expected"),
    [
        ("gt", "many", "a number"),
        ("lte", [60], "a number"),
        ("lt", None, "a number"),
        ("in", "europe", "a list"),
        ("exact", ["eu"], "one value"),
        ("regex", ["eu"], "one value"),
        ("exact", None, "one value"),
        ("is_not", None, "one value"),
        ("not_icontains", None, "one value"),
        ("is_set", False, "no value"),
        ("is_not_set", ["eu"], "no value"),
    ],
)
def test_a_value_that_nothing_can_be_compared_with_is_refused(op: Operator, wanted: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=f"Expected {expected} as value of '{op}'"):
        Filter(property="p", op=op, value=wanted)


@given(st.text("ab(|)*+?[]^$\\.", max_size=12), st.text("ab", max_size=8))
def test_a_pattern_is_refused_at_once_or_never_fails(pattern: str, text: str) -> None:
    try:
        Filter("p", "regex", pattern)
    except ValueError:
        return
    assert meets("not_regex", pattern, text) is not meets("regex", pattern, text)


@pytest.mark.parametrize("pattern", ["(", "(?=look)", r"(a)\1", "(?:a{1000}){1000}", "a" * 1_001])
def test_what_has_no_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="Expected a regular expression"):
        Filter("p", "not_regex", pattern)


def test_a_text_made_to_be_slow_is_not() -> None:
    """Python's own engine takes more than a lifetime for this one."""
    began = time.process_time()
    assert meets("not_regex", "^(a+)+$", "a" * 199 + "b")
    assert time.process_time() - began < 0.1
