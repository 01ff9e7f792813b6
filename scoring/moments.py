"""What a mean and its spread need of answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moments:
    """How many answers, the sum of their values, and the sum of the squares of their values.

    They add up over windows, partitions and segments. They may be fractions, as pseudo-answers are.
    """

    n: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.n + other.n, self.total + other.total, self.squares + other.squares)

    def __sub__(self, other: Moments) -> Moments:
        """Of answers of which the ``other`` ones are a part, the rest."""
        return self + other * -1

    def __mul__(self, times: float) -> Moments:
        return Moments(self.n * times, self.total * times, self.squares * times)

    @property
    def mean(self) -> float:
        """The mean of the values. Raises ZeroDivisionError where there is no answer."""
        return self.total / self.n

    @property
    def variance(self) -> float:
        """The variance of one value, at least 0. Raises ZeroDivisionError where there is no answer."""
        return max(0.0, self.squares / self.n - self.mean**2)


NONE = Moments()
