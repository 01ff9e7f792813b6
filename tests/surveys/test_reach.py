"""By which channels a contact may be asked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import Channel, Contact, Identify, SurveyRequest, Verdict
from streams.times import Duration, from_ms
from surveys.contacts import ContactState, apply, scheduled
from surveys.decide import decide, decided_before
from surveys.reach import reach, unreachable
from surveys.settle import settle
from surveys.survey import Asking
from tests.make import NOW, on, rules, survey, touchpoint

BOTH = survey(channel=["mail", "sms"])
EMAIL, PHONE = "ann@example.com", "+49 170 1234567"


def known(**fields: Any) -> ContactState:
    return ContactState(contact=Contact(**{"email": EMAIL, "phone": PHONE, **fields}))


@pytest.mark.parametrize(
    ("state", "channels", "why"),
    [
        (known(), ("mail",), None),
        (known(consent={"sms": True}), ("mail", "sms"), None),
        (known(consent={"sms": True}, channel="sms"), ("sms", "mail"), None),
        (known(channel="sms"), ("mail",), None),
        (known(consent={"sms": True}, channel="webhook"), ("mail", "sms"), None),
        (known(consent={"mail": False}), (), "no_consent"),
        (known(consent={"mail": False, "sms": True}), ("sms",), None),
        (known(email=None), (), "no_consent"),
        (known(email=None, phone=None), (), "no_address"),
        (known(email=None, phone="0170 1234567", consent={"sms": True}), (), "no_address"),
        (ContactState(contact=Contact(email=EMAIL), bounced=EMAIL), (), "no_address"),
    ],
)
def test_who_is_reached_by_what(state: ContactState, channels: tuple[Channel, ...], why: str | None) -> None:
    assert reach(BOTH, Asking(), state) == channels
    assert unreachable(BOTH, Asking(), state) == why
    [verdict] = decide(rules(BOTH), touchpoint(), state, NOW).verdicts
    expected = ("not_asked", why) if why else ("asked", "triggered")
    assert ((verdict.decision, verdict.reason), verdict.channels) == (expected, channels)


def test_which_channels_need_a_yes_is_configured() -> None:
    assert reach(BOTH, Asking(opt_in=[]), known()) == ("mail", "sms")
    assert reach(BOTH, Asking(opt_in=["mail", "sms"]), known()) == ()
    assert reach(survey(channel="log"), Asking(), ContactState()) == ("log",)


CHANNELS = st.sampled_from(["mail", "sms", "webhook", "log"])


@given(
    st.lists(CHANNELS, min_size=1, unique=True),
    st.lists(CHANNELS, unique=True),
    st.dictionaries(CHANNELS, st.booleans()),
    st.none() | CHANNELS,
)
def test_nobody_is_asked_by_what_they_refused_or_did_not_agree_to(
    channels: list[Channel], opt_in: list[Channel], consent: dict[Channel, bool], own: Channel | None
) -> None:
    state = known(consent=consent, channel=own)
    found = reach(survey(channel=channels), Asking(opt_in=opt_in), state)
    assert set(found) == {one for one in channels if consent.get(one, one not in opt_in)}
    assert own not in found or found[0] == own
    rest = [one for one in found if one != own]
    assert rest == [one for one in channels if one in rest]


def test_what_is_newly_known_of_a_contact_changes_no_other_consent() -> None:
    state = known(consent={"mail": True, "sms": True}, channel="sms")
    told = apply(on(Identify, at=NOW, contact=Contact(consent={"sms": False})), state)
    assert told.contact.consent == {"mail": True, "sms": False}
    assert told.contact.channel == "sms"
    older = apply(on(Identify, at=NOW - 1, contact=Contact(consent={"sms": True}, channel="mail")), told)
    assert older.contact.consent == told.contact.consent


def test_what_waits_goes_by_what_is_known_when_it_is_due() -> None:
    late = survey(channel=["mail", "sms"], delay=Duration(1))
    decided = decide(rules(late), touchpoint(), known(), NOW)
    [invitation] = decided.invitations
    assert invitation.channels == ("mail",)
    request = SurveyRequest(
        request_id=invitation.request_id,
        survey_id=late.id,
        customer_id="c1",
        channel="mail",
        state="scheduled",
        decided_at=from_ms(NOW),
        due_at=from_ms(NOW + 1),
        contact=Contact(),
    )
    state = scheduled(known(consent={"sms": True, "mail": False}), late.id, request.request_id)
    verdict = settle(rules(late), request, state, NOW + 1)
    assert isinstance(verdict, Verdict)
    assert (verdict.decision, verdict.channels) == ("asked", ("sms",))
    refused = scheduled(known(consent={"mail": False}), late.id, request.request_id)
    verdict = settle(rules(late), request, refused, NOW + 1)
    assert isinstance(verdict, Verdict)
    assert (verdict.decision, verdict.reason) == ("not_asked", "no_consent")


def test_a_decision_that_is_taken_over_keeps_its_channels() -> None:
    told = Verdict(survey_id="nps", decision="asked", reason="triggered", request_id="r", channels=("sms",))
    older = Verdict(survey_id="nps", decision="asked", reason="triggered", request_id="r")
    for verdict, channels in ((told, ("sms",)), (older, ("mail", "sms"))):
        [invitation] = decided_before(rules(BOTH), [verdict], NOW, {}, known()).invitations
        assert invitation.channels == channels
