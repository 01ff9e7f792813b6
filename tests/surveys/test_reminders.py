"""The one reminder of an invitation: when it goes out, and what keeps it back."""

from operator import itemgetter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.customers import CustomersPlan, Known
from streams.events import (
    Answered,
    Bounced,
    Contact,
    CustomerEvent,
    Declined,
    Identify,
    SurveyRequest,
    Unsubscribed,
    Verdict,
)
from streams.times import DAY, FUTURE, HOUR, Duration, from_ms, to_ms
from surveys.caps import Sent
from surveys.contacts import ContactState, asked, recall, reminded, reminding
from surveys.decide import decide, decided_before
from surveys.exclusions import Exclude
from surveys.hours import Sending
from surveys.rules import Rules
from surveys.settle import LATE, remind, reminder_id, settle, settled_before
from tests.make import NOW, batch, contact, deciding, on, rules, survey, touchpoint

SENT = NOW - 5 * DAY
FIVE = Duration(5 * DAY)
ONE = rules(survey(reminder=FIVE, channel="mail"))


def invited(**fields: Any) -> ContactState:
    """Who was invited five days ago."""
    return contact(asked={"nps": SENT}, reminders={"nps": SENT}, **fields)


def reminder(survey_id: str = "nps", *, sent: int = SENT, due_at: int = NOW) -> SurveyRequest:
    return SurveyRequest(
        request_id="r1-reminder",
        survey_id=survey_id,
        customer_id="c1",
        channel="mail",
        state="scheduled",
        decided_at=from_ms(sent),
        due_at=from_ms(due_at),
        contact=Contact(email="ann@example.com"),
        reminds="r1",
    )


def weighed(one: Rules, state: ContactState, request: SurveyRequest | None = None) -> tuple[str, str]:
    verdict = remind(one, request or reminder(), state, NOW)
    assert isinstance(verdict, Verdict)
    assert verdict.request_id == "r1-reminder"
    assert verdict.remind_at is None
    return verdict.decision, verdict.reason


def test_an_invitation_that_is_sent_off_names_the_time_of_its_reminder() -> None:
    decided = decide(ONE, touchpoint(), contact(), NOW)
    [verdict], [invitation] = decided.verdicts, decided.invitations
    assert verdict.remind_at == invitation.remind_at == from_ms(NOW + 5 * DAY)
    assert decided.state.reminders == {"nps": NOW}


def test_one_that_waits_names_it_when_it_is_sent_off() -> None:
    one = rules(survey(reminder=FIVE, delay=Duration(HOUR)))
    decided = decide(one, touchpoint(), contact(), NOW)
    [scheduled] = decided.verdicts
    assert (scheduled.remind_at, decided.state.reminders) == (None, {})
    request = SurveyRequest(
        request_id=str(scheduled.request_id),
        survey_id="nps",
        customer_id="c1",
        channel="log",
        state="scheduled",
        decided_at=from_ms(NOW),
        due_at=from_ms(NOW + HOUR),
        contact=Contact(),
    )
    verdict = settle(one, request, decided.state, NOW + HOUR)
    assert isinstance(verdict, Verdict)
    assert verdict.remind_at == from_ms(NOW + HOUR + 5 * DAY)
    assert settled_before(one, decided.state, verdict, NOW + HOUR).reminders == {"nps": NOW + HOUR}


def test_a_survey_without_a_reminder_has_none() -> None:
    decided = decide(rules(survey()), touchpoint(), contact(), NOW)
    assert decided.verdicts[0].remind_at is None
    assert decided.state.reminders == {}


def test_its_time_lies_in_the_sending_hours() -> None:
    """NOW is a Sunday; five days later it is Friday."""
    early = Sending("09:00-10:00", ["mon"], "UTC")
    one = rules(survey(reminder=FIVE), sending=Sending("00:00-24:00", ["sun", "thu"], "UTC"))
    [verdict] = decide(one, touchpoint(), contact(), NOW).verdicts
    assert verdict.remind_at == from_ms(NOW + 7 * DAY - 12 * HOUR)
    later = rules(survey(reminder=FIVE, sending=early))
    assert remind(later, reminder(), invited(), NOW) == NOW + 21 * HOUR


def test_who_did_nothing_is_reminded() -> None:
    assert weighed(ONE, invited()) == ("reminded", "reminder")


@pytest.mark.parametrize(
    ("one", "state", "reason"),
    [
        (ONE, invited(answered={"nps": SENT + HOUR}), "answered"),
        (ONE, invited(answered={"nps": SENT - FUTURE}), "answered"),
        (ONE, invited(declined={"nps": SENT + HOUR}), "declined"),
        (ONE, invited(bounced="ann@example.com"), "bounced"),
        (ONE, invited(bounced="Ann@Example.com"), "bounced"),
        (ONE, reminding(contact("new@example.com", bounced="ann@example.com"), "nps", SENT), "bounced"),
        (ONE, invited(unsubscribed=True), "unsubscribed"),
        (ONE, reminding(contact(None), "nps", SENT), "no_address"),
        (ONE, reminding(invited(), "nps", SENT + DAY), "invited_again"),
        (ONE, contact(merged_into="c2"), "merged"),
        (rules(survey()), invited(), "no_reminder"),
        (rules(survey("other")), invited(), "unknown_survey"),
        (
            rules(survey(reminder=FIVE), exclude=Exclude(domains=["example.com"])),
            invited(),
            "excluded_domain",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_keeps_a_reminder_back(one: Rules, state: ContactState, reason: str) -> None:
    assert weighed(one, state) == ("not_reminded", reason)


@pytest.mark.parametrize(
    "state",
    [
        invited(answered={"nps": SENT - FUTURE - 1, "other": NOW}),
        invited(declined={"nps": SENT - FUTURE - 1, "other": NOW}),
        invited(pending={"other": "r2"}),
        invited(pending={"nps": "r2"}),
        reminding(contact(asked={"nps": SENT, "other": NOW - HOUR}), "nps", SENT),
        invited(bounced="old@example.com"),
    ],
)
def test_what_does_not_keep_it_back(state: ContactState) -> None:
    assert weighed(ONE, state) == ("reminded", "reminder")


@pytest.mark.parametrize(("late", "reason"), [(LATE, "reminder"), (LATE + 1, "too_late")])
def test_one_that_nobody_settled_for_a_day_is_not_sent(late: int, reason: str) -> None:
    assert weighed(ONE, invited(), reminder(due_at=NOW - late))[1] == reason


states = st.builds(
    contact,
    asked=st.dictionaries(st.sampled_from(["nps", "other"]), st.integers(SENT, NOW)),
    answered=st.dictionaries(st.sampled_from(["nps", "other"]), st.integers(SENT - DAY, NOW)),
    declined=st.dictionaries(st.sampled_from(["nps", "other"]), st.integers(SENT - DAY, NOW)),
    pending=st.dictionaries(st.sampled_from(["nps", "other"]), st.just("r2")),
    reminders=st.dictionaries(st.just("nps"), st.sampled_from([SENT, SENT + DAY])),
    bounced=st.sampled_from(["", "ann@example.com", "old@example.com"]),
    unsubscribed=st.booleans(),
)


@given(states)
def test_never_after_an_answer_a_decline_a_bounce_or_an_unsubscription(state: ContactState) -> None:
    """And whatever came of it, nothing that limits look at is another than before."""
    decision, reason = weighed(ONE, state)
    ended = state.answered.get("nps", 0) >= SENT or state.declined.get("nps", 0) >= SENT
    if ended or state.bounced == "ann@example.com" or state.unsubscribed or state.reminders != {"nps": SENT}:
        assert (decision, reason != "reminder") == ("not_reminded", True)
    after = reminded(state, "nps", SENT)
    assert (after.asked, after.recent, after.pending) == (state.asked, state.recent, state.pending)
    assert after.reminders == ({} if state.reminders.get("nps") == SENT else state.reminders)
    assert weighed(ONE, after) == ("not_reminded", "invited_again")  # one reminder for an invitation


@given(states, st.integers(0, 10 * DAY))
def test_a_decision_that_is_taken_over_leaves_the_reminder_that_it_was_made_with(
    state: ContactState, moved: int
) -> None:
    """Whatever the configuration says of reminders now."""
    made = decide(rules(survey(reminder=FIVE)), touchpoint(), contact(), NOW)
    again = decided_before(rules(survey(reminder=Duration(moved))), made.verdicts, NOW, {}, state)
    assert again.invitations == made.invitations
    assert again.state.reminders["nps"] == NOW


def test_the_topics_tell_of_a_reminder_and_it_is_nobodys_invitation() -> None:
    sent = SurveyRequest(
        request_id=reminder_id("r1"),
        survey_id="nps",
        customer_id="c1",
        channel="mail",
        state="due",
        decided_at=from_ms(SENT),
        due_at=from_ms(NOW),
        contact=Contact(),
        reminds="r1",
    )
    state = asked(contact(), "nps", "r1", SENT)
    assert recall(sent, state) == state


STEPS = ("answer", "decline", "bounce", "unsubscribe", "move", *["order"] * 4, *["day"] * 6)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(STEPS), min_size=5, max_size=30))
def test_over_weeks_each_invitation_has_one_reminder_at_most_and_only_for_who_let_it_lie(steps: list[str]) -> None:
    """Whatever happens in whatever order; and who is asked when is as it was without reminders."""
    reminding, plain = (Weeks(reminder=Duration(wait)) for wait in (2 * DAY, 0))
    for step in steps:
        reminding.step(step)
        plain.step(step)
    assert reminding.invited == plain.invited
    sent = [one.reminds for one, _ in reminding.reminded]
    assert len(set(sent)) == len(sent)
    for reminder, at in reminding.reminded:
        invited = to_ms(reminder.decided_at)
        assert (reminder.reminds, invited) == max(
            (one for one in reminding.invited if one[1] <= at), key=itemgetter(1)
        )
        assert at >= invited + 2 * DAY
        ended = [name for when, name in reminding.did if invited <= when <= at]
        assert not {"answer", "decline", "bounce"} & {*ended}
        assert "unsubscribe" not in [name for when, name in reminding.did if when <= at]
    assert len(set(reminding.settled)) == len(reminding.settled)


class Weeks:
    """One customer, whom an order asks again after a day; reminders are due later."""

    def __init__(self, reminder: Duration) -> None:
        mailed = survey(channel="mail", quiet_period=Duration(DAY), reminder=reminder)
        self.lane = deciding(mailed, quiet_period=0)
        self.known = Known({"c1": contact()}, frozenset())
        self.now, self.events = NOW, 0
        self.due: dict[str, SurveyRequest] = {}
        self.did: list[tuple[int, str]] = []
        self.invited: list[tuple[str, int]] = []
        self.reminded: list[tuple[SurveyRequest, int]] = []
        self.settled: list[str] = []
        self.mailed = "ann@example.com"  # where the newest invitation went, or will go

    def step(self, name: str) -> None:
        self.now += HOUR
        self.events += 1
        id_, at = f"e{self.events}", self.now
        address = self.mailed if name == "bounce" else f"{id_}@example.com"
        events: dict[str, CustomerEvent] = {
            "order": touchpoint(id_, at=at),
            "answer": on(Answered, id_, at=at, survey_id="nps"),
            "decline": on(Declined, id_, at=at, survey_id="nps"),
            "bounce": on(Bounced, id_, at=at, email=address),
            "unsubscribe": on(Unsubscribed, id_, at=at),
            "move": on(Identify, id_, at=at, contact=Contact(email=address)),
        }
        if event := events.get(name):
            self.did.append((at, name))
            self.apply(self.lane.decide(batch(event, timestamp=at), self.known, at))
            return
        self.now += DAY
        due = [one for one in self.due.values() if to_ms(one.due_at) <= self.now]
        self.apply(self.lane.settle(0, due, self.known, self.now))

    def apply(self, plan: CustomersPlan) -> None:
        self.known = Known({**self.known.contacts, **plan.contacts}, frozenset())
        self.settled += plan.settled
        for request_id in plan.settled:
            del self.due[request_id]
        self.due.update({one.request_id: one for one in plan.due})
        for outgoing in plan.outgoing:
            one = outgoing.event
            if isinstance(one, SurveyRequest) and one.state == "due" and one.reminds:
                self.reminded.append((one, self.now))
            elif isinstance(one, SurveyRequest) and one.state == "due":
                self.invited.append((one.request_id, self.now))
                self.mailed = one.contact.email or ""


def test_it_counts_against_a_daily_cap_and_is_left_out_where_that_is_reached() -> None:
    one = rules(survey(reminder=FIVE, per_day=1))
    sent = Sent(one.caps, 0, dict.fromkeys(one.caps.around(NOW), 0))
    found = [remind(one, reminder(), invited(), NOW, sent) for _ in range(2)]
    assert [verdict.reason for verdict in found if isinstance(verdict, Verdict)] == ["reminder", "cap_survey"]
    assert [request_id for _, request_id in sent.added] == ["r1-reminder"]


def test_it_goes_out_by_what_reaches_the_customer_then_but_for_the_card_that_waits_anyway() -> None:
    one = rules(survey(reminder=FIVE, channel=["web", "mail"]))
    verdict = remind(one, reminder(), invited(), NOW)
    assert isinstance(verdict, Verdict)
    assert (verdict.decision, verdict.channels) == ("reminded", ("mail",))
    gone = remind(one, reminder(), reminding(contact(None), "nps", SENT), NOW)
    assert isinstance(gone, Verdict)
    assert (gone.decision, gone.reason) == ("not_reminded", "no_address")
