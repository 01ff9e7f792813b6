"""The customer lane's state: contacts, occasions seen, and asks that are due later."""

import msgspec
import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from scoring.segments import Dimension, Dimensions
from sinks.redis.customers import DUE_CHUNK, CustomersStore
from sinks.redis.keys import INDEX_BUCKETS
from sinks.redis.lane import SWEEP
from streams.customers import CustomersPlan, DecideSurveys, NothingDecided
from streams.customers_tick import customers_tick
from streams.events import (
    Answered,
    Contact,
    CustomerEvent,
    DecisionRecord,
    Identify,
    Merge,
    Merged,
    SurveyRequest,
    Unsubscribed,
)
from streams.store import Applied, Batch, Fenced, Repeated, StoreCorrupt
from streams.times import DAY, HOUR, MINUTE, Duration, from_ms
from surveys.caps import ALL, Caps, Place
from surveys.contacts import ContactState
from surveys.draws import Cell
from surveys.rules import Rules
from surveys.sampling import Sampling
from surveys.survey import Asking
from tests.make import NOW, batch, deciding, on, rules, survey, touchpoint
from tests.sinks.redis.lanes import A, B
from tests.sinks.redis.state import dump

RETURNED = "Order Returned"
SURVEY = survey(delay=Duration(HOUR), cancel=[RETURNED])
RULE = deciding(SURVEY)
ODD = "zoë {a1} \"'\\ \n[]|*"


class Customers:
    """The lane as it runs: reads, decides and commits one batch after the other."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self.store = CustomersStore(redis, prefix)
        self._position = 0

    async def open(self) -> "Customers":
        await self.store.claim(0, A)
        await self.store.begin(0, A, 0, 0)
        return self

    async def happens(self, *events: CustomerEvent, now: int = NOW) -> CustomersPlan:
        read = batch(*events, start=self._position, timestamp=now)
        plan = RULE.decide(read, await self.store.read(read), now)
        assert await self.store.commit(read, A, plan) == Applied()
        self._position = read.end
        return plan

    async def contact(self, customer: str = "c1") -> ContactState | None:
        return (await self.store.known(0, [customer])).contacts.get(customer)

    async def due(self, now: int) -> list[str]:
        return [request.customer_id for request in await self.store.due(0, now)]


@pytest.fixture
async def customers(redis: Redis, namespace: str) -> Customers:
    return await Customers(redis, namespace).open()


# what is known


@pytest.mark.parametrize("customer", ["c1", ODD, "x" * 200])
async def test_contacts_are_read_back_as_they_were_decided(customers: Customers, customer: str) -> None:
    known = Contact(email="ann@example.com", name=ODD, attributes={"plan": "pro", "age": 30.5, ODD: None})
    plan = await customers.happens(touchpoint(customer=customer, contact=known))
    state = await customers.contact(customer)
    assert state == plan.contacts[customer]
    assert state is not None
    assert state.contact == known
    assert list(state.pending) == ["nps"]


async def test_nobody_is_known_at_first(customers: Customers) -> None:
    known = await customers.store.read(batch(touchpoint(), touchpoint("e2", customer="c2")))
    assert known == ({}, frozenset(), {}, {})
    assert await customers.store.read(Batch(0, 0, 1, NOW, [], [])) == ({}, frozenset(), {}, {})


@pytest.mark.parametrize("event_id", ["e1", ODD])
async def test_an_occasion_is_seen_once_it_is_applied(customers: Customers, event_id: str) -> None:
    await customers.happens(touchpoint(event_id))
    read = batch(touchpoint(event_id), touchpoint("new"), touchpoint(event_id, customer="c2"))
    assert (await customers.store.read(read)).seen == {("c1", event_id)}


async def test_a_repeat_in_a_later_batch_returns_nothing(customers: Customers) -> None:
    await customers.happens(touchpoint())
    entries = await customers.store.outbox(0)
    plan = await customers.happens(touchpoint())
    assert plan.outgoing == []
    assert await customers.store.outbox(0) == entries


async def test_a_later_batch_decides_on_what_earlier_ones_left(customers: Customers) -> None:
    await customers.happens(on(Unsubscribed, "e1"))
    plan = await customers.happens(touchpoint("e2"))
    [record] = [outgoing.event for outgoing in plan.outgoing if isinstance(outgoing.event, DecisionRecord)]
    assert record.verdicts[0].reason == "unsubscribed"


@pytest.mark.real
@pytest.mark.parametrize("url", ["redis_url"], indirect=True)
async def test_occasions_are_forgotten_when_they_cannot_come_again(customers: Customers) -> None:
    await customers.happens(touchpoint())
    early = touchpoint(at=NOW - 40 * DAY)
    for days, remembered in ((37, True), (39, False)):
        for _ in range(INDEX_BUCKETS // SWEEP):
            await customers.store.forget(0, A, NOW + days * DAY)
        known = await customers.store.read(batch(early))
        assert bool(known.seen) == remembered


# what is due


async def test_an_ask_is_due_when_its_time_has_come(customers: Customers) -> None:
    [scheduled] = (await customers.happens(touchpoint())).due
    assert await customers.due(NOW + HOUR - 1) == []
    assert await customers.store.due(0, NOW + HOUR) == [scheduled]


async def test_the_oldest_are_due_first_a_bounded_number_at_a_time(customers: Customers) -> None:
    many = DUE_CHUNK + 5
    for start in range(0, many, 50):
        at = NOW - start * MINUTE
        events = [touchpoint(customer=f"c{n}", at=at) for n in range(start, min(start + 50, many))]
        await customers.happens(*events, now=at)  # the later batch is due earlier
    due = await customers.due(NOW + HOUR)
    assert len(due) == DUE_CHUNK
    assert set(due[:5]) == {f"c{n}" for n in range(DUE_CHUNK, many)}
    assert set(due) > {f"c{n}" for n in range(50, many)}


async def settle(customers: Customers, now: int) -> CustomersPlan:
    """The plan for what is due now, not yet applied."""
    due = await customers.store.due(0, now)
    return RULE.settle(0, due, await customers.store.known(0, [request.customer_id for request in due]), now)


async def test_a_settled_ask_is_due_no_more(customers: Customers, redis: Redis) -> None:
    await customers.happens(touchpoint())
    assert await customers.store.settle(0, A, await settle(customers, NOW + HOUR)) == Applied()
    assert await customers.due(NOW + 9 * HOUR) == []
    assert not await redis.exists(*(f"{customers.store.base(0)}:{name}" for name in ("due", "asks")))
    state = await customers.contact()
    assert state is not None
    assert (state.pending, state.asked) == ({}, {"nps": NOW + HOUR})


async def test_settling_twice_happens_once(customers: Customers, redis: Redis, namespace: str) -> None:
    """A tick has no position: that its asks still stand is what makes it happen once."""
    await customers.happens(touchpoint())
    plan = await settle(customers, NOW + HOUR)
    assert await customers.store.settle(0, A, plan) == Applied()
    before = await dump(redis, namespace)
    assert await customers.store.settle(0, A, plan) == Repeated()
    assert await dump(redis, namespace) == before


async def test_a_tick_that_overlaps_another_changes_nothing(
    customers: Customers, redis: Redis, namespace: str
) -> None:
    await customers.happens(touchpoint())
    first = await settle(customers, NOW + HOUR)
    await customers.happens(touchpoint("e2", customer="c2"))
    both = await settle(customers, NOW + HOUR)
    assert await customers.store.settle(0, A, first) == Applied()
    before = await dump(redis, namespace)
    assert await customers.store.settle(0, A, both) == Repeated()
    assert await dump(redis, namespace) == before
    assert await customers.due(NOW + HOUR) == ["c2"]


async def test_a_former_owner_cannot_settle(customers: Customers, redis: Redis, namespace: str) -> None:
    await customers.happens(touchpoint())
    plan = await settle(customers, NOW + HOUR)
    await customers.store.claim(0, B)
    before = await dump(redis, namespace)
    assert await customers.store.settle(0, A, plan) == Fenced()
    assert await dump(redis, namespace) == before


async def test_settling_does_not_move_the_position(customers: Customers) -> None:
    await customers.happens(touchpoint())
    before = await customers.store.claim(0, A)
    await customers.store.settle(0, A, await settle(customers, NOW + HOUR))
    assert await customers.store.claim(0, A) == before


async def test_the_tick_settles_what_is_due_and_then_only_holds_the_lease(customers: Customers) -> None:
    await customers.happens(touchpoint(), touchpoint("e2", customer="c2"))
    tick = customers_tick(RULE, customers.store)
    entries = len(await customers.store.outbox(0))
    assert await tick(0, A, NOW) == Applied()
    assert len(await customers.store.outbox(0)) == entries
    assert await tick(0, A, NOW + HOUR) == Applied()
    assert await tick(0, A, NOW + HOUR) == Applied()
    returned = [message for _, messages in (await customers.store.outbox(0))[entries:] for message in messages]
    assert sorted((topic, key) for topic, key, _ in returned) == [
        ("survey.decisions", "c1"),
        ("survey.decisions", "c2"),
        ("survey.requests", "c1"),
        ("survey.requests", "c2"),
    ]


async def test_a_cancelled_ask_is_due_at_once_before_all_others(customers: Customers) -> None:
    for number in range(3):
        await customers.happens(touchpoint(customer=f"c{number}"))
    await customers.happens(touchpoint("e2", event=RETURNED, customer="c1"))
    assert await customers.due(NOW) == ["c1"]
    assert await customers.due(NOW + HOUR) == ["c1", "c0", "c2"]
    assert await customers.store.settle(0, A, await settle(customers, NOW)) == Applied()
    assert await customers.due(NOW + HOUR) == ["c0", "c2"]


async def test_what_is_scheduled_and_cancelled_in_one_batch_is_settled_by_the_next_tick(
    customers: Customers,
) -> None:
    await customers.happens(touchpoint(), touchpoint("e2", event=RETURNED))
    plan = await settle(customers, NOW)
    assert [verdict.reason for verdict in plan.verdicts] == ["cancelled"]


async def test_a_cancelled_ask_that_was_settled_before_comes_back_no_more(
    customers: Customers, redis: Redis
) -> None:
    await customers.happens(touchpoint())
    stale = RULE.decide(
        batch(touchpoint("e2", event=RETURNED), start=1), await customers.store.known(0, ["c1"]), NOW
    )
    await customers.store.settle(0, A, await settle(customers, NOW + HOUR))
    await customers.store.commit(batch(touchpoint("e2", event=RETURNED), start=1), A, stale)
    assert not await redis.exists(f"{customers.store.base(0)}:due")


async def test_nothing_is_settled_while_the_log_knows_of_later_decisions(customers: Customers) -> None:
    """A state that went back could ask whom a decision that it has not come to has asked."""

    class Ahead(NothingDecided):
        later = True

        def ahead(self, partition: int) -> bool:
            return self.later

    log = Ahead()
    await customers.happens(touchpoint())
    tick = customers_tick(DecideSurveys(rules(SURVEY), log), customers.store)
    assert await tick(0, A, NOW + HOUR) == Applied()
    assert await customers.due(NOW + HOUR) == ["c1"]
    log.later = False
    assert await tick(0, A, NOW + HOUR) == Applied()
    assert await customers.due(NOW + HOUR) == []


async def test_an_ask_that_waits_on_is_due_again_later_and_nothing_is_said(customers: Customers) -> None:
    patient = deciding(survey(delay=Duration(HOUR), defer=Duration(9 * DAY)))
    await customers.happens(touchpoint())
    entries = await customers.store.outbox(0)
    known = await customers.store.known(0, ["c1"])
    state = known.contacts["c1"]
    known.contacts["c1"] = replace(state, asked={"other": NOW})
    plan = patient.settle(0, await customers.store.due(0, NOW + HOUR), known, NOW + HOUR)
    assert await customers.store.settle(0, A, plan) == Applied()
    assert await customers.store.outbox(0) == entries
    assert await customers.due(NOW + 7 * DAY - 1) == []
    [later] = await customers.store.due(0, NOW + 7 * DAY)
    assert (later.due_at, later.decided_at) == (from_ms(NOW + 7 * DAY), from_ms(NOW))


async def test_a_due_ask_goes_to_the_newest_address(customers: Customers) -> None:
    await customers.happens(touchpoint(contact=Contact(email="old@example.com")))
    await customers.happens(on(Identify, "e2", at=NOW + 1, contact=Contact(email="new@example.com")))
    plan = await settle(customers, NOW + HOUR)
    [request] = [outgoing.event for outgoing in plan.outgoing if isinstance(outgoing.event, SurveyRequest)]
    assert (request.contact.email, request.due_at) == ("new@example.com", from_ms(NOW + HOUR))


# reminders


async def test_a_reminder_is_due_after_its_invitation_and_leaves_when_it_is_settled(customers: Customers) -> None:
    rule = deciding(survey(delay=Duration(HOUR), reminder=Duration(5 * DAY)))
    await customers.happens(touchpoint())
    tick = customers_tick(rule, customers.store)
    assert await tick(0, A, NOW + HOUR) == Applied()
    assert await customers.due(NOW + HOUR + 5 * DAY - 1) == []
    [reminder] = await customers.store.due(0, NOW + HOUR + 5 * DAY)
    assert reminder.request_id == f"{reminder.reminds}-reminder"
    state = await customers.contact()
    assert state is not None
    assert (state.asked, state.pending, state.reminders) == ({"nps": NOW + HOUR}, {}, {"nps": NOW + HOUR})
    assert await tick(0, A, NOW + HOUR + 5 * DAY) == Applied()
    assert await customers.due(NOW + 100 * DAY) == []
    assert await customers.contact() == replace(state, reminders={})
    told = [message for _, messages in await customers.store.outbox(0) for message in messages]
    settled = [
        msgspec.json.decode(value).get("settles") for topic, _, value in told if topic == "survey.decisions"
    ]
    assert settled == [None, reminder.reminds, reminder.request_id]


async def test_a_reminder_that_is_settled_twice_changes_nothing(customers: Customers) -> None:
    rule = deciding(survey(reminder=Duration(5 * DAY)))
    read = batch(touchpoint())
    await customers.store.commit(read, A, rule.decide(read, await customers.store.read(read), NOW))
    due = await customers.store.due(0, NOW + 5 * DAY)
    plan = rule.settle(0, due, await customers.store.known(0, ["c1"]), NOW + 5 * DAY)
    assert await customers.store.settle(0, A, plan) == Applied()
    entries = await customers.store.outbox(0)
    assert await customers.store.settle(0, A, plan) == Repeated()
    assert await customers.store.outbox(0) == entries


# merged


async def test_a_merge_is_kept_and_what_waits_is_settled_by_the_next_tick(customers: Customers) -> None:
    await customers.happens(touchpoint(contact=Contact(name=ODD)))
    await customers.happens(on(Merge, "m1", into=ODD), touchpoint("e2"))
    assert await customers.contact() == ContactState(
        contact=Contact(name=ODD), updated_at=NOW, merged_into=ODD, merged_at=NOW
    )
    plan = await settle(customers, NOW)
    assert [(verdict.decision, verdict.reason) for verdict in plan.verdicts] == [("not_asked", "merged")]
    assert await customers.store.settle(0, A, plan) == Applied()
    to_the_other = [one for one in await returned(customers) if one[:2] == ("touchpoints", ODD)]
    assert [event_id[:7] for _, _, event_id in to_the_other] == ["e2", "merged:"]


async def test_a_history_is_kept_with_the_contact(customers: Customers) -> None:
    told = Merged(
        event_id="h1", customer_id="c1", occurred_at=from_ms(NOW), path=[ODD], asked={"nps": from_ms(NOW - DAY)}
    )
    await customers.happens(told, told)
    assert await customers.contact() == ContactState(asked={"nps": NOW - DAY}, merged={ODD: NOW})


# by schedule

QUARTERLY = survey("rel", trigger=None, every=Duration(90 * DAY), starts=from_ms(NOW - 90 * DAY).date())


async def returned(customers: Customers) -> list[tuple[str, str, str]]:
    """Topic, customer and event id of what was returned."""
    entries = [message for _, messages in await customers.store.outbox(0) for message in messages]
    return sorted((topic, key, msgspec.json.decode(event).get("event_id", "")) for topic, key, event in entries)


async def test_a_walk_meets_every_customer(customers: Customers) -> None:
    for start in range(0, 1_200, 400):
        await customers.happens(
            *(touchpoint(customer=f"c{n}", contact=Contact(name=ODD)) for n in range(start, start + 400)),
        )
    met: dict[str, ContactState] = {}
    cursor, steps = await customers.store.walk(0, 0)
    met |= steps
    while cursor:
        cursor, steps = await customers.store.walk(0, cursor)
        met |= steps
    assert set(met) == {f"c{n}" for n in range(1_200)}
    assert met["c7"].contact.name == ODD


async def test_the_tick_asks_who_is_due_by_schedule_once_a_day(customers: Customers) -> None:
    await customers.happens(on(Identify, contact=Contact(name="Ann")))
    [entry] = [id_ for id_, _ in await customers.store.outbox(0)]
    await customers.store.published(0, [entry])
    tick = customers_tick(deciding(QUARTERLY), customers.store)
    for now in (NOW, NOW + 1_000):
        assert await tick(0, A, now) == Applied()
    today = f"every:rel:{NOW // DAY}"
    assert await returned(customers) == [("touchpoints", "c1", today)]
    another_worker = customers_tick(deciding(QUARTERLY), customers.store)
    assert await another_worker(0, A, NOW + 2_000) == Applied()
    assert await returned(customers) == [("touchpoints", "c1", today)] * 2  # of which the lane takes one
    assert await tick(0, A, NOW + DAY) == Applied()
    assert ("touchpoints", "c1", f"every:rel:{NOW // DAY + 1}") in await returned(customers)


async def test_who_was_asked_by_schedule_is_asked_again_only_then(customers: Customers) -> None:
    await customers.happens(on(Identify, contact=Contact(name="Ann")))
    rule = deciding(QUARTERLY)
    plan = rule.ask_again((await customers.store.known(0, ["c1"])).contacts, NOW, ())
    [ask] = [outgoing.event for outgoing in plan.outgoing]
    read = batch(ask, ask, start=1)
    decided = rule.decide(read, await customers.store.read(read), NOW)
    assert [verdict.decision for verdict in decided.verdicts] == ["asked"]
    await customers.store.commit(read, A, decided)
    known = (await customers.store.known(0, ["c1"])).contacts
    assert rule.ask_again(known, NOW + 90 * DAY - 1, ()).outgoing == []
    assert len(rule.ask_again(known, NOW + 90 * DAY, ()).outgoing) == 1


async def test_a_damaged_schedule_is_reported(customers: Customers, redis: Redis) -> None:
    await redis.set(f"{customers.store.base(0)}:due", "not ours")
    with pytest.raises(StoreCorrupt):
        await customers.store.due(0, NOW)


# daily caps

CAPS = Caps({"nps": 3, ALL: 5})


async def capped(redis: Redis, namespace: str) -> CustomersStore:
    store = CustomersStore(redis, namespace, counted=lambda: (CAPS.around(NOW), ()))
    await store.claim(0, A)
    return store


async def counts(store: CustomersStore) -> dict[Place, int]:
    return {place: n for place, n in (await store.known(0, [])).sent.items() if n}


async def test_what_is_sent_off_is_counted_once(redis: Redis, namespace: str) -> None:
    store = await capped(redis, namespace)
    today, yesterday = CAPS.places("nps", NOW), CAPS.places("other", NOW - DAY)
    assert set((await store.known(0, [])).sent) >= {*today, *yesterday}
    for request_id in ("r1", "r2", "r1"):  # as taken over from the log again
        await store.settle(0, A, CustomersPlan(sent=[(place, request_id) for place in today]))
    await store.settle(0, A, CustomersPlan(sent=[(place, "r0") for place in yesterday]))
    assert await counts(store) == {today[0]: 2, today[1]: 2, yesterday[0]: 1}
    for place in (*today, *yesterday):
        assert 86_400 < await redis.ttl(f"{store.base(0)}:sent:{place.day}:{place.scope}") <= 172_800


async def test_a_batch_counts_with_what_it_applies(redis: Redis, namespace: str) -> None:
    store = await capped(redis, namespace)
    await store.begin(0, A, 0, 0)
    rule = deciding(survey(per_day=3), per_day=5)
    read = batch(*(touchpoint(customer=f"c{n}") for n in range(4)))
    plan = rule.decide(read, await store.read(read), NOW)
    assert [verdict.reason for verdict in plan.verdicts] == ["triggered"] * 3 + ["cap_survey"]
    assert await store.commit(read, A, plan) == Applied()
    assert await store.commit(read, A, plan) == Repeated()
    assert await counts(store) == dict.fromkeys(CAPS.places("nps", NOW), 3)


async def test_a_damaged_count_stops_the_partition(redis: Redis, namespace: str) -> None:
    store = await capped(redis, namespace)
    [place, _] = CAPS.places("nps", NOW)
    await redis.set(f"{store.base(0)}:sent:{place.day}:nps", "not ours")
    with pytest.raises(StoreCorrupt):
        await store.settle(0, A, CustomersPlan(sent=[(place, "r1")]))
    with pytest.raises(StoreCorrupt):
        await store.known(0, [])


async def test_no_more_are_asked_by_schedule_than_may_be_sent(redis: Redis, namespace: str) -> None:
    store = await capped(redis, namespace)
    everybody = {f"c{n}": ContactState(contact=Contact(name="Ann")) for n in range(9)}
    await store.settle(0, A, CustomersPlan(contacts=everybody))
    rule = deciding(QUARTERLY, survey("nps", per_day=3), per_day=5)
    assert await customers_tick(rule, store)(0, A, NOW) == Applied()
    [(_, messages)] = await store.outbox(0)
    assert len(messages) == 5


# steered samples

STEERED = survey(sampling=Sampling(5.0, "plan"), quiet_period=Duration(0), where=[])
PLAN = Dimensions((Dimension("plan"),))
STEERING = Rules((STEERED,), Asking(quiet_period=Duration(0)), dimensions=PLAN)


async def steered(redis: Redis, namespace: str) -> CustomersStore:
    store = CustomersStore(redis, namespace, counted=lambda: STEERING.counted(NOW))
    await store.claim(0, A)
    return store


async def draws(store: CustomersStore) -> dict[tuple[str, str], int]:
    """This period's counts, by segment and what is counted."""
    [here, _] = STEERING.steered.rounds(NOW)
    found = (await store.known(0, [])).draws
    return {(cell.segment, cell.what): n for cell, n in found.items() if cell.round == here}


async def test_a_batch_counts_its_draws_once(redis: Redis, namespace: str) -> None:
    store = await steered(redis, namespace)
    await store.begin(0, A, 0, 0)
    rule = DecideSurveys(STEERING, NothingDecided())
    plans = ("pro", "pro", ODD, None)
    position, asked = 0, 0
    for again in range(2):  # the second time the same customers come, to whom another thing happened
        events = [
            touchpoint(f"e{again}", customer=f"c{n}", properties={"plan": plan}) for n, plan in enumerate(plans)
        ]
        read = batch(*events, start=position)
        plan = rule.decide(read, await store.read(read), NOW)
        asked += sum(verdict.decision == "asked" for verdict in plan.verdicts)
        assert await store.commit(read, A, plan) == Applied()
        assert await store.commit(read, A, plan) == Repeated()
        position = read.end
    found = await draws(store)
    assert {segment: n for (segment, what), n in found.items() if what == "eligible"} == {"pro": 2, ODD: 1, "": 1}
    assert sum(n for (_, what), n in found.items() if what == "drawn") == asked > 0
    [here, _] = STEERING.steered.rounds(NOW)
    for key in (f"draws:nps:{here.period}", f"eligible:nps:{here.period}:pro"):
        assert 60 * 86_400 < await redis.ttl(f"{store.base(0)}:{key}") <= 61 * 86_400


async def test_answers_of_who_was_asked_are_counted_by_score(redis: Redis, namespace: str) -> None:
    store = await steered(redis, namespace)
    await store.begin(0, A, 0, 0)
    rule = DecideSurveys(STEERING, NothingDecided())
    await store.settle(0, A, CustomersPlan(contacts={"c1": ContactState(asked={"nps": NOW - 1})}))
    segments = {"plan": "pro"}
    told = on(Answered, "e1", survey_id="nps", segments=segments, score=9)
    strange = Answered(event_id="e2", customer_id="c2", survey_id="nps", occurred_at=from_ms(NOW), score=1)
    read = batch(told, told, strange)
    assert await store.commit(read, A, rule.decide(read, await store.read(read), NOW)) == Applied()
    assert await draws(store) == {("pro", "answered"): 1, ("pro", "9"): 1}


async def test_who_is_left_out_of_a_schedule_is_counted(redis: Redis, namespace: str) -> None:
    one = survey("nps", trigger=None, every=Duration(90 * DAY), sampling=STEERED.sampling)
    store = await steered(redis, namespace)
    contact = ContactState(contact=Contact(attributes={"plan": "pro"}))
    await store.settle(0, A, CustomersPlan(contacts={f"c{n}": contact for n in range(300)}))
    rule = DecideSurveys(Rules((one,), STEERING.asking, dimensions=PLAN), NothingDecided())
    assert await customers_tick(rule, store)(0, A, NOW) == Applied()
    asked = sum([len(messages) for _, messages in await store.outbox(0)])
    assert (await draws(store))["pro", "eligible"] == pytest.approx(300 - asked, rel=0.05)


@pytest.mark.parametrize("key", ["draws:nps:{}", "eligible:nps:{}:pro"])
async def test_damaged_draws_stop_the_partition(redis: Redis, namespace: str, key: str) -> None:
    store = await steered(redis, namespace)
    [here, _] = STEERING.steered.rounds(NOW)
    await redis.lpush(f"{store.base(0)}:{key.format(here.period)}", "not ours")  # type: ignore[misc]
    cell = Cell(here, "pro", "eligible")
    before = await dump(redis, namespace)
    with pytest.raises(StoreCorrupt):
        await store.settle(0, A, CustomersPlan(eligible={cell: {"c1"}}, drawn={cell: 1}))
    assert await dump(redis, namespace) == before
