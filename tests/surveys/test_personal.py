"""Words that differ from customer to customer: little can be done in them, and what is missing fails."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.edition import edition
from surveys.personal import FILTERS, WordsFailed, fault, personal
from surveys.survey import Survey
from tests.sinks.invitations import request

PRODUCT = "How do you like your {{ product }}?"


def one(text: str, **values: Any) -> str:
    return personal({"question": text}, values)["question"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PRODUCT, "How do you like your <b>mug</b>?"),
        ('{{ nickname | default("friend") | upper }}', "FRIEND"),
        ("{% if nickname %}Dear {{ nickname }}{% else %}Hello{% endif %}", "Hello"),
        ("{{ 'cheap' if total < 10 else 'dear' }}", "dear"),
        ("{{ total | round(1) }} {score} { }", "59.9 {score} { }"),
        ("{{ gift }} {{ nothing | default('-') }}", "True -"),
    ],
)
def test_values_are_put_in(text: str, expected: str) -> None:
    assert fault(text, ["product", "nickname", "total", "gift", "nothing"]) == ""
    assert one(text, product="<b>mug</b>", total=59.94, gift=True, nothing=None) == expected


@pytest.mark.parametrize("text", [PRODUCT, "{{ product | upper }}", "{{ product | round }}", "{{ product < 3 }}"])
def test_words_that_cannot_be_put_together_fail_and_tell_no_value(text: str) -> None:
    assert fault(text, ["product"]) == ""
    with pytest.raises(WordsFailed, match=r"^question: (?!.*secret)"):
        one(text, product="secret" if "round" in text or "<" in text else None)


def test_what_is_put_in_stands_in_one_line() -> None:
    assert one(PRODUCT, product=" a\r\n b\t") == "How do you like your a b?"


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in name %}{% for b in name %}x{% endfor %}{% endfor %}",
        "{{ name.__class__ }}",
        "{{ name['x'] }}",
        "{{ name() }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 999999 }}",
        "{{ [1] }}",
        "{% set name = 'x' %}",
        "{% include 'x' %}",
        "{% macro a() %}{% endmacro %}",
        "{{ name | safe }}",
        "{{ name | attr('x') }}",
        "{{ name ~ name }}",
        "{{ name is string }}",
        "{{ }}",
        "{{ range(9) }}",
        "{{ unknown }}",
        "{{ product | round(product) }}",
        "{{ product | round(999999999, 'ceil') }}",
        "{{ product | round(precision=-99999) }}",
        "{{ " + 300 * "(" + "name" + 300 * ")" + " }}",
        "{{ " + 400 * "not " + "name }}",
    ],
)
def test_nothing_else_can_be_done(text: str) -> None:
    assert fault(text, ["product"])


@given(st.text(alphabet="{}%# |nameproduct'()[].*1", max_size=60))
def test_what_is_accepted_renders_or_fails_as_it_should(text: str) -> None:
    if not fault(text, ["product"]):
        try:
            one(text, name="Ann", brand="Shop")
        except WordsFailed:
            assert "{" in text


def test_every_filter_is_there() -> None:
    for name in FILTERS:
        assert fault(f"{{{{ name | {name} }}}}", []) == ""


def test_the_occasions_properties_come_before_the_contacts_attributes() -> None:
    survey = Survey(
        id="nps", variables=["product", "plan"], wording={"question": "{{ product }} {{ plan }} {{ brand }}"}
    )
    due = request(properties={"product": "mug"})
    due.contact.attributes.update(product="cup", plan="pro")
    assert edition(survey, due, "Shop").words["question"] == "mug pro Shop"
