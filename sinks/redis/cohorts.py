"""Invitations by their time, as the customer lane's state keeps them: about 24 buckets for each window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from scoring.board import Cohort
from scoring.windows import Window
from streams.times import MINUTE
from surveys.cohorts import ANSWERED, INVITED, Change

BUCKETS = 24
KINDS = {INVITED: "i", ANSWERED: "a"}


def width(window: Window) -> int:
    """Of a bucket, in minutes: some of the window's own, because a response rate needs no finer edge."""
    own = window.width // MINUTE
    return own * -(-window.length // (BUCKETS * window.width))


def first(window: Window, now: int) -> int:
    """The oldest bucket inside the window at ``now`` (ms)."""
    return (now - window.length) // MINUTE // width(window) + 1


def fields(changes: Mapping[Change, int], windows: Iterable[Window]) -> Counter[str]:
    """What they add to the hash: ``<minutes>:<bucket>:i:<survey>`` were invited, ``a`` have answered."""
    found: Counter[str] = Counter()
    for minutes in {width(window) for window in windows}:
        for (kind, survey, minute), n in changes.items():
            found[f"{minutes}:{minute // minutes}:{KINDS[kind]}:{survey}"] += n
    return found


def oldest(windows: Iterable[Window], now: int) -> dict[str, int]:
    """Minutes of a bucket -> the oldest that some window still holds."""
    found: dict[str, int] = {}
    for window in windows:
        minutes = str(width(window))
        found[minutes] = min(first(window, now), found.get(minutes, first(window, now)))
    return found


def cohorts(
    hashes: Iterable[Mapping[bytes, bytes]], windows: Sequence[Window], now: int
) -> dict[str, dict[str, Cohort]]:
    """Window -> survey -> invited and answered, over all partitions.

    A merged visitor is invited on one partition and answers on another. Of a state that was lost not all
    invitations are known again: no bucket has more answers than those.
    """
    counted: Counter[tuple[int, int, str, str]] = Counter()
    for one in hashes:
        for field, n in one.items():
            wide, _, rest = field.decode().partition(":")
            if rest:
                place, kind, survey = rest.split(":", 2)
                counted[int(wide), int(place), kind, survey] += int(n)
    found: dict[str, dict[str, Cohort]] = {window.name: {} for window in windows}
    for window in windows:
        inside, since = found[window.name], first(window, now)
        for (minutes, bucket, kind, survey), invited in counted.items():
            if minutes == width(window) and bucket >= since and kind == KINDS[INVITED]:
                answered = min(invited, counted[minutes, bucket, KINDS[ANSWERED], survey])
                before = inside.get(survey, Cohort(0, 0))
                inside[survey] = Cohort(before.invited + invited, before.answered + answered)
    return found
