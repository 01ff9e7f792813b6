"""`livenps serve`: what it waits for, what it refuses to start on, and how it ends."""

import asyncio
import contextlib
import signal
import socket
import time
from typing import Any

import httpx
import pytest

from streams import topics
from tests.conftest import RunPart, Serve
from tests.livenps.run import run
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.ports import free_port
from tests.real.redis import Redis
from tests.real.wait import until


def log_of(program: Livenps) -> str:
    return program.log.read_text()


def test_without_a_secret_nothing_starts() -> None:
    done = run("serve")
    assert done.returncode == 2
    assert "set LIVENPS_SECRET to 32 characters or more" in done.stderr
    assert "Traceback" not in done.stderr


async def test_it_waits_for_redis_and_goes_on_once_it_is_there(serve: Serve, run_part: RunPart) -> None:
    redis = Redis()
    program = serve({"redis": {"url": redis.url.replace("//", "//:password@")}}, wait=False)
    address = f"waiting for Redis at {redis.url}"
    await until(lambda: log_of(program).count(address) >= 2, message="it says so, and tries again")
    assert not program.answers()
    run_part(redis)
    set_password(redis)
    await until(program.answers, timeout=20, message="it goes on")
    assert "Traceback" not in log_of(program)
    assert "password" not in log_of(program)


def set_password(redis: Redis) -> None:
    with socket.create_connection(("127.0.0.1", redis.port)) as connection:
        connection.sendall(b"ACL SETUSER default on >password\r\n")
        assert connection.recv(64) == b"+OK\r\n"


async def test_it_waits_for_kafka_and_goes_on_once_it_is_there(serve: Serve, kafka: Kafka) -> None:
    kafka.stop()
    program = serve(wait=False)
    address = f"waiting for Kafka at {kafka.bootstrap}"
    await until(lambda: log_of(program).count(address) >= 2, message="it says so, and tries again")
    assert not program.answers()
    kafka.launch()
    await until(program.answers, timeout=60, message="it goes on")
    assert "Traceback" not in log_of(program)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_order(serve: Serve, number: signal.Signals) -> None:
    program = serve()
    async with httpx.AsyncClient(base_url=program.url, trust_env=False) as client:
        answer = {"survey_id": "support", "score": 9, "response_id": "r1"}
        assert (await client.post("/v1/responses", json=answer)).status_code == 202
        async with client.stream("GET", "/v1/live") as stream:
            await anext(stream.aiter_lines())
            started = time.monotonic()
            program.signal(number)
            assert program.exit_code() == 0
    assert time.monotonic() - started < 10
    assert "Traceback" not in log_of(program)
    program.launch()
    await until(program.answers, timeout=20, message="it starts again")
    async with httpx.AsyncClient(base_url=program.url, trust_env=False) as client:

        async def counted() -> bool:
            n: int = (await client.get("/v1/scores?survey=support")).json()["n"]
            return n == 1

        await until(counted, message="the answer is there")


async def test_a_signal_ends_it_while_kafka_is_away(serve: Serve, kafka: Kafka) -> None:
    program = serve()
    async with httpx.AsyncClient(base_url=program.url, trust_env=False) as client:
        for customer in range(8):  # so that each partition has a delivery whose position is not committed yet
            touchpoint = {
                "event": "Ticket Solved",
                "customer_id": f"c{customer}",
                "contact": {"email": "c@c.example"},
            }
            assert (await client.post("/v1/touchpoints", json=touchpoint)).status_code == 202

        async def delivered() -> bool:
            metrics = (await client.get("/metrics")).text
            return 'survey_deliveries_total{channel="log",outcome="sent",survey="support"} 8.0' in metrics

        await until(delivered, message="the surveys are delivered")
    kafka.kill()
    started = time.monotonic()
    program.signal(signal.SIGTERM)
    assert await asyncio.to_thread(program.exit_code) == 0
    assert time.monotonic() - started < 25
    assert "Traceback" not in log_of(program)


def test_a_wrong_partition_count_is_refused(serve: Serve) -> None:
    serve({"kafka": {"partitions": 2}}).stop()
    program = serve({"kafka": {"partitions": 3}}, wait=False)
    assert program.exit_code() == 1
    assert "survey.responses: partitions: expected 3, found 2" in log_of(program)
    assert "Traceback" not in log_of(program)


async def test_a_new_topic_does_not_hide_a_wrong_partition_count(
    serve: Serve, kafka: Kafka, namespace: str
) -> None:
    older = topics.topics(prefix=namespace, partitions=2)[topics.RESPONSES]
    assert await topics.create(kafka.bootstrap, [older]) == [older.name]
    program = serve(wait=False)
    assert await asyncio.to_thread(program.exit_code) == 1
    assert "survey.responses: partitions: expected 4, found 2" in log_of(program)
    assert "Traceback" not in log_of(program)
    assert await topics.create(kafka.bootstrap, [older]) == []
    (difference,) = {
        one.what for one in await topics.check(kafka.bootstrap, topics.topics(prefix=namespace).values())
    } - {"partitions"}
    assert difference == "topic"  # nothing was created


def test_any_of_the_brokers_will_do(serve: Serve, kafka: Kafka) -> None:
    addresses = f"127.0.0.1:{free_port()}, {kafka.bootstrap}"
    program = serve({"kafka": {"bootstrap": addresses}})
    assert "waiting for Kafka" not in log_of(program)


async def test_a_broker_with_an_ipv6_address(serve: Serve, kafka: Kafka) -> None:
    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(*kafka.bootstrap.split(":"))
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))

    async with await asyncio.start_server(forward, "::1", 0) as bridge:
        port = bridge.sockets[0].getsockname()[1]
        program = serve({"kafka": {"bootstrap": f"[::1]:{port}"}}, wait=False)
        # Beside the loop, which forwards what the program has to hear before it answers.
        await until(lambda: asyncio.to_thread(program.answers), timeout=30, message="all its clients connect")
        program.signal(signal.SIGTERM)
        assert await asyncio.to_thread(program.exit_code) == 0
    assert "waiting for Kafka" not in log_of(program)


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
    writer.close()


def test_the_embedded_kafka_has_its_own_number_of_partitions(serve: Serve) -> None:
    program = serve({"kafka": {"partitions": 2}}, arguments=["--embedded"])
    (warning,) = [line for line in program.lines() if "number of partitions" in line["event"]]
    assert warning["partitions"] == 4
    metrics = httpx.get(f"{program.url}/metrics", trust_env=False).text
    for partition in range(4):
        assert f'livenps_lag_records{{partition="{partition}",topic="survey.responses"}}' in metrics


async def test_another_retention_is_a_warning(serve: Serve) -> None:
    serve().stop()
    program = serve({"kafka": {"retention": {"touchpoints": "1d"}}})
    (warning,) = [line for line in program.lines() if line["event"] == "topic differs from the configuration"]
    assert warning["difference"].endswith("touchpoints: retention.ms: expected 86400000, found 2592000000")


def test_a_port_that_is_taken(serve: Serve) -> None:
    program = serve()
    second = serve(arguments=["--port", str(program.port)], wait=False)
    assert second.exit_code() != 0
    assert f"cannot listen on 127.0.0.1:{program.port} (Address already in use)" in log_of(second)
    assert "Traceback" not in log_of(second)
    assert program.answers()


async def test_each_role_serves_what_is_its_own(serve: Serve) -> None:
    collect = serve(arguments=["--role", "collect"])
    score = serve(arguments=["--role", "score,export"])
    async with httpx.AsyncClient(trust_env=False) as client:

        async def status(program: Livenps, path: str, body: dict[str, Any] | None = None) -> int:
            method = "GET" if body is None else "POST"
            return (await client.request(method, program.url + path, json=body)).status_code

        answer = {"survey_id": "support", "score": 9}
        assert await status(collect, "/v1/responses", answer) == 202
        assert await status(score, "/v1/responses", answer) in (404, 405)
        assert await status(collect, "/v1/scores") == 404
        assert await status(collect, "/metrics") == 404
        assert await status(score, "/metrics") == 200
        for program in (collect, score):
            assert [await status(program, path) for path in ("/healthz", "/docs/openapi.json")] == [200, 200]

        async def counted() -> bool:
            n: int = (await client.get(f"{score.url}/v1/scores?survey=support")).json()["n"]
            return n == 1

        await until(counted, message="what one collects the other scores")


def test_the_log_is_json_and_names_the_address(serve: Serve) -> None:
    program = serve()
    (serving,) = [line for line in program.lines() if line["event"] == "serving"]
    assert (serving["url"], serving["level"]) == (program.url, "info")


def test_it_warns_of_nothing(serve: Serve) -> None:
    program = serve()
    program.stop()
    assert "Warning" not in log_of(program)
