"""What the customer reads: the standard words in several languages, and which language is whose."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

from scoring.scales import Metric

Words = Mapping[str, str]

ENGLISH = "en"
SHIPPED = (ENGLISH, "ar", "de", "es", "fr")
_RIGHT_TO_LEFT = frozenset(("ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"))
_QUALITY = re.compile(r"\s*([A-Za-z0-9-]{2,35})\s*(?:;\s*q\s*=\s*([01](?:\.\d{1,3})?)\s*)?")


@cache
def standard(metric: Metric, language: str = ENGLISH) -> Words:
    """The words of a survey that words nothing itself; what is not shipped in a language stays English."""
    return _words(language, metric, "page", "mail", "sms")


@cache
def problems(language: str) -> Words:
    """What is said where no survey can be shown."""
    return _words(language, "problem")


def shipped(language: str) -> bool:
    """Whether the standard words are there in this language."""
    return any(code in SHIPPED for code in _wider(language))


def choose(spoken: Sequence[str], wanted: Iterable[str]) -> str:
    """The first of the languages wanted that is spoken, else the first one spoken.

    ``de-AT`` finds ``de`` where ``de-AT`` is not spoken: the lookup of RFC 4647, 3.4.
    """
    codes = {language.lower(): language for language in spoken}
    found = (codes[code] for one in wanted for code in reversed(_wider(one)) if code in codes)
    return next(found, spoken[0])


def preferred(header: str) -> list[str]:
    """The languages of an ``Accept-Language``, best first; what cannot be read is left out."""
    found = [_QUALITY.fullmatch(part) for part in header[:1_000].split(",")]
    weighed = [(float(match[2] or 1), match[1]) for match in found if match]
    return [tag for quality, tag in sorted(weighed, key=lambda one: -one[0]) if quality]


def direction(language: str) -> Literal["ltr", "rtl"]:
    return "rtl" if _wider(language)[0] in _RIGHT_TO_LEFT else "ltr"


def known(language: str) -> bool:
    """Whether there is such a language, whatever region or script is named with it."""
    return _wider(language)[0] in _codes()


def filled(text: str, **values: object) -> str:
    """A text with the words in braces put in; other braces stay as they are."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def _wider(language: str) -> list[str]:
    """The tag in lower case and what it is a part of, widest first: of ``de_AT.UTF-8`` de and de-at."""
    parts = re.split(r"[.@]", language, maxsplit=1)[0].replace("_", "-").lower().split("-")
    return ["-".join(parts[:n]) for n in range(1, len(parts) + 1)]


def _words(language: str, *names: str) -> Words:
    tables = [_tables(code) for code in (ENGLISH, *_wider(language)) if code in SHIPPED]
    return {word: text for table in tables for name in names for word, text in table[name].items()}


@cache
def _tables(language: str) -> dict[str, dict[str, str]]:
    return tomllib.loads(_file(f"{language}.toml"))


@cache
def _codes() -> frozenset[str]:
    """Of ISO 639 all codes of two letters, and some of three that many people read."""
    return frozenset(_file("languages.txt").split())


def _file(name: str) -> str:
    return files("surveys").joinpath("words", name).read_text(encoding="utf-8")
