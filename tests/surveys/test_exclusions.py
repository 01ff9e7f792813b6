"""Who is never asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import Contact
from surveys.contacts import ContactState
from surveys.exclusions import Exclusions, suppression_list
from surveys.survey import Exclude, Filter
from tests.make import contact


def reason(
    exclude: Exclude, state: ContactState, *, customer: str = "c1", suppressed: frozenset[str] = frozenset()
) -> str | None:
    exclusions = Exclusions.of(exclude, suppressed)
    assert exclusions is not None
    return exclusions.reason(customer, state)


def test_nobody_is_excluded_without_a_word() -> None:
    assert Exclusions.of(Exclude()) is None


def test_a_customer_by_their_id() -> None:
    assert reason(Exclude(customers=["c1"]), contact()) == "excluded_customer"
    assert reason(Exclude(customers=["C1", "c12"]), contact()) is None


@pytest.mark.parametrize("email", ["a@example.com", "A@EXAMPLE.COM", "a@mail.example.com", '"a@b"@example.com'])
def test_a_domain_and_those_below_it_whatever_the_case(email: str) -> None:
    assert reason(Exclude(domains=["Example.com"]), contact(email)) == "excluded_domain"


@pytest.mark.parametrize("email", ["a@example.org", "a@notexample.com", "a@example.com.evil.org", "", None, "com"])
def test_other_domains_are_not_meant(email: str | None) -> None:
    assert reason(Exclude(domains=["example.com"]), contact(email)) is None


def test_a_contact_that_meets_any_of_the_conditions() -> None:
    exclude = Exclude(where=[Filter("test", "exact", True), Filter("plan", "in", ["internal", "demo"])])
    for attributes in ({"test": True}, {"plan": "demo"}, {"test": True, "plan": "pro"}):
        state = ContactState(contact=Contact(attributes=attributes))
        assert reason(exclude, state) == "excluded_contact"
    assert reason(exclude, ContactState(contact=Contact(attributes={"test": False, "plan": "pro"}))) is None
    assert reason(exclude, ContactState()) is None


def test_who_stands_on_the_list_by_id_or_by_address() -> None:
    listed = suppression_list("# left us\n\n  c1 \nBob@Example.com\n")
    assert reason(Exclude(), contact(None), suppressed=listed) == "suppressed"
    assert reason(Exclude(), contact("bob@EXAMPLE.com"), customer="c2", suppressed=listed) == "suppressed"
    assert reason(Exclude(), contact(), customer="c2", suppressed=listed) is None
    assert reason(Exclude(), contact(None), customer="", suppressed=listed) is None
    assert "# left us" not in listed


def test_a_remark_may_stand_behind_an_address_and_an_id_may_have_its_sign() -> None:
    assert suppression_list("bob@example.com # by phone\nc#1\t#gone\n #c2") == {"bob@example.com", "c#1"}


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)))
def test_every_line_that_is_no_remark_counts(lines: list[str]) -> None:
    wanted = {one.strip() for one in "\n".join(lines).splitlines()} - {""}
    listed = suppression_list("\n".join(lines))
    assert {one for one in wanted if "#" not in one} <= listed
