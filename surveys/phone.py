"""Telephone numbers, and how long a text message is."""

from __future__ import annotations

import re
from math import ceil

_WRITTEN = str.maketrans("", "", " -./()\u00a0")  # what people put between digits
_TRUNK = re.compile(r"\( *0 *\)")  # which is dialled within the country alone: +49 (0)170 …
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")

# The default alphabet of GSM 03.38 (3GPP TS 23.038, 6.2.1), and what counts twice in it.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_TWICE = frozenset("\f^{}\\[~]|€")


def e164(text: str | None) -> str | None:
    """A number as ITU-T E.164 writes it, such as +4917012345678; None where it is no whole number of a country."""
    number = _TRUNK.sub("", text or "").translate(_WRITTEN)
    return number if _E164.fullmatch(number) else None


def messages(text: str) -> int:
    """How many text messages a text takes: 160 characters of the default alphabet, 70 of others, less where
    several are put together."""
    if all(one in _GSM or one in _TWICE for one in text):
        length, alone, together = sum(2 if one in _TWICE else 1 for one in text), 160, 153
    else:
        length, alone, together = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= alone else ceil(length / together)
