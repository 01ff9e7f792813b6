"""The operator's own site and app: which pages may ask, and what shows which customer is there."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass

# What the script makes up where nobody is signed in: 128 random bits, which nobody else can guess.
_VISITOR = re.compile("visitor-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Site:
    """``origins`` are exact; ``show_for`` (ms) is how long a survey waits for its customer.

    ``secret`` is shared with the operator's backend. Without one nobody but anonymous visitors is let in.
    """

    origins: frozenset[str]
    secret: str | None
    show_for: int

    def knows(self, customer_id: str, signature: str) -> bool:
        """Whether it is this customer: the backend says so, or nobody else can know the id.

        The signature is HMAC-SHA-256 (RFC 2104) of the id, in hexadecimal.
        """
        if _VISITOR.fullmatch(customer_id):
            return True
        if self.secret is None:
            return False
        expected = hmac.digest(self.secret.encode(), customer_id.encode(), "sha256").hex()
        return hmac.compare_digest(expected.encode(), signature.encode())
