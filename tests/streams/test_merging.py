"""Merges in the customer lane: ids on partitions of their own, events in any order, states that are lost."""

from collections import defaultdict
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.customers import CustomersPlan, DecideSurveys, Known, NothingDecided
from streams.events import (
    Answered,
    Contact,
    ContactRecord,
    CustomerEvent,
    DecisionRecord,
    Identify,
    Merge,
    Merged,
    SurveyRequest,
    Touchpoint,
    Unsubscribed,
)
from streams.store import Batch, Item, Outgoing
from streams.times import DAY, HOUR, Duration, from_ms, to_ms
from streams.topics import CONTACTS, DECISIONS, REQUESTS, TOUCHPOINTS
from surveys.contacts import NOBODY, ContactState, recall
from tests.make import DELIVERED, NOW, ask, rules, survey, touchpoint

SOLVED = "Ticket Solved"
IDS = "abcd"
RULES = rules(survey("nps"), survey("later", trigger=SOLVED, delay=Duration(HOUR)), quiet_period=7 * DAY)


class Home(NothingDecided):
    """One id: its partition of the log, what was published of it, and the state that can be lost."""

    def __init__(self, id_: str) -> None:
        self.id = id_
        self.log: list[tuple[CustomerEvent, int]] = []
        self.first = 0  # what stood before is deleted
        self.records: list[ContactRecord | SurveyRequest] = []
        self.decisions: dict[int, DecisionRecord] = {}
        self.settling: dict[str, DecisionRecord] = {}
        self.requests: set[tuple[str, str]] = set()
        self.lost()

    def lost(self) -> None:
        state = NOBODY
        for record in self.records:
            state = recall(record, state)
        self.position, self.seen = self.first, set[tuple[str, str]]()
        self.state, self.due = state, dict[str, SurveyRequest]()

    def made(self, partition: int, offset: int) -> DecisionRecord | None:
        return self.decisions.get(offset)

    def settled(self, partition: int, request_id: str) -> DecisionRecord | None:
        return self.settling.get(request_id)

    def requested(self, partition: int, request_id: str, state: str) -> bool:
        return (request_id, state) in self.requests

    @property
    def known(self) -> Known:
        return Known({self.id: self.state}, frozenset(self.seen))


class Site:
    """All ids. What is returned is published at least once, each partition in its order."""

    def __init__(self) -> None:
        self.homes = {id_: Home(id_) for id_ in IDS}
        self.now = NOW
        self.sent: dict[str, tuple[str, int]] = {}
        self.records = defaultdict[tuple[str, str], set[str]](set)
        self.reasons = defaultdict[tuple[str, str], set[str]](set)
        self.settling = defaultdict[str, list[str]](list)

    def write(self, event: CustomerEvent) -> None:
        self.homes[event.customer_id].log.append((event, self.now))

    def step(self, id_: str) -> None:
        """One record, where there is one."""
        home = self.homes[id_]
        if home.position == len(home.log):
            return
        event, at = home.log[home.position]
        batch = Batch(0, home.position, home.position + 1, at, [Item(event, home.position, at)], [])
        self.apply(home, DecideSurveys(RULES, home).decide(batch, home.known, self.now))
        home.position += 1

    def tick(self, id_: str) -> None:
        home = self.homes[id_]
        due = [one for one in home.due.values() if to_ms(one.due_at) <= self.now]
        if due and home.position == len(home.log):
            self.apply(home, DecideSurveys(RULES, home).settle(0, due, home.known, self.now))

    def apply(self, home: Home, plan: CustomersPlan) -> None:
        home.seen |= set(plan.seen)
        home.state = plan.contacts.get(home.id, home.state)
        home.due |= {one.request_id: one for one in plan.due}
        for request_id in plan.cancelled:
            if request_id in home.due:
                home.due[request_id].due_at = from_ms(NOW)
        for request_id in plan.settled:
            del home.due[request_id]
        for outgoing in plan.outgoing:
            self.publish(home, outgoing)

    def publish(self, home: Home, outgoing: Outgoing) -> None:
        match outgoing.topic, outgoing.event:
            case _, DecisionRecord() as record if record.settles:
                home.settling.setdefault(record.settles, record)
                self.settling[record.settles].append(record.decision_id)
            case _, DecisionRecord() as record:
                home.decisions.setdefault(home.position, record)
                self.records[record.customer_id, record.event_id].add(record.decision_id)
                reasons = self.reasons[record.customer_id, record.event_id]
                reasons |= {verdict.reason for verdict in record.verdicts}
            case _, SurveyRequest() as request:
                home.requests.add((request.request_id, request.state))
                if request.state == "due":
                    home.records.append(request)
                    self.sent[request.request_id] = request.customer_id, to_ms(request.due_at)
            case _, ContactRecord() as record:
                home.records.append(record)
            case _, event:
                assert outgoing.topic == TOUCHPOINTS
                self.write(event)  # type: ignore[arg-type]

    def drain(self) -> None:
        """All there is; that it ends is a promise of its own."""
        for _ in range(10_000):
            waiting = [id_ for id_, home in self.homes.items() if home.position < len(home.log)]
            if not waiting:
                return
            for id_ in waiting:
                self.step(id_)
        pytest.fail("events go round in a circle")

    def person(self, id_: str) -> str:
        """Who an id is in the end."""
        for _ in IDS:
            id_ = self.homes[id_].state.merged_into or id_
        return id_


def merge(visitor: str, into: str, event_id: str = "m1", at: int = NOW) -> Merge:
    return Merge(event_id=event_id, customer_id=visitor, into=into, occurred_at=from_ms(at))


places = st.sampled_from(IDS)
moves = st.one_of(
    st.tuples(st.just("order"), places, places),
    st.tuples(st.just("ticket"), places, places),
    st.tuples(st.just("merge"), places, places),
    st.tuples(st.just("step"), places, places),
    st.tuples(st.just("tick"), places, places),
    st.tuples(st.just("lost"), places, places),
)


def play(site: Site, happened: list[tuple[str, str, str]], allowed: Callable[[str, str], bool]) -> None:
    touched = set()
    for number, (what, id_, other) in enumerate(happened):
        site.now += HOUR // 4 if what == "tick" else 0
        if what in ("order", "ticket"):
            event = DELIVERED if what == "order" else SOLVED
            site.write(touchpoint(f"e{number}", customer=id_, at=site.now, event=event))
            touched.add((id_, f"e{number}"))
        elif what == "merge" and allowed(id_, other):
            site.write(merge(id_, other, f"m{number}", site.now))
        elif what == "lost":
            site.homes[id_].lost()
        elif what == "tick":
            site.tick(id_)
        elif what == "step":
            site.step(id_)
            site.step(other)
    site.drain()
    assert touched <= site.records.keys()
    assert all(len(ids) == 1 for ids in site.records.values())
    assert all(len(reasons) == 1 or "merged" not in reasons for reasons in site.reasons.values())


@settings(max_examples=300)
@given(st.lists(moves, max_size=30))
def test_who_is_one_person_is_asked_as_one(happened: list[tuple[str, str, str]]) -> None:
    site = Site()
    play(site, happened, lambda visitor, into: visitor < into)  # no circles
    asked_before = {site.person(customer) for customer, _ in site.sent.values()}
    before = set(site.sent)
    site.now += HOUR
    for id_ in IDS:
        site.write(touchpoint("last", customer=id_, at=site.now))
    site.drain()
    asked_now = [site.person(customer) for id_, (customer, _) in site.sent.items() if id_ not in before]
    assert len(asked_now) == len(set(asked_now))
    waiting = {site.person(id_) for id_, home in site.homes.items() if home.state.pending}
    assert not asked_before & set(asked_now)
    assert asked_before | set(asked_now) | waiting >= {site.person(id_) for id_ in IDS}
    for id_ in IDS:
        for _ in range(3):
            site.now += DAY
            site.tick(id_)
    assert all(len(set(ids)) == 1 for ids in site.settling.values())
    assert not any(home.due for home in site.homes.values())


@settings(max_examples=300)
@given(st.lists(moves, max_size=40))
def test_circles_come_to_an_end(happened: list[tuple[str, str, str]]) -> None:
    site = Site()
    play(site, happened, lambda *_: True)
    for id_ in IDS:
        person = site.person(id_)
        assert not site.homes[person].state.merged_into


def test_what_waits_is_settled_as_merged_and_later_events_are_decided_there() -> None:
    site = Site()
    site.write(touchpoint("e1", customer="a", event=SOLVED))
    site.write(merge("a", "b"))
    site.write(touchpoint("e2", customer="a"))
    site.drain()
    assert site.homes["a"].state.pending == {}
    site.tick("a")
    [record] = site.homes["a"].settling.values()
    assert [(verdict.decision, verdict.reason) for verdict in record.verdicts] == [("not_asked", "merged")]
    assert site.reasons["a", "e2"] == {"merged"}
    assert site.reasons["b", "e2"] == {"triggered", "other_event"}
    assert [customer for customer, _ in site.sent.values()] == ["b"]


def test_the_visitors_quiet_period_holds_for_the_customer() -> None:
    site = Site()
    site.write(touchpoint("e1", customer="a"))
    site.write(merge("a", "b"))
    site.drain()
    site.write(touchpoint("e2", customer="b"))
    site.drain()
    assert "quiet_period_survey" in site.reasons["b", "e2"]


def test_a_repeat_of_what_was_forwarded_counts_once() -> None:
    site = Site()
    site.write(merge("a", "b"))
    site.drain()
    for _ in range(2):
        site.write(touchpoint("e1", customer="a"))
        site.write(touchpoint("e1", customer="b"))
    site.drain()
    assert len(site.records["b", "e1"]) == 1
    assert len(site.sent) == 1


def test_an_ask_an_answer_and_news_of_the_visitor_go_to_the_customer() -> None:
    site = Site()
    site.write(merge("a", "b"))
    site.write(ask("nps", "e1", customer="a"))
    site.write(Answered(event_id="e2", customer_id="a", survey_id="nps", occurred_at=from_ms(NOW)))
    site.write(Identify(event_id="e3", customer_id="a", occurred_at=from_ms(NOW), contact=Contact(name="Ann")))
    site.write(Unsubscribed(event_id="e4", customer_id="a", occurred_at=from_ms(NOW)))
    site.drain()
    state = site.homes["b"].state
    assert (state.asked, state.answered, state.contact.name, state.unsubscribed) == (
        {"nps": NOW},
        {"nps": NOW},
        "Ann",
        True,
    )
    assert site.reasons["a", "e1"] == {"merged"}


def test_a_merge_back_and_a_second_one_elsewhere_are_dead_letters() -> None:
    home = Home("a")
    lane = DecideSurveys(RULES, home)
    events = [merge("a", "a", "m0"), merge("a", "b", "m1"), merge("a", "c", "m2"), merge("a", "b", "m3")]
    items = [Item(event, offset, NOW) for offset, event in enumerate(events)]
    plan = lane.decide(Batch(0, 0, 4, NOW, items, []), home.known, NOW)
    assert [(refused.item.offset, refused.reason) for refused in plan.refused] == [(0, "merge"), (2, "merge")]
    histories = [outgoing for outgoing in plan.outgoing if isinstance(outgoing.event, Merged)]
    assert [(one.topic, one.key) for one in histories] == [(TOUCHPOINTS, "b")] * 2
    [record] = [one.event for one in plan.outgoing if one.topic == CONTACTS]
    assert isinstance(record, ContactRecord)
    assert (record.merged_into, record.merged_at) == ("b", from_ms(NOW))


def test_what_was_decided_before_the_merge_is_taken_over_by_a_state_that_was_lost() -> None:
    """The records of a batch bear one time, so that alone cannot tell before from after."""
    site = Site()
    site.write(touchpoint("e1", customer="a"))
    site.write(merge("a", "b"))
    site.drain()
    site.homes["a"].lost()
    site.drain()
    assert site.records["b", "e1"] == set()
    assert site.homes["a"].state.asked == {"nps": NOW}
    assert site.homes["a"].state.merged_into == "b"


def test_what_the_visitor_said_before_the_merge_is_not_told_again_as_news() -> None:
    """Else the address of the visitor would take the place of the customer's when a state is lost."""
    site = Site()
    for id_, at in (("a", NOW), ("b", NOW - DAY)):
        known = Contact(email=f"{id_}@example.com")
        site.write(Identify(event_id=f"e{id_}", customer_id=id_, occurred_at=from_ms(at), contact=known))
    site.now += HOUR
    site.write(merge("a", "b", at=site.now))
    site.drain()
    site.homes["a"].lost()
    site.drain()
    assert site.homes["b"].state.contact.email == "b@example.com"


def test_what_was_taken_over_outlives_the_events_that_brought_it() -> None:
    site = Site()
    site.write(touchpoint("e1", customer="a"))
    site.write(merge("a", "b"))
    site.write(merge("b", "c"))
    site.drain()
    for home in site.homes.values():
        home.first = len(home.log)
        home.lost()
    site.write(touchpoint("e2", customer="a"))
    site.write(touchpoint("e3", customer="c"))
    site.drain()
    assert site.reasons["a", "e2"] == site.reasons["b", "e2"] == {"merged"}
    assert "quiet_period_survey" in site.reasons["c", "e2"] & site.reasons["c", "e3"]


@pytest.mark.parametrize("circle", ["ab", "abc", "abcd"])
def test_merges_under_way_that_close_a_circle_are_not_in_force(circle: str) -> None:
    site = Site()
    for number, id_ in enumerate(circle):
        site.write(merge(id_, circle[(number + 1) % len(circle)]))
    site.drain()
    assert {site.homes[id_].state.merged_into for id_ in circle} == {""}
    site.write(touchpoint("e1", customer="a"))
    site.drain()
    assert "triggered" in site.reasons["a", "e1"]


def test_a_history_that_meets_a_circle_ends_where_it_met_it() -> None:
    site = Site()
    site.write(touchpoint("e1", customer="d"))
    site.drain()
    for visitor, into in (("d", "a"), ("a", "b"), ("b", "a")):
        site.write(merge(visitor, into))
    site.drain()
    assert [site.homes[id_].state.merged_into for id_ in "dab"] == ["a", "", ""]
    assert site.homes["a"].state.asked == {"nps": NOW}


def test_nobody_who_is_merged_is_asked_by_schedule() -> None:
    lane = DecideSurveys(
        rules(survey("rel", trigger=None, every=Duration(90 * DAY), starts=from_ms(NOW - 90 * DAY).date())),
        NothingDecided(),
    )
    assert len(lane.ask_again({"a": ContactState()}, NOW, ()).outgoing) == 1
    assert lane.ask_again({"a": ContactState(merged_into="b")}, NOW, ()).outgoing == []


def test_decisions_of_merged_ids_are_published_before_what_is_forwarded() -> None:
    home = Home("a")
    items = [Item(event, offset, NOW) for offset, event in enumerate([merge("a", "b"), touchpoint(customer="a")])]
    plan = DecideSurveys(RULES, home).decide(Batch(0, 0, 2, NOW, items, []), home.known, NOW)
    assert {one.topic for one in plan.outgoing} == {TOUCHPOINTS, DECISIONS, CONTACTS}
    assert not [one for one in plan.outgoing if one.topic == REQUESTS]
    forwarded = [one.event for one in plan.outgoing if isinstance(one.event, Touchpoint)]
    assert [(one.customer_id, one.event_id) for one in forwarded] == [("b", "e1")]
