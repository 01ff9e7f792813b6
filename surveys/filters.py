"""Property filters of a trigger."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from streams.events import Scalar
from surveys.regex import found
from surveys.survey import Filter, number

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def matches(condition: Filter, properties: Mapping[str, Scalar]) -> bool:  # noqa: PLR0911 - one per operator
    """Whether a touchpoint's properties meet one condition.

    A missing property meets only the negative conditions. Numbers compare as numbers, also where one side is a
    text (``"12"``); two texts are equal where they are written alike. What cannot be ordered is neither greater
    nor less.
    """
    actual, wanted = properties.get(condition.property), condition.value
    match condition.op:
        case "is_set":
            return actual is not None
        case "is_not_set":
            return actual is None
        case "exact":
            return _same(actual, wanted)
        case "is_not":
            return not _same(actual, wanted)
        case "in":
            return isinstance(wanted, list) and any(_same(actual, one) for one in wanted)
        case "icontains":
            return _contains(actual, wanted)
        case "not_icontains":
            return not _contains(actual, wanted)
        case "regex":
            return _found(actual, wanted)
        case "not_regex":
            return not _found(actual, wanted)
        case order:
            left, right = number(actual), number(wanted)
            return left is not None and right is not None and _ORDER[order](left, right)


def _same(actual: Scalar, wanted: object) -> bool:
    if isinstance(actual, str) and isinstance(wanted, str):
        return actual == wanted  # 01067 is another post code than 1067
    left, right = number(actual), number(wanted)
    if left is not None and right is not None:
        return left == right
    if isinstance(actual, bool) or isinstance(wanted, bool):  # a CSV file says true, Python True
        return str(actual).lower() == str(wanted).lower()
    return actual is not None and str(actual) == str(wanted)


def _found(actual: Scalar, wanted: object) -> bool:
    return actual is not None and found(str(wanted), str(actual))


def _contains(actual: Scalar, wanted: object) -> bool:
    return actual is not None and str(wanted).casefold() in str(actual).casefold()
