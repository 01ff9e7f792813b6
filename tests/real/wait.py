"""Waiting for a condition instead of sleeping for a guess."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


async def until(
    condition: Callable[[], Any],
    *,
    timeout: float = 10.0,  # noqa: ASYNC109 -- the error has to say what was awaited, which a caller's scope cannot
    message: str = "",
    every: float = 0.02,
) -> Any:
    """Ask a sync or async condition until its answer is true, and return that answer."""
    last: object = "none, the condition never came back"
    try:
        async with asyncio.timeout(timeout) as scope:
            while True:
                answer = condition()
                last = value = await answer if inspect.isawaitable(answer) else answer
                if value:
                    return value
                await asyncio.sleep(every)
    except TimeoutError:
        if not scope.expired():
            raise
        awaited = message or getattr(condition, "__qualname__", repr(condition))
        raise AssertionError(f"{awaited}: not within {timeout:g} s, last value: {last!r}") from None
