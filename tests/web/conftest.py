"""One program for all tests of the HTTP edge, on real parts; each test has surveys of its own in it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.real import records
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.parts import need
from tests.real.receiver import Receiver
from tests.real.redis import Redis
from tests.web.api import Api
from tests.web.shop import Shop

Versions = Callable[[str], Awaitable[list[dict[str, Any]]]]

QUESTION = "<script>alert('question')</script> How likely?"
SURVEYS = {f"survey-{number:02}": "nps" for number in range(160)}
OTHERS = {f"{metric}-{number:02}": metric for metric in ("csat", "ces") for number in range(20)}
ASKING = [f"asking-{number:02}" for number in range(20)]  # with further questions
CHOICES = {"price": "The <i>price</i>", "speed": "The speed", "other": "Something else"}
QUESTIONS = [
    {"id": "drivers", "kind": "rating", "text": "How good were these?", "options": CHOICES},
    {
        "id": "reason",
        "kind": "single",
        "text": "What bothered you most?",
        "options": CHOICES,
        "when": {"group": ["detractor", "passive"]},
    },
    {"id": "fair", "kind": "text", "text": "Which price were fair?", "when": {"reason": ["price"]}},
    {"id": "next", "kind": "multiple", "text": "What should we work on?", "options": CHOICES},
]
TWO_SCORES, EASE = "two-scores", "ease"  # a CSAT with a CES that counts by itself
HALF = "half"  # of the customers
WAITING = [f"waiting-{number:02}" for number in range(40)]  # on the site, with further questions
WAITING_TWO = "waiting-two"  # on the site, with a second score
SITE, SITE_SECRET = "https://shop.example", "what the shop's backend signs ids with"
SECOND = [
    {"id": "easy", "kind": "ces", "text": "How easy was it?", "survey": EASE},
    {"id": "hard", "kind": "text", "text": "What was hard?", "when": {"easy": [1, 2, 3]}},
]
OPEN = "open"  # behind a plain link
SPOKEN = "spoken"  # in more than one language
SPEAKING = {
    "variables": ["product"],
    "wording": {
        "thanks": "Thank you, {{ name }}, for the {{ product | default('order') }}!",
        "thanks_detractor": "We will do better.",
    },
    "questions": [
        {"id": "why", "kind": "single", "text": "Why?", "options": {"price": "The price", "other": "Other"}}
    ],
    "translations": {
        "de": {
            "thanks": "Vielen Dank!",
            "thanks_detractor": "Oh.",
            "why": "Was war der Grund?",
            "why.price": "Der Preis",
            "why.other": "Etwas anderes",
        },
        "ar": {
            "thanks": "شكرًا!",
            "thanks_detractor": "!",
            "why": "ما السبب؟",
            "why.price": "السعر",
            "why.other": "شيء آخر",
        },
    },
}


@pytest.fixture(scope="package")
def receiver() -> Iterator[Receiver]:
    """Where the surveys of the program are sent."""
    with Receiver().running() as running:
        yield running


@pytest.fixture(scope="package")
def prefix() -> str:
    """Of the program's topics."""
    return f"web-{uuid4().hex[:10]}."


@pytest.fixture(scope="package")
def shop() -> Iterator[Shop]:
    """A site of another origin that shows the surveys of the program."""
    with Shop().running() as shop:
        yield shop


@pytest.fixture(scope="package")
def program(kafka: Kafka, receiver: Receiver, shop: Shop, prefix: str) -> Iterator[Livenps]:
    """The program with the default surveys, and one more for each test. Its Redis is its own."""
    with running(kafka, receiver, prefix, shop.origin) as program:
        yield program


@contextmanager
def running(kafka: Kafka, receiver: Receiver, prefix: str, *origins: str) -> Iterator[Livenps]:
    """Such a program."""
    need("redis")
    surveys = [
        {"id": "post-purchase", "title": "After a purchase", "trigger": "Order Delivered"},
        {"id": "relationship"},
        *(
            {
                "id": survey,
                "metric": metric,
                "title": f"<b>{survey}</b>",
                "trigger": f"event of {survey}",
                "channel": "webhook",
                "webhook_url": receiver.url,
                "wording": {"question": QUESTION},
            }
            for survey, metric in (SURVEYS | OTHERS).items()
        ),
        *(
            {
                "id": survey,
                "trigger": f"event of {survey}",
                "channel": "webhook",
                "webhook_url": receiver.url,
                "questions": QUESTIONS,
            }
            for survey in ASKING
        ),
        *(
            {
                "id": survey,
                "trigger": f"event of {survey}",
                "channel": "web",
                "wording": {"question": QUESTION},
                "questions": QUESTIONS,
            }
            for survey in WAITING
        ),
        {"id": "waiting-spoken", "trigger": "event of waiting-spoken", "channel": "web", **SPEAKING},
        {
            "id": HALF,
            "trigger": f"event of {HALF}",
            "channel": "webhook",
            "webhook_url": receiver.url,
            "sample": 0.5,
        },
        {"id": EASE, "metric": "ces"},
        {"id": OPEN, "metric": "csat", "channel": "link"},
        {
            "id": TWO_SCORES,
            "metric": "csat",
            "trigger": f"event of {TWO_SCORES}",
            "channel": "webhook",
            "webhook_url": receiver.url,
            "questions": SECOND,
        },
        {
            "id": WAITING_TWO,
            "metric": "csat",
            "trigger": f"event of {WAITING_TWO}",
            "channel": "web",
            "questions": SECOND,
            "wording": {"satisfied": ""},
        },
        {
            "id": SPOKEN,
            "trigger": f"event of {SPOKEN}",
            "channel": "webhook",
            "webhook_url": receiver.url,
            **SPEAKING,
        },
    ]
    with Redis() as redis:
        changes = {
            "kafka": {"bootstrap": kafka.bootstrap, "prefix": prefix},
            "redis": {"url": redis.url},
            "http": {"brand": "Ann & <Bob>"},
            "web": {"origins": [SITE, *origins], "secret": SITE_SECRET},
            "surveys": surveys,
        }
        with Livenps(changes) as program:
            yield program


@pytest.fixture
async def api(program: Livenps) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(
        base_url=program.url, trust_env=False, timeout=10, follow_redirects=True
    ) as client:
        yield Api(client)


@pytest.fixture(scope="package")
def unused_surveys() -> Iterator[str]:
    return iter(SURVEYS)


@pytest.fixture
def survey(unused_surveys: Iterator[str]) -> str:
    """The id of a survey that no other test uses."""
    return next(unused_surveys)


@pytest.fixture(scope="package")
def unused_others() -> list[str]:
    return [*OTHERS]


@pytest.fixture
def survey_of(unused_others: list[str]) -> Callable[[str], str]:
    """Gives the id of a survey of another metric that no other test uses."""

    def take(metric: str) -> str:
        found = next(survey for survey in unused_others if OTHERS[survey] == metric)
        unused_others.remove(found)
        return found

    return take


@pytest.fixture(scope="package")
def unused_asking() -> Iterator[str]:
    return iter(ASKING)


@pytest.fixture
def asking(unused_asking: Iterator[str]) -> str:
    """The id of a survey with further questions that no other test uses."""
    return next(unused_asking)


@pytest.fixture(scope="package")
def unused_waiting() -> Iterator[str]:
    return iter(WAITING)


@pytest.fixture
def waiting(unused_waiting: Iterator[str]) -> str:
    """The id of a survey on the site that no other test uses."""
    return next(unused_waiting)


@pytest.fixture
def spoken() -> str:
    """The id of a survey in English, German and Arabic."""
    return SPOKEN


@pytest.fixture
def versions(kafka: Kafka, prefix: str) -> Versions:
    """All versions of the answers to a survey, as they stand on the topic."""

    async def read(survey: str) -> list[dict[str, Any]]:
        found = await records.read(kafka.bootstrap, f"{prefix}survey.responses")
        answers = [json.loads(record.value) for record in found if record.value]
        return sorted((one for one in answers if one["survey_id"] == survey), key=_updated_at)

    return read


def _updated_at(response: dict[str, Any]) -> datetime:
    """A time, since texts of whole seconds sort behind those of parts of them."""
    return datetime.fromisoformat(response["updated_at"])
