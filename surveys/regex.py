"""Regular expressions in linear time: what a customer's text makes of a pattern can hold up nobody.

Syntax: https://github.com/google/re2/wiki/Syntax (RE2: no look-around and no back-references).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

LONGEST = 1_000
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


@lru_cache(maxsize=10_000)
def compiled(pattern: str) -> Any:
    """The pattern, ready to search with. Raises ValueError where it is none, or a very large one."""
    if len(pattern) > LONGEST:
        raise ValueError(f"Expected a regular expression of at most {LONGEST:,} characters")
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args else "unknown"
        raise ValueError(f"Expected a regular expression (RE2): {reason}") from error


def found(pattern: str, text: str) -> bool:
    """Whether the pattern matches somewhere in the text."""
    return compiled(pattern).search(text) is not None
