"""The Net Promoter scale: 0 to 10, in three groups."""

from __future__ import annotations

from typing import Literal

Group = Literal["promoter", "passive", "detractor"]
GROUPS: tuple[Group, ...] = ("promoter", "passive", "detractor")
SCORES = 11


def group(score: int) -> Group:
    """The group of a score from 0 to 10. Source: Reichheld, HBR 12/2003."""
    if score >= 9:
        return "promoter"
    return "passive" if score >= 7 else "detractor"
