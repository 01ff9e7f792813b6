"""Segments: which series an answer feeds, and which of them are shown."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise, product
from math import isfinite
from typing import NamedTuple

import msgspec

OTHER = "other"
PAIR = " x "  # the name of a pair of dimensions: "plan x region"
PAIR_VALUE = "|"  # its value: "pro|eu"

Value = str | int | float | bool | None


class Series(NamedTuple):
    """One line of scores: a whole survey, or one value of one dimension of it."""

    survey: str
    dimension: str = ""
    value: str = ""

    @property
    def key(self) -> str:
        """Its name, as JSON: ``["nps-survey"]`` or ``["nps-survey","plan","pro"]``."""
        return msgspec.json.encode(list(self) if self.dimension else [self.survey]).decode()


@dataclass(frozen=True, slots=True)
class Dimension:
    """One attribute of answers that scores are split by.

    ``bands`` are the lower ends of number bands: 18, 25 make ``under 18``, ``18-24``, ``25+``. ``show`` is the
    allow-list of exposed values; without it the ``limit`` largest are exposed. The rest is ``other``. Where it is
    not to ``export``, metrics leave it out.
    """

    name: str
    bands: tuple[int, ...] = ()
    show: tuple[str, ...] = ()
    limit: int = 50
    export: bool = True
    _labels: tuple[str, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        if self.bands:
            if list(self.bands) != sorted(set(self.bands)):
                raise ValueError(f"dimension {self.name}: the bands have to rise")
            inner = (f"{low}-{high - 1}" for low, high in pairwise(self.bands))
            labels = (f"under {self.bands[0]}", *inner, f"{self.bands[-1]}+")
            object.__setattr__(self, "_labels", labels)

    @property
    def named(self) -> tuple[str, ...]:
        """The segments that the configuration names; none where there may be any."""
        return self.show or self._labels

    def segment(self, value: Value) -> str | None:
        """The segment of an attribute's value, or None where there is none."""
        if value is None or value == "":
            return None
        if self.bands and not isinstance(value, bool):
            number = _number(value)
            if number is not None:
                return self._labels[bisect_right(self.bands, number)]
        return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The configured dimensions, and the pairs of them that are scored too."""

    single: tuple[Dimension, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()

    def segments(self, attributes: Mapping[str, Value]) -> dict[str, str]:
        """Dimension name -> segment, for the dimensions that the attributes carry."""
        found: dict[str, str] = {}
        for dimension in self.single:
            segment = dimension.segment(attributes.get(dimension.name))
            if segment is not None:
                found[dimension.name] = segment
        return found

    def series(self, survey: str, attributes: Mapping[str, Value]) -> list[Series]:
        """All series that an answer with these attributes feeds; the survey's own comes first."""
        segments = self.segments(attributes)
        fed = [Series(survey)]
        fed += [Series(survey, name, value) for name, value in segments.items()]
        for first, second in self.pairs:
            if first in segments and second in segments:
                value = segments[first] + PAIR_VALUE + segments[second]
                fed.append(Series(survey, first + PAIR + second, value))
        return fed

    @property
    def names(self) -> list[str]:
        """The names of all dimensions and pairs, in the order of the configuration."""
        return [d.name for d in self.single] + [first + PAIR + second for first, second in self.pairs]

    @property
    def exported(self) -> Dimensions:
        """Those, and the pairs of those, that metrics are split by."""
        single = tuple(one for one in self.single if one.export)
        names = {one.name for one in single}
        return Dimensions(single, tuple(pair for pair in self.pairs if names.issuperset(pair)))

    def named(self, dimension: str) -> list[str]:
        """The segments of a dimension or a pair that the configuration names; none where there may be any."""
        known = {one.name: one.named for one in self.single}
        for first, second in self.pairs:
            both = product(known[first], known[second])
            known[first + PAIR + second] = tuple(PAIR_VALUE.join(one) for one in both)
        return [*known[dimension]]

    def shown(self, dimension: str, sizes: Mapping[str, int]) -> set[str]:
        """The values of a dimension that are exposed by name; ``sizes`` are answers per value, of all time."""
        found = next((d for d in self.single if d.name == dimension), Dimension(dimension))
        if found.show:
            return set(found.show) & set(sizes)
        largest = sorted(sizes, key=lambda value: (-sizes[value], value))
        return set(largest[: found.limit])


def fold(values: Iterable[str], shown: set[str]) -> dict[str, str]:
    """Value -> the name it is exposed under."""
    return {value: value if value in shown else OTHER for value in values}


def _number(value: Value) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) else None
