from collections.abc import Iterator

import pytest

from sources.collector import Collector
from sources.errors import SendFailed
from sources.rows import Refusal
from sources.target import TRIES, Entry
from tests.real.ports import free_port
from tests.sources.fake_collector import Answer, FakeCollector, Items, fake_collector

ENTRIES = [Entry(line, f"r{line}", b'{"score":%d}' % line) for line in range(2, 7)]


@pytest.fixture
def server() -> Iterator[FakeCollector]:
    with fake_collector() as running:
        yield running


async def send(url: str, key: str = "") -> list[Refusal]:
    async with Collector(url, key, first_pause=0.001) as collector:
        return await collector.send(ENTRIES)


async def test_a_batch_is_one_array_with_the_key(server: FakeCollector) -> None:
    assert await send(server.url + "/", "secret") == []
    [(path, headers, items)] = server.requests
    assert path == "/v1/responses"
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Content-Type"] == "application/json"
    assert items == [{"score": score} for score in range(2, 7)]


async def test_without_a_key_there_is_no_header(server: FakeCollector) -> None:
    await send(server.url)
    assert "Authorization" not in server.requests[0][1]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_what_can_pass_is_tried_again(server: FakeCollector, status: int) -> None:
    server.answers = [(status, {})] * (TRIES - 1)
    assert await send(server.url) == []
    assert len(server.requests) == TRIES
    assert len(server.rows) == len(ENTRIES)


async def test_in_the_end_it_gives_up(server: FakeCollector) -> None:
    server.judge = lambda _: (503, {"detail": "draining\x1b[31m"})
    with pytest.raises(SendFailed, match=r"/v1/responses answers 503 Service Unavailable: .*draining") as caught:
        await send(server.url)
    assert "\x1b" not in str(caught.value)
    assert len(server.requests) == TRIES


async def test_nobody_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(
        SendFailed, match=rf"{url}/v1/responses cannot be reached \(.+\): is livenps serve running"
    ):
        await send(url)


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "LIVENPS_API_KEY"), (403, "LIVENPS_API_KEY"), (404, "a livenps collector"), (302, "")],
)
async def test_what_cannot_pass_is_not_tried_again(server: FakeCollector, status: int, hint: str) -> None:
    server.judge = lambda _: (status, {})
    with pytest.raises(SendFailed, match=f"answers {status} .*{hint}") as caught:
        await send(server.url, "secret")
    assert len(server.requests) == 1
    assert "secret" not in str(caught.value)


async def test_refused_items_are_left_out_until_the_rest_is_accepted(server: FakeCollector) -> None:
    def judge(items: Items) -> Answer:  # one more problem shows after the first ones are gone
        wrong = [2, 5] if len(items) == len(ENTRIES) else [3]
        errors = [
            {"index": index, "path": "$.score", "message": "not that\x07"}
            for index, item in enumerate(items)
            if item["score"] in wrong
        ]
        return (400, {"errors": errors}) if errors else (202, {})

    server.judge = judge
    refusals = await send(server.url)
    assert refusals == [Refusal(line, "score: not that ") for line in (2, 5, 3)]
    assert server.accepted == [[{"score": 4}, {"score": 6}]]
    assert len(server.requests) == 3


async def test_all_refused(server: FakeCollector) -> None:
    errors = [{"index": index, "path": "$", "message": "no"} for index in range(len(ENTRIES))]
    server.answers = [(400, {"errors": errors})]
    assert await send(server.url) == [Refusal(entry.line, "no") for entry in ENTRIES]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body", [{}, {"errors": []}, {"errors": [{"index": 99, "message": "x"}]}, {"errors": "x"}, "what?"]
)
async def test_a_400_that_names_no_item_stops(server: FakeCollector, body: object) -> None:
    server.judge = lambda _: (400, body)
    with pytest.raises(SendFailed, match="answers 400"):
        await send(server.url)
    assert len(server.requests) == 1
