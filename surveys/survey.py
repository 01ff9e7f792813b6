"""A survey as a product manager writes it in the configuration."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from scoring.scales import Group
from streams.events import Channel, Id, Name, Scalar
from streams.times import DAY, Duration

Operator = Literal[
    "exact", "is_not", "icontains", "not_icontains", "gt", "gte", "lt", "lte", "in", "is_set", "is_not_set"
]


def number(value: object) -> float | None:
    """The finite number that a value is or, as a text, stands for."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


class Filter(Struct, frozen=True, forbid_unknown_fields=True):
    """One condition on a property of the touchpoint; all conditions of a survey have to hold."""

    property: Name
    op: Operator = "exact"
    value: Scalar | list[Scalar] = None

    def __post_init__(self) -> None:
        """Raise ValueError where the value cannot be compared with: such a filter would silently match nothing."""
        if self.op in ("gt", "gte", "lt", "lte") and number(self.value) is None:
            raise ValueError(f"Expected a number as value of {self.op!r}")
        if (self.op == "in") != isinstance(self.value, list):
            raise ValueError(f"Expected {'a list' if self.op == 'in' else 'one value'} as value of {self.op!r}")


class Wording(Struct, frozen=True, forbid_unknown_fields=True):
    """What the customer reads. The open question is worded for the group that the score falls in."""

    question: str = "How likely are you to recommend us to a friend or colleague?"
    low: str = "Not at all likely"
    high: str = "Extremely likely"
    promoter: str = "Wonderful! What do you like most?"
    passive: str = "Thank you. What would make it a 10?"
    detractor: str = "We are sorry to hear that. What went wrong?"
    thanks: str = "Thank you! Your answer helps us to get better."
    subject: str = "One question, ten seconds"

    def follow_up(self, group: Group) -> str:
        return {"promoter": self.promoter, "passive": self.passive, "detractor": self.detractor}[group]


class Survey(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is asked, when, and where. Durations are milliseconds here, ``"30d"`` in the file."""

    id: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]
    title: Name = ""
    trigger: Name | None = None
    where: list[Filter] = field(default_factory=list)
    max_age: Duration = Duration(DAY)
    delay: Duration = Duration(0)
    quiet_period: Duration = Duration(30 * DAY)
    sample: Annotated[float, Meta(ge=0, le=1)] = 1.0
    channel: Channel = "log"
    webhook_url: Annotated[str, Meta(pattern="^https?://")] | None = None
    team: Id = "support"
    wording: Wording = field(default_factory=Wording)

    @property
    def name(self) -> str:
        return self.title or self.id
