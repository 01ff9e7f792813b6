"""What an address of a mail may be."""

from __future__ import annotations

import re
from email.utils import getaddresses

# Narrower than the standard: Python's header parser fails on quotes, comments and groups that are not whole.
_WORD = r"[^\s.@<>()\[\]\\,;:\"\x00-\x1f\x7f]+"
_DOTTED = rf"{_WORD}(?:\.{_WORD})*"
_ADDRESS = re.compile(rf"(?!.*=\?){_DOTTED}@{_DOTTED}")


def usable(address: str) -> bool:
    """Whether it is one plain address, which no mail header reads as something else."""
    return _ADDRESS.fullmatch(address) is not None


def sender(header: str) -> bool:
    """Whether it says from whom a mail is: one plain address in one line, with a name or without."""
    found = getaddresses([header])
    return len(header.splitlines()) == 1 and len(found) == 1 and usable(found[0][1])
