import argparse
import asyncio
import io
import json
import os
import pty
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

import sources.kafka
import sources.target
from livenps.commands import import_
from livenps.errors import UsageError
from streams.topics import RESPONSES, create, topics
from tests.real.kafka import Kafka
from tests.real.ports import free_port
from tests.sources.fake_collector import Answer, FakeCollector, Items, fake_collector

EXPORT = """\
Name;NPS;Survey date;Market;Remarks
Ann;9;30/01/24;EU;"good,
really"
Bob;6.5;31/01/24;EU;
Cid;3;31/01/24;US;slow
Cid;3;31/01/24;US;slow
Eve;10;31/12/99;US;
"""
OPTIONS = [
    *("--survey", "relationship", "--column", "score=NPS", "--column", "answered_at=Survey date"),
    *("--column", "region=Market", "--column", "comment=Remarks", "--date-format", "%d/%m/%y"),
]


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIVENPS_API_KEY", raising=False)
    monkeypatch.delenv("LIVENPS_API_KEYS", raising=False)


@pytest.fixture
def server() -> Iterator[FakeCollector]:
    with fake_collector() as running:
        yield running


@pytest.fixture
def export(tmp_path: Path) -> str:
    path = tmp_path / "export.csv"
    path.write_text(EXPORT)
    return str(path)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tries follow each other without the pauses that are meant for restarts of servers."""

    async def no_pause(tries: int, first: float) -> None: ...

    for module in (sources.collector, sources.kafka):
        monkeypatch.setattr(module, "pause", no_pause)


def livenps(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    import_.add(parser.add_subparsers())
    args = parser.parse_args(["import", *arguments])
    code: int = args.run(args)
    return code


def test_a_csv_export_arrives(server: FakeCollector, export: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert livenps(export, "--to", server.url, *OPTIONS, "--timezone", "Europe/Berlin") == 1
    ids = [row.pop("response_id") for row in server.rows]
    assert len(set(ids)) == 4
    common = {"type": "response", "survey_id": "relationship"}

    def at(time: str) -> dict[str, str]:
        return {"answered_at": time, "updated_at": time}

    cid = common | {"score": 3, "comment": "slow", "attributes": {"region": "US"}} | at("2024-01-30T23:00:00Z")
    assert server.rows == [
        common
        | {"score": 9, "comment": "good,\nreally", "attributes": {"region": "EU"}}
        | at("2024-01-29T23:00:00Z"),
        cid,
        cid,
        common | {"score": 10, "attributes": {"region": "US"}} | at("1999-12-30T23:00:00Z"),
    ]
    summary, *lines = capsys.readouterr().out.splitlines()
    assert summary.startswith("4 rows accepted, 1 refused (")
    assert lines == [
        "  line 4: score: expected a whole number from 0 to 10, got '6.5'",
        "Columns not used: 'Name'",
    ]


def test_the_same_file_again_has_the_same_ids(server: FakeCollector, export: str) -> None:
    for _ in range(2):
        livenps(export, "--to", server.url, *OPTIONS, "--quiet")
    first, second = server.accepted
    assert [row["response_id"] for row in first] == [row["response_id"] for row in second]


def test_json_lines_with_dotted_names(server: FakeCollector, tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    path.write_text('{"score": 9, "who": {"id": 7, "plan": "pro"}, "customer_id": "x"}\n{"score": 8}\n')
    options = ["--survey", "s", "--column", "customer_id=who.id", "--column", "plan=who.plan"]
    assert livenps(str(path), "--to", server.url, *options) == 0
    ids = [row.pop("response_id") for row in server.rows]
    assert len(set(ids)) == 2
    assert server.rows == [
        {"type": "response", "survey_id": "s", "score": 9, "customer_id": "7", "attributes": {"plan": "pro"}},
        {"type": "response", "survey_id": "s", "score": 8},
    ]


def test_shifted_to_now(server: FakeCollector, export: str) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    livenps(export, "--to", server.url, *OPTIONS, "--shift-to-now")
    first, newest, same, old = (datetime.fromisoformat(row["answered_at"]) for row in server.rows)
    assert before <= newest == same <= datetime.now(UTC)
    assert newest - first == timedelta(days=1)
    assert newest - old == datetime(2024, 1, 31, tzinfo=UTC) - datetime(1999, 12, 31, tzinfo=UTC)


def test_the_future_is_refused(server: FakeCollector, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = time.time()
    path = tmp_path / "export.csv"
    path.write_text(f"score,answered_at\n9,{now + 200:.3f}\n8,{now + 400:.3f}\n")
    assert livenps(str(path), "--to", server.url, "--survey", "s") == 1
    assert [row["score"] for row in server.rows] == [9]
    assert "  line 3: answered_at: more than 5 minutes in the future" in capsys.readouterr().out


def test_what_the_collector_refuses_is_told_by_line(
    server: FakeCollector, export: str, hasty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def judge(items: Items) -> Answer:
        errors = [
            {"index": index, "path": "$.score", "message": "too good"}
            for index, item in enumerate(items)
            if item["score"] > 8
        ]
        return (400, {"errors": errors}) if errors else (202, {})

    server.judge = judge
    server.answers = [(503, {})]
    assert livenps(export, "--to", server.url, *OPTIONS, "--json") == 1
    assert [row["score"] for row in server.rows] == [3, 3]
    summary = json.loads(capsys.readouterr().out)
    assert (summary["accepted"], summary["refused"], summary["error"]) == (2, 3, None)
    assert summary["refusals"] == [
        {"line": 2, "reason": "score: too good"},
        {"line": 4, "reason": "score: expected a whole number from 0 to 10, got '6.5'"},
        {"line": 7, "reason": "score: too good"},
    ]
    assert summary["ignored_columns"] == ["Name"]


def test_many_rows_in_batches_of_a_thousand(
    server: FakeCollector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "export.csv"
    path.write_text("score\n" + "9\n" * 2_100 + "11\n" * 25)
    assert livenps(str(path), "--to", server.url, "--survey", "s") == 1
    assert [len(batch) for batch in server.accepted] == [1_000, 1_000, 100]
    assert len({row["response_id"] for row in server.rows}) == 2_100
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2,100 rows accepted, 25 refused (")
    assert lines[1].startswith("  line 2102: score")
    assert lines[20].startswith("  line 2121: score")
    assert lines[21:] == ["  and 5 more"]


def test_a_dry_run_sends_nothing(server: FakeCollector, export: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert livenps(export, "--to", server.url, *OPTIONS, "--dry-run") == 1
    assert not server.requests
    assert capsys.readouterr().out.startswith("Dry run, nothing sent: 4 rows accepted, 1 refused")


def test_the_key_comes_from_the_option_or_the_environment(
    server: FakeCollector, export: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVENPS_API_KEY", "from-environment\n")
    livenps(export, "--to", server.url, *OPTIONS)
    livenps(export, "--to", server.url, *OPTIONS, "--key", "from-option")
    assert [headers["Authorization"] for _, headers, _ in server.requests] == [
        "Bearer from-environment",
        "Bearer from-option",
    ]


def test_the_standard_input(
    server: FakeCollector, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"score\tanswered_at\n9\t2024-01-31\n")))
    assert livenps("-", "--format", "csv", "--to", server.url, "--survey", "s", "--shift-to-now", "--quiet") == 0
    assert [row["score"] for row in server.rows] == [9]
    assert capsys.readouterr() == ("", "")


def test_a_pipe_with_a_name(server: FakeCollector, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"score\n9\n")
    os.close(writing)
    assert livenps(f"/dev/fd/{reading}", "--format", "csv", "--to", server.url, "--survey", "s") == 0
    os.close(reading)
    assert [row["score"] for row in server.rows] == [9]


def test_nobody_there(export: str, hasty: None, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert livenps(export, "--to", url, *OPTIONS, "--json") == 1
    out, err = capsys.readouterr()
    assert f"{url}/v1/responses cannot be reached" in err
    assert "run the same command again" in err
    assert json.loads(out)["accepted"] == 0


def test_a_collector_that_goes_away_on_the_way(
    server: FakeCollector, tmp_path: Path, hasty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "export.csv"
    path.write_text("score\n" + "9\n" * 1_500)
    server.answers = [(202, {})] + [(503, {})] * sources.target.TRIES
    assert livenps(str(path), "--to", server.url, "--survey", "s") == 1
    out, err = capsys.readouterr()
    assert "answers 503" in err
    assert out.startswith("1,000 rows accepted, 0 refused")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv: No such file or directory"),
        (
            ["export.csv", "--column", "score=NPS", "--column", "plan=Plan"],
            "no column 'Plan' for plan; the file's columns are: 'Name', 'NPS'",
        ),
        (["export.csv", "--column", "score"], "wrong --column 'score': expected FIELD=NAME"),
        (["export.csv", "--column", "score=a", "--column", "score=b"], "score is already 'a'"),
        (["export.csv", "--date-format", "%d"], "wrong date format '%d'"),
        (["export.csv", "--timezone", "Berlin"], "unknown time zone 'Berlin'"),
        (["export.csv", "--delimiter", "::"], "wrong delimiter '::'"),
        (["export.csv", "--encoding", "klingon"], "unknown encoding 'klingon'"),
        (["export.csv", "--survey", ""], "wrong --survey"),
        (["export.csv", "--column", "score=NPS", "--shift-to-now"], "--shift-to-now needs times"),
        (["-"], "-: CSV or JSON Lines? Say --format"),
        (["export.xlsx"], "export.xlsx: CSV or JSON Lines? Say --format"),
        (["export.csv", "--to", "ftp://localhost"], "wrong --to"),
        (["export.csv", "--to", "localhost:8080"], "wrong --to"),
        (["export.csv", "--to", "http://me:secret@localhost:8080"], "wrong --to"),
        (["export.csv", "--to", "kafka://localhost:9092/topic"], "wrong --to"),
        (["export.csv", "--key", "s\u0435cret"], "wrong API key"),
        ([".", "--format", "csv"], ".: Is a directory"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_sent(
    server: FakeCollector, export: str, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(Path(export).parent)
    with pytest.raises(UsageError) as caught:
        livenps("--to", server.url, "--survey", "s", *arguments)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not server.requests


def test_without_an_address(export: str) -> None:
    with pytest.raises(UsageError, match="where to"):
        livenps(export, *OPTIONS)


@pytest.mark.parametrize("color", [True, False])
def test_a_bar_on_a_terminal_only(
    server: FakeCollector, export: str, monkeypatch: pytest.MonkeyPatch, color: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not color:
        monkeypatch.setenv("NO_COLOR", "1")
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr("sys.stderr", terminal)
        livenps(export, "--to", server.url, *OPTIONS)
        livenps(export, "--to", server.url, *OPTIONS, "--quiet")
        shown = os.read(master, 1 << 16).decode()
    os.close(master)
    assert shown.count("Importing") == 1
    assert f"{len(EXPORT)}/{len(EXPORT)} bytes" in shown
    assert ("\x1b[38;5;" in shown) is color


def test_without_a_terminal_there_is_no_bar(
    server: FakeCollector, export: str, capsys: pytest.CaptureFixture[str]
) -> None:
    livenps(export, "--to", server.url, *OPTIONS)
    assert capsys.readouterr().err == ""


def test_over_kafka(kafka: Kafka, namespace: str, export: str) -> None:
    topic = topics(prefix=namespace)[RESPONSES]
    asyncio.run(create(kafka.bootstrap, [topic]))
    assert livenps(export, "--to", f"kafka://{kafka.bootstrap}", "--topic", topic.name, *OPTIONS) == 1
    records = asyncio.run(read(kafka.bootstrap, topic.name, 4))
    assert sorted(value["score"] for _, value in records) == [3, 3, 9, 10]
    assert all(key == value["response_id"] for key, value in records)
    assert {value["survey_id"] for _, value in records} == {"relationship"}


async def read(bootstrap: str, topic: str, count: int) -> list[tuple[str, dict[str, Any]]]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            records = [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()
    return [(record.key.decode(), json.loads(record.value)) for record in records]


def test_a_topic_that_is_not_there(
    kafka: Kafka, namespace: str, export: str, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = f"{namespace}none"
    assert livenps(export, "--to", f"kafka://{kafka.bootstrap}", "--topic", topic, *OPTIONS) == 1
    assert f"Kafka at {kafka.bootstrap} has no topic {topic}" in capsys.readouterr().err


def test_no_kafka_there(export: str, hasty: None, capsys: pytest.CaptureFixture[str]) -> None:
    address = f"127.0.0.1:{free_port()}"
    assert livenps(export, "--to", f"kafka://{address}", *OPTIONS) == 1
    err = capsys.readouterr().err
    assert f"no Kafka answers at {address}" in err
    assert "run the same command again" in err
