"""``livenps verify`` on a real log and a real Redis."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from redis import Redis

from streams.events import Response
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.livenps import SECRET, Livenps, livenps
from tests.real.wait import until
from tests.sinks.redis.stored import DAY, with_window


@pytest.fixture
def program(kafka: Kafka, redis_url: str, namespace: str) -> Iterator[Livenps]:
    changes = {
        "kafka": {"bootstrap": kafka.bootstrap, "prefix": namespace},
        "redis": {"url": redis_url, "prefix": "verified"},
    }
    with Livenps(changes) as running:
        yield running


async def test_agrees_over_poison_and_records_on_other_keys_partitions(
    program: Livenps, kafka: Kafka, namespace: str
) -> None:
    stray = Response(response_id="stray", survey_id="support", score=9)
    for partition in range(4):
        await records.write(kafka.bootstrap, f"{namespace}survey.responses", stray, b"{", partition=partition)
    # Four strays and four of poison, and three strays come once more, where they belong.
    await until(lambda: verify(program)["records"] == 11, message="11 records", timeout=30, every=0.5)
    report = verify(program)
    assert (report["answers"], report["differences"], report["not_processed"]) == (1, [], [])
    assert counted(program) == 1


async def test_agrees_after_duplicates_and_corrections_and_finds_what_was_changed_by_hand(
    program: Livenps, redis_url: str
) -> None:
    answers = [
        {"survey_id": "support", "score": n % 11, "response_id": f"r{n}", "attributes": {"plan": "ab"[n % 2]}}
        for n in range(500)
    ]
    post(program, answers)
    post(program, [{**one, "score": 10} for one in answers[:100]])
    await until(lambda: counted(program) == 500, message="500 answers")
    await until(lambda: verify(program)["records"] == 600, message="600 records", timeout=20, every=0.5)
    report = verify(program)
    assert (report["answers"], report["differences"], report["not_processed"]) == (500, [], [])

    with Redis.from_url(redis_url) as redis:
        await until(lambda: not redis.keys("verified:{a*}:0:pending"), message="all is folded in")
        [key, *_] = redis.keys("verified:{a*}:0:sums")  # type: ignore[misc]
        [(id_, held), *_] = redis.hgetall(key).items()  # type: ignore[union-attr]
        redis.hset(key, id_, with_window(held, DAY, [1_000, *[0] * 10]))  # type: ignore[arg-type]
        name: Any = redis.hget(key.partition(b":0:")[0] + b":series", id_)
    [difference] = verify(program, code=1)["differences"]
    assert difference["window"] == "24h"
    assert [part for part in difference["series"] if part] == json.loads(name)
    assert difference["stored"] == [1_000, *[0] * 10]


def post(program: Livenps, answers: list[dict[str, object]]) -> None:
    httpx.post(f"{program.url}/v1/responses", json=answers, trust_env=False).raise_for_status()


def counted(program: Livenps) -> int:
    params = {"survey": "support", "window": "all"}
    return int(httpx.get(f"{program.url}/v1/scores", params=params, trust_env=False).json()["n"])


def verify(program: Livenps, code: int = 0) -> dict[str, list[dict[str, list[object]]]]:
    done = subprocess.run(
        livenps("verify", "--config", str(program.config), "--json"),
        env={"LIVENPS_SECRET": SECRET, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    report: dict[str, list[dict[str, list[object]]]] = json.loads(done.stdout)
    return report
