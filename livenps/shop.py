"""The simulated shop of the demo: its customers buy, are asked and answer. It speaks HTTP only, like any user.

Who a customer is, what happens to them and what they say are functions of the seed and an id, so that a run can
be repeated and nothing has to be remembered.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple, TypeVar

import httpx
import uvicorn
from litestar import Litestar, post
from litestar.params import JSONBody
from msgspec import Struct
from msgspec.structs import replace

from livenps.phrases import Feeling, comment
from scoring.scales import Metric
from surveys.survey import Survey

Record = dict[str, object]
Clock = Callable[[], datetime]
T = TypeVar("T")

PAUSE = 0.05  # seconds between two touchpoints on average
SURFERS = 16  # customers on a survey page at a time
OPENS, ANSWERS, COMMENTS = 0.45, 0.85, 0.4  # shares of the invited, of those who open, of those who answer
RETURNS = 0.25  # touchpoints of a customer whom the shop may know
BACKLOG = 1_000  # invitations that wait for their customer
BATCH = 1_000  # answers that the API takes in one request
PATIENCE = 30.0  # seconds that livenps may take to come up

LATE_NEWS = "the eu warehouse is late: watch region eu"
FINE_NEWS = "the eu warehouse has caught up: region eu recovers"


# who buys


@dataclass(frozen=True, slots=True)
class Customer:
    """Someone who buys."""

    id: str
    name: str
    plan: str
    region: str
    age: int

    @property
    def attributes(self) -> Record:
        return {"plan": self.plan, "region": self.region, "age": self.age}

    @property
    def contact(self) -> Record:
        mailbox = f"{self.name.lower().replace(' ', '.')}.{self.id}"
        return {"email": f"{mailbox}@example.com", "name": self.name, "attributes": self.attributes}


FIRST_NAMES = ("Anna", "Ben", "Chen", "Dora", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jonas", "Keiko", "Liam")
LAST_NAMES = ("Adeyemi", "Brown", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Hansen", "Ito", "Jones")
PLANS = {"free": 50, "pro": 35, "enterprise": 15}
REGIONS = {"eu": 45, "us": 35, "apac": 20}


def customer(seed: int, customer_id: str) -> Customer:
    """The same customer for the same seed and id."""
    dice = _dice(seed, "customer", customer_id)
    return Customer(
        id=customer_id,
        name=f"{dice.choice(FIRST_NAMES)} {dice.choice(LAST_NAMES)}",
        plan=_weighted(dice, PLANS),
        region=_weighted(dice, REGIONS),
        age=round(dice.triangular(18, 80, 32)),
    )


# what they say

MOOD = {"free": 18.0, "pro": 44.0, "enterprise": 58.0, "eu": 2.0, "us": 6.0, "apac": -14.0}
SURVEY_MOOD = {"relationship": 0.0, "post-purchase": 5.0, "support": -10.0, "checkout": 25.0, "returns": -5.0}
LATE_MOOD = -70.0
PASSIVES = 0.26
SCORES: dict[Metric, dict[Feeling, dict[int, int]]] = {
    "nps": {
        "promoter": {9: 40, 10: 60},
        "passive": {7: 40, 8: 60},
        "detractor": {6: 30, 5: 22, 4: 13, 3: 12, 2: 9, 1: 6, 0: 8},
    },
    "csat": {
        "promoter": {5: 70, 4: 30},
        "passive": {4: 65, 3: 35},
        "detractor": {3: 30, 2: 40, 1: 30},
    },
    "ces": {
        "promoter": {7: 60, 6: 40},
        "passive": {6: 25, 5: 50, 4: 25},
        "detractor": {4: 20, 3: 30, 2: 30, 1: 20},
    },
}
METRICS: Mapping[str, Metric] = {"checkout": "csat", "returns": "ces"}  # of other surveys: nps


class Opinion(NamedTuple):
    """A score, and what its giver would write if they wrote something."""

    score: int
    comment: str


def opinion(dice: Random, who: Customer, survey_id: str, *, warehouse_late: bool = False) -> Opinion:
    """Plans, regions and surveys differ in their NPS, whatever the scale; who waits for a parcel is angry."""
    late = warehouse_late and who.region == "eu"
    nps = LATE_MOOD if late else MOOD[who.plan] + MOOD[who.region] + SURVEY_MOOD.get(survey_id, 0.0)
    promoters = (1 - PASSIVES + nps / 100) / 2
    mix: dict[Feeling, float] = {
        "promoter": promoters,
        "passive": PASSIVES,
        "detractor": 1 - PASSIVES - promoters,
    }
    feeling = _weighted(dice, mix)
    scores = SCORES[METRICS.get(survey_id, "nps")][feeling]
    return Opinion(_weighted(dice, scores), comment(dice, survey_id, feeling, late=late))


class Past(NamedTuple):
    """How many answers a survey got before the demo began, over how many days."""

    survey_id: str
    answers: int
    days: int


PAST = (
    Past("relationship", 1_500, 30),
    Past("post-purchase", 600, 7),
    Past("support", 300, 7),
    Past("checkout", 300, 7),
    Past("returns", 200, 7),
)


def history(seed: int, now: datetime) -> list[Record]:
    """The answers of the past, in no order, so that any part of them shows every survey."""
    surveys = [past for past in PAST for _ in range(past.answers)]
    records = [_past_answer(seed, number, past, now) for number, past in enumerate(surveys)]
    _dice(seed, "history").shuffle(records)
    return records


def _past_answer(seed: int, number: int, past: Past, now: datetime) -> Record:
    dice = _dice(seed, "past", number)
    who = customer(seed, f"past-{number}")
    said = opinion(dice, who, past.survey_id)
    age = timedelta(days=past.days) * dice.random() ** 2  # squared: the closer to now, the denser
    return {
        "response_id": f"past-{seed}-{number}",
        "survey_id": past.survey_id,
        "customer_id": who.id,
        "score": said.score,
        "comment": said.comment if dice.random() < 1 / 3 else "",
        "attributes": who.attributes,
        "answered_at": (now - age).isoformat(),
    }


# what happens to them

OCCASIONS = {
    "Order Delivered": 55,
    "Ticket Solved": 15,
    "Checkout Completed": 10,
    "Return Completed": 8,
    "Page Viewed": 12,
}
PRODUCTS = ("backpack", "coffee maker", "desk lamp", "headphones", "notebook", "running shoes", "tea set")
TOPICS = ("billing", "delivery", "login", "returns", "warranty")
PAGES = ("/", "/basket", "/pricing", "/sale")


def touchpoint(seed: int, number: int, now: datetime, *, warehouse_late: bool = False) -> Record:
    """What happens next. Most customers are new; some come again, and are not asked again."""
    dice = _dice(seed, "touchpoint", number)
    comes_again = number > 0 and dice.random() < RETURNS
    who = customer(seed, f"c{dice.randrange(number) if comes_again else number}")
    event = _weighted(dice, OCCASIONS)
    late = warehouse_late and who.region == "eu"
    return {
        "event_id": f"live-{seed}-{number}",
        "event": event,
        "customer_id": who.id,
        "occurred_at": now.isoformat(),
        "properties": _properties(dice, event, late=late),
        "contact": who.contact,
    }


def _properties(dice: Random, event: str, *, late: bool) -> Record:
    if event == "Order Delivered":
        return {
            "product": dice.choice(PRODUCTS),
            "order_total": round(dice.lognormvariate(3.7, 0.6), 2),
            "days_late": dice.randint(3, 9) if late else 0,
        }
    if event == "Ticket Solved":
        return {
            "topic": "delivery" if late else dice.choice(TOPICS),
            "minutes_to_solve": round(dice.lognormvariate(4, 1)),
        }
    if event == "Checkout Completed":
        return {"items": dice.randint(1, 6)}
    if event == "Return Completed":
        return {"product": dice.choice(PRODUCTS)}
    return {"page": dice.choice(PAGES)}


def warehouse_late(elapsed: float, seconds: float | None) -> bool:
    """Whether parcels to the eu are late by now: from 40 % of a run on, and now and then in an endless one."""
    if seconds is not None:
        return elapsed >= 0.4 * seconds
    return 40 <= elapsed % 300 < 160


# the shop


def surveys(configured: Sequence[Survey], url: str) -> list[Survey]:
    """The surveys of a configuration and two of other metrics, all by webhook to the shop's customers."""
    more = [
        Survey(id="checkout", title="Checkout", metric="csat", trigger="Checkout Completed", team="shop"),
        Survey(id="returns", title="Returning an order", metric="ces", trigger="Return Completed", team="support"),
    ]
    return [replace(survey, channel="webhook", webhook_url=url) for survey in (*configured, *more)]


class Invitation(Struct, frozen=True):
    """What livenps' webhook says: please ask this customer. Further fields are of no use here."""

    request_id: str
    survey_id: str
    customer_id: str
    link: str
    subject: str
    question: str


class Shop:
    """Drives livenps at ``base_url`` like a busy shop: the past first, then life.

    ``start()`` opens the webhook endpoint, ``receiver_url``; ``run()`` trades; ``close()`` ends the endpoint.
    The counters may be read at any time, and ``past_told`` is set once all answers of the past are posted.
    """

    def __init__(
        self,
        base_url: str,
        *,
        seed: int = 1,
        on_news: Callable[[str], None] = lambda _: None,
        now: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self.past_answers = 0
        self.past_told = asyncio.Event()
        self.touchpoints = 0
        self.invitations = 0
        self.answers = 0
        self.comments = 0
        self.gave_up = 0  # customers whose survey page did not work
        self.receiver_url = ""
        self._base_url = base_url
        self._seed = seed
        self._on_news = on_news
        self._now = now
        self._late = False
        self._invited: asyncio.Queue[Invitation] = asyncio.Queue(BACKLOG)
        self._receiver = _Receiver(self._invite)

    async def start(self) -> None:
        """Receive invitations from now on."""
        self.receiver_url = self._receiver.start()

    async def close(self) -> None:
        """Refuse invitations from now on."""
        await self._receiver.close()

    async def run(self, seconds: float | None) -> None:
        """Trade for so long, or until cancelled. Raises ConnectionError where livenps does not come up."""
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(seconds),
                # without the environment: a proxy would stand between the shop and loopback
                httpx.AsyncClient(
                    base_url=self._base_url, timeout=10, trust_env=False, follow_redirects=True
                ) as http,
            ):
                began = asyncio.get_running_loop().time()
                await self._tell_history(http)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._trade(http, began, seconds))
                    for _ in range(SURFERS):
                        tasks.create_task(self._surf(http))

    def _invite(self, invitation: Invitation) -> None:
        self.invitations += 1
        with suppress(asyncio.QueueFull):  # then this customer never looks at it
            self._invited.put_nowait(invitation)

    async def _tell_history(self, http: httpx.AsyncClient) -> None:
        records = history(self._seed, self._now())
        for part in (records[:200], *_parts(records[200:], BATCH)):  # a little at once, so that a score shows
            await _post(http, "/v1/responses", part)
            self.past_answers += len(part)
        self.past_told.set()

    async def _trade(self, http: httpx.AsyncClient, began: float, seconds: float | None) -> None:
        pace = _dice(self._seed, "pace")
        loop = asyncio.get_running_loop()
        while True:
            self._look_at_warehouse(warehouse_late(loop.time() - began, seconds))
            record = touchpoint(self._seed, self.touchpoints, self._now(), warehouse_late=self._late)
            await _post(http, "/v1/touchpoints", record)
            self.touchpoints += 1
            await asyncio.sleep(pace.expovariate(1 / PAUSE))

    def _look_at_warehouse(self, late: bool) -> None:
        if late != self._late:
            self._late = late
            self._on_news(LATE_NEWS if late else FINE_NEWS)

    async def _surf(self, http: httpx.AsyncClient) -> None:
        """One invited customer after the other."""
        while True:
            invitation = await self._invited.get()
            dice = _dice(self._seed, "invitation", invitation.request_id)
            if dice.random() < OPENS:
                try:
                    await self._visit(http, dice, invitation)
                except httpx.HTTPError:
                    self.gave_up += 1

    async def _visit(self, http: httpx.AsyncClient, dice: Random, invitation: Invitation) -> None:
        """Open the link, read, and perhaps answer, and perhaps say why."""
        (await http.get(invitation.link)).raise_for_status()
        await asyncio.sleep(dice.uniform(0.5, 1.5))
        if dice.random() >= ANSWERS:
            return
        who = customer(self._seed, invitation.customer_id)
        said = opinion(dice, who, invitation.survey_id, warehouse_late=self._late)
        (await http.post(invitation.link, data={"score": str(said.score)})).raise_for_status()
        self.answers += 1
        if dice.random() >= COMMENTS:
            return
        await asyncio.sleep(dice.uniform(1.0, 2.0))
        form = {"comment": said.comment}
        (await http.post(f"{invitation.link}/comment", data=form)).raise_for_status()
        self.comments += 1


# its parts


class _Receiver:
    """The webhook endpoint, on a free port of loopback."""

    def __init__(self, accept: Callable[[Invitation], None]) -> None:
        @post("/invitations", status_code=204)
        async def receive(data: JSONBody[Invitation]) -> None:
            accept(data)

        app = Litestar([receive], openapi_config=None, logging_config=None)
        config = uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    def start(self) -> str:
        """Listen, and return the address; a request that comes before the first turn of the loop waits."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._serving = asyncio.create_task(self._server.serve([listener]))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/invitations"

    async def close(self) -> None:
        if self._serving:
            self._server.should_exit = True
            await self._serving


class _Server(uvicorn.Server):
    """Leaves the signals to the program that the shop is a guest in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _post(http: httpx.AsyncClient, path: str, body: Record | Sequence[Record]) -> None:
    """Post once livenps is there; ids make a repeat harmless."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while True:
        try:
            answer = await http.post(path, json=body)
        except httpx.TransportError as error:
            if loop.time() > deadline:
                raise ConnectionError(f"{http.base_url} does not answer: {error!r}") from error
        else:
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or loop.time() > deadline:
                answer.raise_for_status()
                return
        await asyncio.sleep(0.1)


def _parts(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    return (records[at : at + size] for at in range(0, len(records), size))


def _dice(*what: object) -> Random:
    return Random("/".join(map(str, what)))  # noqa: S311 -- a simulation, which has to be repeatable


def _weighted(dice: Random, weights: Mapping[T, float]) -> T:
    return dice.choices(list(weights), list(weights.values()))[0]
