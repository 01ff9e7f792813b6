"""Each real part starts, does one real thing, and leaves nothing behind."""

import asyncio
import os
import shutil
import sys
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from playwright.async_api import Page
from redis.asyncio import Redis as Client

from tests.conftest import RunPart
from tests.real import parts
from tests.real.alertmanager import Alertmanager
from tests.real.axe import violations
from tests.real.kafka import Kafka
from tests.real.prometheus import Prometheus
from tests.real.redis import Redis
from tests.real.smtp import Mailbox
from tests.real.wait import until

ROOT = Path(__file__).parents[2]


async def create_topic(kafka: Kafka, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    finally:
        await admin.close()


async def produce(kafka: Kafka, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, acks="all", enable_idempotence=True
    ) as producer:
        await producer.send_and_wait(topic, value, key=b"ada")


async def consume(kafka: Kafka, topic: str, group: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka.bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        return [(await consumer.getone()).value for _ in range(count)]


async def test_kafka_keeps_records_over_kill_and_start(kafka: Kafka, namespace: str) -> None:
    topic = namespace + "responses"
    await create_topic(kafka, topic)
    await produce(kafka, topic, b"9")
    assert await consume(kafka, topic, namespace + "before", 1) == [b"9"]

    kafka.kill()
    kafka.launch()
    await until(kafka.answers, timeout=kafka.patience, message="kafka answers again")

    await produce(kafka, topic, b"10")
    assert await consume(kafka, topic, namespace + "after", 2) == [b"9", b"10"]


async def test_kafka_is_stopped_by_one_test(kafka: Kafka) -> None:
    kafka.stop()
    assert not kafka.running


async def test_and_serves_the_next(kafka: Kafka, namespace: str) -> None:
    await create_topic(kafka, namespace + "again")


async def test_redis_survives_kill_and_start_with_its_data(redis_server: Redis, redis_url: str) -> None:
    async with Client.from_url(redis_url) as client:
        await client.set("score", 34)
        await until(lambda: written(redis_server, b"score"), message="the append-only file holds the key")
    redis_server.kill()
    assert not redis_server.running
    redis_server.start()
    async with Client.from_url(redis_url) as client:
        assert await client.get("score") == b"34"


def written(server: Redis, key: bytes) -> bool:
    return any(key in file.read_bytes() for file in (server.directory / "appendonlydir").glob("*.aof"))


async def test_redis_url_is_empty(redis_url: str) -> None:
    async with Client.from_url(redis_url) as client:
        assert await client.dbsize() == 0


async def test_a_paused_redis_does_not_answer_until_resumed(redis_server: Redis) -> None:
    redis_server.pause()
    assert not redis_server.answers()
    redis_server.resume()
    await until(redis_server.answers)


async def test_prometheus_scrapes_and_fires_an_alert_to_alertmanager(run_part: RunPart) -> None:
    alertmanager = run_part(Alertmanager("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"))
    rules = "groups: [{name: g, rules: [{alert: Scraped, expr: up == 1}]}]"
    prometheus = run_part(
        Prometheus.scraping([alertmanager.address], rules=rules, alertmanager=alertmanager.address)
    )
    assert await until(lambda: prometheus.query("up == 1"), message="the target is up")
    received = "alertmanager_alerts_received_total{status='firing'} > 0"
    assert await until(lambda: prometheus.query(received), timeout=30, message="the alert has arrived")
    with pytest.raises(ValueError, match="parse error"):
        await prometheus.query("up ==")


async def test_smtp_receives_mail_and_can_refuse_it(smtp: Mailbox) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@example.com", "ada@example.com", "How likely … ?"
    mail.set_content("Zero to ten.")
    mail.add_alternative("<p>Zero to ten.</p>", subtype="html")
    await aiosmtplib.send(mail, hostname=smtp.host, port=smtp.port)

    (received,) = smtp.messages
    assert received["Subject"] == "How likely … ?"
    body = received.get_body(("html",))
    assert body is not None
    assert "<p>Zero" in body.get_content()
    assert smtp.recipients == [["ada@example.com"]]

    smtp.reply = "550 no such user"
    with pytest.raises(aiosmtplib.SMTPDataError):
        await aiosmtplib.send(mail, hostname=smtp.host, port=smtp.port)
    smtp.stop()
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await aiosmtplib.send(mail, hostname=smtp.host, port=smtp.port)
    assert len(smtp.messages) == 1


async def test_browser_runs_a_page_with_its_script(page: Page) -> None:
    await page.set_content("<button onclick='this.textContent = 9'>score</button>")
    await page.get_by_role("button").click()
    assert await page.get_by_role("button").text_content() == "9"


async def test_axe_tells_what_is_wrong_with_a_page(page: Page) -> None:
    body = "<title>t</title><main><h1>h</h1><input id=score></main>"
    await page.set_content(f"<html lang=en>{body}</html>")
    [found] = await violations(page)
    assert found == "label: Form elements must have labels: #score"


async def test_until_says_what_it_awaited_and_saw_last() -> None:
    with pytest.raises(AssertionError, match=r"a score: not within 0\.1 s, last value: \[\]"):
        await until(list, timeout=0.1, message="a score")


def test_a_failed_start_shows_the_log(run_part: RunPart) -> None:
    with pytest.raises(RuntimeError, match=r"prometheus ended with exit code 2(?s:.*)nonsense"):
        run_part(Prometheus("nonsense: true"))


def test_close_leaves_neither_process_nor_directory(run_part: RunPart) -> None:
    server = run_part(Redis())
    pid = server.pid
    server.close()
    assert not server.directory.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_killed_tests_leave_no_orphan() -> None:
    parts.need("redis")
    program = """if True:
        import sys
        from tests.real.redis import Redis
        redis = Redis().start()
        print(redis.pid, redis.directory, flush=True)
        sys.stdin.read()
    """
    tests = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert tests.stdout is not None
    pid, directory = (await tests.stdout.readline()).decode().split()
    tests.kill()
    await tests.wait()
    await until(lambda: not alive(int(pid)), message="the part died with the tests")
    shutil.rmtree(directory)


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_part_is_a_loud_skip_and_a_failure_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setitem(parts.PARTS, "kafka", parts.Part(lambda: False, "Java 17"))
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match=r"REAL PART MISSING: kafka.*Java 17.*install\.sh"):
        parts.need("kafka")
