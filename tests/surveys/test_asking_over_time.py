"""One customer over months: what may happen in any order never asks too often."""

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from streams.customers import CustomersPlan, DecideSurveys, Known, NothingDecided
from streams.events import (
    Answered,
    Ask,
    Bounced,
    Contact,
    CustomerEvent,
    DecisionRecord,
    Declined,
    Identify,
    SurveyRequest,
    Unsubscribed,
)
from streams.times import DAY, HOUR, MINUTE, Duration, to_ms
from surveys.hours import Sending, next_open
from surveys.rules import Rules
from surveys.settle import reminder_id
from tests.make import DELIVERED, NOW, ask, batch, on, rules, survey, touchpoint

SOLVED = "Ticket Solved"
RETURNED = "Order Returned"
ALL = 12 * HOUR
OFFICE = Sending("09:00-17:30", ["mon", "wed", "thu"], "Europe/Berlin")
SURVEYS = (
    survey("now", quiet_period=Duration(3 * DAY), after_answer=Duration(4 * DAY), reminder=Duration(2 * DAY)),
    survey(
        "later",
        quiet_period=Duration(DAY),
        delay=Duration(20 * HOUR),
        cancel=[RETURNED],
        reminder=Duration(30 * HOUR),  # often after the next invitation
    ),
    survey(
        "mailed",
        quiet_period=Duration(2 * DAY),
        after_ignored=Duration(3 * DAY),
        trigger=SOLVED,
        channel="mail",
        delay=Duration(5 * MINUTE),
    ),
    survey("patient", quiet_period=Duration(DAY), trigger=SOLVED, defer=Duration(4 * DAY), sending=OFFICE),
    survey("never-quiet", quiet_period=Duration(0), trigger=SOLVED),
)
RULES: Rules = rules(
    *SURVEYS, quiet_period=ALL, after_decline=Duration(36 * HOUR), at_most=3, at_most_in=Duration(3 * DAY)
)


class Months(RuleBasedStateMachine):
    """The lane's rule over a state in memory; every request that is due counts as sent."""

    happened = Bundle("happened")

    def __init__(self) -> None:
        super().__init__()
        self.lane = DecideSurveys(RULES, NothingDecided())
        self.now = NOW
        self.known = Known({}, frozenset())
        self.due: dict[str, SurveyRequest] = {}
        self.cancelled: set[str] = set()
        self.events = 0
        self.decided: list[DecisionRecord] = []
        self.sent: list[tuple[int, str]] = []
        self.answered: list[tuple[int, str]] = []
        self.declined: list[tuple[int, str]] = []

    def happens(self, event: CustomerEvent) -> list[DecisionRecord]:
        return self.apply(self.lane.decide(batch(event, timestamp=self.now), self.known, self.now))

    def apply(self, plan: CustomersPlan) -> list[DecisionRecord]:
        self.known = Known({**self.known.contacts, **plan.contacts}, self.known.seen | set(plan.seen))
        assert not {request.request_id for request in plan.due} & set(plan.settled)
        for request_id in plan.settled:
            del self.due[request_id]
        self.due.update({request.request_id: request for request in plan.due})
        self.cancelled |= set(plan.cancelled)
        events = [outgoing.event for outgoing in plan.outgoing]
        for event in events:
            if isinstance(event, SurveyRequest) and event.state == "due" and event.reminds:
                self.reminds(event)
            elif isinstance(event, SurveyRequest) and event.state == "due":
                assert (event.request_id, event.survey_id) not in self.requests
                assert self.allowed(event.survey_id)
                self.sent.append((self.now, event.survey_id))
                self.requests.add((event.request_id, event.survey_id))
                assert not self.unsubscribed
        records = [event for event in events if isinstance(event, DecisionRecord)]
        self.decided += records
        return records

    def reminds(self, reminder: SurveyRequest) -> None:
        """A reminder goes out once, for the newest invitation of its survey, to who let it lie."""
        assert reminder.reminds not in self.reminded
        self.reminded.add(str(reminder.reminds))
        invited = to_ms(reminder.decided_at)
        assert (reminder.reminds, reminder.survey_id) in self.requests
        assert max(at for at, of in self.sent if of == reminder.survey_id) == invited
        assert not any(at >= invited and of == reminder.survey_id for at, of in self.answered + self.declined)
        assert not self.unsubscribed

    def allowed(self, survey_id: str) -> bool:
        """What the limits that look at outcomes say of a survey that is sent now, counted by hand."""
        ignored = [
            at
            for at, of in self.sent
            if of == survey_id == "mailed"
            and not any(then >= at for then, other in self.answered + self.declined if other == of)
        ]
        return (
            (survey_id != "patient" or next_open(OFFICE, None, self.now) == self.now)
            and all(self.now - at >= 4 * DAY for at, of in self.answered if of == survey_id == "now")
            and all(self.now - at >= 3 * DAY for at in ignored)
            and all(self.now - at >= 36 * HOUR for at, _ in self.declined)
            and sum(self.now - at < 3 * DAY for at, _ in self.sent) < 3
        )

    @initialize()
    def begin(self) -> None:
        self.requests: set[tuple[str, str]] = set()
        self.reminded: set[str] = set()
        self.unsubscribed = False

    def new_id(self) -> str:
        self.events += 1
        return f"e{self.events}"

    @rule(
        target=happened,
        event=st.sampled_from([DELIVERED, SOLVED, RETURNED, "Signed Up"]),
        age=st.sampled_from([0, HOUR, 2 * DAY]),
    )
    def touch(self, event: str, age: int) -> CustomerEvent:
        touched = touchpoint(self.new_id(), event=event, at=self.now - age)
        [record] = self.happens(touched)
        assert [verdict.survey_id for verdict in record.verdicts] == [one.id for one in SURVEYS]
        return touched

    @rule(target=happened, survey_id=st.sampled_from([*(one.id for one in SURVEYS), "gone"]))
    def ask(self, survey_id: str) -> CustomerEvent:
        asked: Ask = ask(survey_id, self.new_id(), at=self.now)
        [record] = self.happens(asked)
        assert [verdict.survey_id for verdict in record.verdicts] == [survey_id]
        return asked

    @rule(event=happened)
    def repeat(self, event: CustomerEvent) -> None:
        assert self.happens(event) == []

    @rule(email=st.sampled_from(["a@example.com", "b@example.com"]))
    def identify(self, email: str) -> None:
        self.happens(on(Identify, self.new_id(), at=self.now, contact=Contact(email=email)))

    @rule(survey_id=st.sampled_from([one.id for one in SURVEYS]))
    def answer(self, survey_id: str) -> None:
        self.happens(on(Answered, self.new_id(), at=self.now, survey_id=survey_id))
        self.answered.append((self.now, survey_id))

    @rule(survey_id=st.sampled_from([one.id for one in SURVEYS]))
    def decline(self, survey_id: str) -> None:
        self.happens(on(Declined, self.new_id(), at=self.now, survey_id=survey_id))
        self.declined.append((self.now, survey_id))

    @rule(email=st.sampled_from(["a@example.com", "b@example.com"]))
    def bounce(self, email: str) -> None:
        self.happens(on(Bounced, self.new_id(), at=self.now, email=email))

    @rule(event=consumes(happened))
    def unsubscribe(self, event: CustomerEvent) -> None:
        """Only after something happened, so that most runs go on asking."""
        self.happens(on(Unsubscribed, self.new_id(), at=self.now))
        self.unsubscribed = True

    @rule(ms=st.sampled_from([-MINUTE, 1, MINUTE, 6 * MINUTE, HOUR, 12 * HOUR - 1, 12 * HOUR, DAY, 3 * DAY]))
    def time_passes(self, ms: int) -> None:
        """Also a little back: another worker's clock."""
        self.now += ms

    @rule()
    def tick(self) -> None:
        due = [
            one for one in self.due.values() if one.request_id in self.cancelled or to_ms(one.due_at) <= self.now
        ]
        plan = self.lane.settle(0, due, self.known, self.now)
        records = self.apply(plan)
        waiting = {request.request_id for request in plan.due}
        assert all(to_ms(request.due_at) > self.now for request in plan.due)
        assert [record.settles for record in records] == [
            request.request_id for request in due if request.request_id not in waiting
        ]

    @invariant()
    def nobody_is_asked_inside_a_quiet_period(self) -> None:
        for (earlier, _), (later, _) in pairwise(sorted(self.sent)):
            assert later - earlier >= ALL
        for one in SURVEYS:
            times = sorted(at for at, sent in self.sent if sent == one.id)
            assert all(later - earlier >= one.quiet_period for earlier, later in pairwise(times))

    @invariant()
    def what_is_scheduled_waits_or_was_settled_once(self) -> None:
        verdicts = [verdict for record in self.decided for verdict in record.verdicts]
        scheduled = [str(one.request_id) for one in verdicts if one.decision == "scheduled"]
        scheduled += [reminder_id(str(one.request_id)) for one in verdicts if one.remind_at]
        settled = [record.settles for record in self.decided if record.settles]
        assert len(set(scheduled)) == len(scheduled)
        assert sorted(settled + list(self.due)) == sorted(scheduled)
        asks = {id_ for id_, request in self.due.items() if not request.reminds}
        for state in self.known.contacts.values():
            assert sorted(state.pending.values()) == sorted(asks - self.cancelled)
        for record in self.decided:
            if record.settles in self.cancelled:
                assert [verdict.reason for verdict in record.verdicts] == ["cancelled"]

    def teardown(self) -> None:
        self.now += 100 * DAY
        self.tick()
        assert self.due == {}
        self.nobody_is_asked_inside_a_quiet_period()
        self.what_is_scheduled_waits_or_was_settled_once()


TestMonths = Months.TestCase
TestMonths.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
