"""What differs from customer to customer in a survey's words: small templates over a few variables.

The words are a product manager's and the values a customer's, so neither is trusted: a template can put in and
filter variables, and choose between texts, and that is all. What comes out is plain text: who shows it escapes it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, Undefined, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from streams.events import Scalar
from surveys.wording import Words

ALWAYS = ("name", "brand")  # variables that every survey has
FILTERS = ("default", "upper", "lower", "capitalize", "title", "trim", "round")
_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Filter,
    nodes.Keyword,
    nodes.If,
    nodes.CondExpr,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Compare,
    nodes.Operand,
)


DIGITS = 10


class WordsFailed(ValueError):
    """Words that cannot be put together for one customer; names no value of theirs."""


class _Missing(StrictUndefined):
    """A variable that this customer lacks: it can be asked about, and put in with a default."""

    __bool__ = Undefined.__bool__  # type: ignore[assignment]


def fault(text: str, variables: Collection[str]) -> str:
    """What is wrong with a text that may be a template; nothing of one that is not."""
    if not _is_template(text):
        return ""
    known = (*ALWAYS, *variables)
    try:
        tree = _ENVIRONMENT.parse(text)
        if forbidden := _forbidden(tree):  # before it is compiled: that computes what is constant, however large
            return forbidden
        _template(text)
    except TemplateError as error:
        return f"cannot be read: {error.message}"
    except RecursionError:
        return "cannot be read: it is nested too deep"
    if unknown := sorted(meta.find_undeclared_variables(tree) - {*known}):
        return f"expected some of the variables {', '.join(known)}, found {unknown[0]!r}"
    return ""


def personal(words: Words, values: Mapping[str, Scalar]) -> Words:
    """The words with a customer's values put in. Raises WordsFailed where one that is needed is missing."""
    told = {name: _told(value) for name, value in values.items() if value is not None}
    return {word: _rendered(word, text, told) if _is_template(text) else text for word, text in words.items()}


def _rendered(word: str, text: str, values: Mapping[str, object]) -> str:
    try:
        return _template(text).render(values)
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise WordsFailed(f"{word}: {error}") from error


def _forbidden(tree: nodes.Template) -> str:
    if other := next((node for node in tree.find_all(nodes.Node) if not isinstance(node, _ALLOWED)), None):
        return f"expected variables, filters and conditions only, found {type(other).__name__.lower()}"
    if not all(_bounded(one) for one in tree.find_all(nodes.Filter)):
        return f"expected up to {DIGITS} digits to round to"
    return ""


def _bounded(one: nodes.Filter) -> bool:
    """Whether a filter takes no time without end: a number of digits may be anybody's."""
    given = [*one.args, *(named.value for named in one.kwargs)]
    return one.name != "round" or all(
        isinstance(value, nodes.Const) and (isinstance(value.value, str) or value.value in range(DIGITS + 1))
        for value in given
    )


def _told(value: Scalar) -> object:
    """A text stands in one line: it may become a subject, or a header of a mail."""
    return " ".join(value.split()) if isinstance(value, str) else value


def _is_template(text: str) -> bool:
    return any(mark in text for mark in ("{{", "{%", "{#"))


@lru_cache(maxsize=1_000)
def _template(text: str) -> Template:
    return _ENVIRONMENT.from_string(text)


_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=_Missing, autoescape=False)  # no HTML yet
_ENVIRONMENT.globals.clear()
_ENVIRONMENT.filters = {name: _ENVIRONMENT.filters[name] for name in FILTERS}
