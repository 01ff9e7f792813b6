"""Workers, clocks, faults and rollbacks in whatever order: the answers' state is what a plain model says."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from scoring.segments import Dimension, Dimensions
from scoring.windows import Window
from sinks.redis import keys, lane
from sinks.redis.answers import AnswersStore
from sinks.redis.board import BoardReader
from streams.answers import AnswersPlan, CountAnswers
from streams.events import Response
from streams.store import (
    OUTBOX_CHUNK,
    Applied,
    Batch,
    Claimed,
    Item,
    Repeated,
    StoreCorrupt,
    StoreUnavailable,
    Token,
)
from streams.times import DAY, HOUR, MINUTE, from_ms
from tests.make import NOW, SURVEYS, answer
from tests.sinks.redis.model import Model
from tests.sinks.redis.stored import expected, stored

pytestmark = pytest.mark.real

# Short ones, so that minutes and hours take answers through all of them; two of them cannot be had at once.
WINDOWS = (
    Window("10m", 10 * MINUTE, MINUTE),
    Window("10m", 10 * MINUTE, 5 * MINUTE),
    Window("2h", 2 * HOUR, 30 * MINUTE),
    Window("1d", DAY, 4 * HOUR),
)
DIMENSIONS = Dimensions((Dimension("plan"), Dimension("age", bands=(18, 25))), pairs=(("plan", "age"),))
RULE = CountAnswers(SURVEYS, DIMENSIONS)
REMEMBER = 3 * DAY
WORKERS = 3
KINDS = (b"", b":index:", b":b:", b":pending", b":sums")  # of keys
INDEX = 8  # hashes of the index: few, so that ids share them and one tick sweeps them all
WRITES = 4  # keys that a script is given which writes
LEASES = {True: HOUR, False: -HOUR}

minutes_ago = st.none() | st.integers(-5, 15) | st.integers(0, 2_000)
attributes = st.fixed_dictionaries(
    {}, optional={"plan": st.sampled_from(["pro", "1", 'a "b|/ü']), "age": st.sampled_from([17, 18.0, "n/a"])}
)
an_answer = st.tuples(
    st.integers(0, 5) | st.integers(0, 99),
    st.integers(0, 10),
    minutes_ago,
    minutes_ago,
    attributes,
    st.none() | st.sampled_from("cd"),
)
several = st.lists(an_answer, max_size=8)
workers = st.integers(0, WORKERS - 1)
who = st.none() | st.none() | workers  # mostly the one that owns the partition
generations = st.integers(1, 5)
some_windows: st.SearchStrategy[list[Window]] = st.lists(
    st.sampled_from(WINDOWS), min_size=2, max_size=6
) | st.just([])

mostly = st.sampled_from([True, True, True, False])

SETTINGS = settings(max_examples=80, stateful_step_count=40)

T = TypeVar("T")


class Lossy(Redis):
    """A connection that can lose a reply after its script has run."""

    loses = False

    async def evalsha(self, *args: Any) -> Any:
        reply = await super().evalsha(*args)
        if self.loses and args[1] == WRITES:
            raise RedisConnectionError("the reply is lost")
        return reply


@dataclass
class Worker:
    """One process's view: its token, its windows, and how often it believes the state was changed."""

    token: Token
    store: AnswersStore
    windows: list[Window]
    seq: int | None = None


@dataclass
class Copy:
    """A backup of every key, and what the model says of it."""

    dumps: dict[bytes, bytes]
    model: Model


class Machine(RuleBasedStateMachine):
    """One partition with its log, a few workers, and the model of its state."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.redis = self.run(connected(self.url))
        self.prefix = f"machine-{uuid.uuid4().hex}"
        self.base = keys.base(self.prefix, "a", 0)
        self.newest = NOW
        self.now = NOW
        self.log: list[Item | None] = []
        self.model = Model()
        self.copies = [Copy({}, Model())]  # of the empty state too, which is a lost one

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self._close())
        self.runner.close()

    async def _close(self) -> None:
        if left := await self.keys():
            await self.redis.delete(*left)
        await self.redis.aclose()

    # the world

    @initialize(windows=st.lists(some_windows, min_size=WORKERS, max_size=WORKERS))
    def start(self, windows: list[list[Window]]) -> None:
        self.workers = [self.worker(Token(f"w{n}", 1), one) for n, one in enumerate(windows)]
        self.take(0)

    @rule(minutes=st.integers(-4, 12) | st.integers(1, 300) | st.just(1_500), drawn=several, ticks=st.booleans())
    def wait(self, minutes: int, drawn: list[Any], ticks: bool) -> None:
        """Time passes, or the clock is set back."""
        self.newest += max(minutes, 0) * MINUTE
        self.now = self.newest + min(minutes, 0) * MINUTE
        self.a_reader_sees_what_the_model_says()
        if ticks:
            self.tick(None, leased=True, replies=True)
        self.work(drawn, replies=True)

    @rule(n=who, windows=some_windows, drawn=several)
    def restart(self, n: int | None, windows: list[Window], drawn: list[Any]) -> None:
        """A worker begins anew, with other windows."""
        worker = self.pick(n)
        self.workers[self.workers.index(worker)] = self.worker(worker.token, windows)
        self.work(drawn, replies=True)

    # what workers do

    @rule(drawn=several, replies=mostly)
    def work(self, drawn: list[Any], replies: bool) -> None:
        """Whoever owns the partition goes on as it should: with what comes next, and again without a reply."""
        self.publish(drawn)
        worker = self.pick(None)
        if self.model.offset is None or worker.seq != self.model.seq:
            self.take(self.workers.index(worker))
        read = self.batch(self.model.offset or 0, 20)
        self.send(worker, read, leased=True, replies=replies)
        if not replies:
            self.send(worker, read, leased=True, replies=True)

    @rule(n=workers)
    def take(self, n: int) -> None:
        """The group gives the partition to a worker, which does all that it has to."""
        owner = self.model.owner or Token("", 0)
        self.claim(n, owner.generation + 1, leased=True)
        if self.model.offset is None:
            self.begin(n, leased=True)

    @rule(n=workers, generation=generations, leased=mostly)
    def claim(self, n: int, generation: int, leased: bool) -> None:
        worker = self.pick(n)
        worker.token = Token(worker.token.owner, generation)
        found = self.act(worker, worker.store.claim(0, worker.token), leased)
        assert found == self.model.claim(worker.token, leased=leased)
        worker.seq = self.model.seq if isinstance(found, Claimed) else None

    @rule(n=who, leased=mostly)
    def begin(self, n: int | None, leased: bool) -> None:
        worker = self.pick(n)
        expected = self.model.begin(worker.token, worker.seq, 0, len(self.log), leased=leased)
        self.expect(worker, expected, worker.store.begin(0, worker.token, 0, len(self.log)), leased)

    @rule(n=who, leased=mostly)
    def hold(self, n: int | None, leased: bool) -> None:
        worker = self.pick(n)
        expected = self.model.hold(worker.token, worker.seq, leased=leased)
        self.expect(worker, expected, worker.store.hold(0, worker.token), leased, learns=False)

    @rule(n=who, leased=mostly, replies=mostly, ahead=st.sampled_from([0, 0, 0, HOUR, 400 * DAY]))
    def tick(self, n: int | None, leased: bool, replies: bool, ahead: int = 0) -> None:
        """Some worker's clock may be ahead."""
        worker, now = self.pick(n), self.now + ahead
        expected = self.model.tick(worker.token, worker.seq, worker.windows, now, REMEMBER, leased=leased)
        self.expect(worker, expected, worker.store.tick(0, worker.token, now), leased, replies)

    @rule(n=who, shift=st.just(0) | st.integers(-4, 4), size=st.integers(0, 9), leased=mostly, replies=mostly)
    def commit(self, n: int | None, shift: int, size: int, leased: bool, replies: bool) -> None:
        """Most batches begin where the state stands; the others come twice, overlap, or leave something out."""
        self.send(self.pick(n), self.batch((self.model.offset or 0) + shift, size), leased, replies)

    @rule(size=st.integers(1, 40))
    def relay(self, size: int) -> None:
        worker = self.workers[0]
        entries = self.run(worker.store.outbox(0))
        assert [messages for _, messages in entries] == self.model.outbox[:OUTBOX_CHUNK]
        if entries:
            self.run(worker.store.published(0, [entry for entry, _ in entries[:size]]))
            del self.model.outbox[: min(size, len(entries))]

    # what happens to a Redis

    @rule()
    def keep(self) -> None:
        self.copies.append(Copy(self.run(self.dumps()), deepcopy(self.model)))

    @rule(data=st.data(), drawn=several)
    def roll_back(self, data: st.DataObject, drawn: list[Any]) -> None:
        copy = data.draw(st.sampled_from(self.copies))
        self.run(self.restore(copy.dumps))
        self.model = deepcopy(copy.model)
        self.work(drawn, replies=True)

    @precondition(lambda self: self.model.answers)
    @rule(n=who, data=st.data(), drawn=several, ticks=st.booleans())
    def damage(self, n: int | None, data: st.DataObject, drawn: list[Any], ticks: bool) -> None:
        """A key of another type is refused without a trace, or it is none that the batch or tick touches."""
        self.publish(drawn)
        dumps = self.run(self.dumps())
        kind = data.draw(st.sampled_from(KINDS))
        broken = data.draw(st.sampled_from(sorted(key for key in dumps if kind in key) or sorted(dumps)))
        self.run(self.replace(broken, None))
        before, owned = deepcopy(self.model), self.run(self.ownership())
        try:
            if ticks:
                self.tick(n, leased=True, replies=True)
            else:
                self.send(self.pick(n), self.batch(self.model.offset or 0, 20), leased=True, replies=True)
        except StoreCorrupt:
            # Ownership is all that may have been taken.
            self.model, refused = before, self.model
            if self.run(self.ownership()) != owned:
                self.model.owner, self.model.leased = refused.owner, refused.leased
        if broken in self.run(self.keys()):
            self.run(self.replace(broken, dumps[broken]))
        # What was to leave its window may have left it already, which no reader can tell. Now all of it has.
        self.tick(n, leased=True, replies=True)

    # what is always so

    @invariant()
    def the_state_is_what_the_model_says(self) -> None:
        self.run(self.check_state())

    @invariant()
    def every_record_up_to_the_position_counts_once(self) -> None:
        plan = RULE.decide(self.batch(0, self.model.offset or 0), None, self.newest)
        if len({one.response_id for one in plan.answers}) == len(self.model.answers):  # none was forgotten
            counted = Model.of(plan)
            assert self.model.held_all() == counted.held_all()
            assert self.model.held_first() == counted.held_first()

    @invariant()
    def a_reader_sees_what_the_model_says(self) -> None:
        for worker in getattr(self, "workers", []):
            self.run(self.check_board(worker.windows))

    # parts

    def pick(self, n: int | None) -> Worker:
        """The worker of a number; without one whoever owns the partition."""
        owners = [one for one in self.workers if self.model.owner and one.token.owner == self.model.owner.owner]
        return self.workers[n] if n is not None else [*owners, self.workers[0]][0]

    def worker(self, token: Token, drawn: list[Window]) -> Worker:
        windows = [*{window.name: window for window in drawn}.values()]
        store = AnswersStore(self.redis, self.prefix, windows, clock=lambda: self.now, remember=REMEMBER)
        return Worker(token, store, windows)

    def publish(self, drawn: list[Any]) -> None:
        """Append to the log; an empty list is an offset with nothing at it, such as the end of a transaction."""
        self.log += [Item(said(self.now, *one), len(self.log) + n, self.now) for n, one in enumerate(drawn)] or [
            None
        ]

    def batch(self, start: int, size: int) -> Batch:
        start = min(max(0, start), len(self.log))
        records = self.log[start : start + size]
        items = [record for record in records if record is not None]
        return Batch(0, start, start + len(records), items[-1].timestamp if items else self.now, items, [])

    def send(self, worker: Worker, read: Batch, leased: bool, replies: bool) -> None:
        plan: AnswersPlan = RULE.decide(read, None, self.now)
        assert not plan.refused
        plan.counts["records_total", "seen"] += len(read.items)
        expected = self.model.commit(worker.token, worker.seq, read, plan, worker.windows, self.now, leased=leased)
        self.expect(worker, expected, worker.store.commit(read, worker.token, plan), leased, replies)

    def expect(
        self,
        worker: Worker,
        expected: object,
        work: Coroutine[Any, Any, object],
        leased: bool,
        replies: bool = True,
        learns: bool = True,
    ) -> None:
        self.redis.loses = not replies
        try:
            assert self.act(worker, work, leased) == expected
        except StoreUnavailable:
            assert not replies
        else:
            if learns and expected in (Applied(), Repeated()):
                worker.seq = self.model.seq
        finally:
            self.redis.loses = False

    def act(self, worker: Worker, work: Coroutine[Any, Any, T], leased: bool) -> T:
        lane.LEASE = LEASES[leased]
        return self.run(work)

    async def ownership(self) -> object:
        key = f"{self.base}:lane"
        return (
            await self.redis.hmget(key, "owner", "gen", "lease") if await self.redis.type(key) == b"hash" else None
        )

    async def keys(self) -> list[bytes]:
        return [key async for key in self.redis.scan_iter(match=f"{self.prefix}*", count=10_000)]

    async def dumps(self) -> dict[bytes, bytes]:
        found = await self.keys()
        async with self.redis.pipeline() as pipeline:
            for key in found:
                pipeline.dump(key)
            return dict(zip(found, await pipeline.execute(), strict=True))

    async def restore(self, dumps: dict[bytes, bytes]) -> None:
        found = await self.keys()
        async with self.redis.pipeline() as pipeline:
            pipeline.delete("", *found)
            for key, dump in dumps.items():
                pipeline.restore(key, 0, dump)
            await pipeline.execute()

    async def replace(self, key: bytes, dump: bytes | None) -> None:
        async with self.redis.pipeline() as pipeline:
            pipeline.delete(key)
            if dump is None:
                pipeline.set(key, "not ours")
            else:
                pipeline.restore(key, 0, dump)
            await pipeline.execute()

    async def check_state(self) -> None:
        found, wanted = await stored(self.redis, self.base), expected(self.model, INDEX)
        for part, value in wanted.items():
            assert found[part] == value, part

    async def check_board(self, windows: list[Window]) -> None:
        board = await BoardReader(self.redis, self.prefix, windows, 1, clock=lambda: self.now).board()
        wanted = {window.name: self.model.held(window, self.now) for window in windows}
        assert board.windows == {"all": self.model.held_all(), **wanted}
        assert board.first == self.model.held_first()
        assert board.counts == self.model.counts
        assert board.newest == {survey: minute * MINUTE for survey, minute in self.model.newest_of.items()}


async def connected(url: str) -> Lossy:
    address = urlsplit(url)
    return Lossy(host=address.hostname or "", port=address.port or 0)


def said(
    now: int, id_: int, score: int, answered: int | None, updated: int | None, values: Any, customer: str | None
) -> Response:
    # Answers that fit both scales may move from one survey to the other.
    survey = "csat" if id_ == 5 or (id_ == 4 and score in SURVEYS["csat"].scores) else "nps"
    scale = SURVEYS[survey]
    score = scale.scores[score % len(scale.scores)]
    fields: dict[str, Any] = {"attributes": values, "survey": survey, "customer_id": customer}
    if answered is not None:
        fields["answered_at"] = from_ms(now - answered * MINUTE)
    if updated is not None:
        fields["updated_at"] = from_ms(now - updated * MINUTE)
    return answer(score, f"r{id_}", **fields)


@pytest.mark.timeout(600)  # of which all but half a minute is for making a failure's example small
def test_the_state_is_what_a_model_says(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "url", redis_url)
    monkeypatch.setattr(keys, "INDEX_BUCKETS", INDEX)
    monkeypatch.setattr(lane, "LEASE", HOUR)
    run_state_machine_as_test(Machine, settings=SETTINGS)
