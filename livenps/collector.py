"""Python's garbage collector, for programs that go through batches."""

from __future__ import annotations

import gc


def expect_batches() -> None:
    """Look for cycles seldom: a batch makes and frees some 100,000 objects, none of them in one.

    Left to its defaults the collector goes through all of them, again and again, for half of a lane's time.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
