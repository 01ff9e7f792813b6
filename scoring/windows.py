"""Rolling windows over event time, made of buckets (UTC)."""

from __future__ import annotations

from dataclasses import dataclass

from streams.times import DAY, HOUR, MINUTE

ALL = "all"


@dataclass(frozen=True, slots=True)
class Window:
    """A window of ``length`` ms in buckets of ``width`` ms, both multiples of a minute.

    A bucket b holds the answers of ``[b * width, (b + 1) * width)``.
    """

    name: str
    length: int
    width: int

    def __post_init__(self) -> None:
        if self.width < MINUTE or self.width % MINUTE:
            raise ValueError(f"window {self.name}: the bucket has to be whole minutes")
        if self.length < self.width or self.length % self.width:
            raise ValueError(f"window {self.name}: the window has to be whole buckets")

    def bucket(self, at: int) -> int:
        return at // self.width

    def first(self, now: int) -> int:
        """The oldest bucket inside the window at ``now``: ``floor((now - length) / width) < b``."""
        return (now - self.length) // self.width + 1


DEFAULT_WINDOWS = (
    Window("1h", HOUR, MINUTE),
    Window("24h", DAY, 15 * MINUTE),
    Window("7d", 7 * DAY, 2 * HOUR),
    Window("30d", 30 * DAY, 8 * HOUR),
    Window("90d", 90 * DAY, DAY),
)
