"""``livenps dead-letters`` on a real log."""

import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from streams import topics
from streams.codec import Codec
from streams.events import DeadLetter, Event, Replayed, Response, encode
from streams.letters import MAX_PAYLOAD, dead_letter
from streams.partitions import partition_of
from streams.times import DAY, HOUR, from_ms, to_ms
from tests.conftest import Serve
from tests.livenps.run import run, run_answered, terminal
from tests.make import NOW, answer
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.livenps import NOTHING, Livenps, configuration, livenps
from tests.real.ports import free_port
from tests.real.wait import until

TERMINAL = {"FORCE_COLOR": "1", "TERM": "xterm", "NO_COLOR": "1"}
LAUNCH = {"surveys": [{"id": "launch", "title": "Launch"}]}


class Desk:
    """Topics of a test's own, the command over them, and letters as lanes write them."""

    def __init__(self, bootstrap: str, namespace: str, config: Path) -> None:
        self._bootstrap, self.namespace, self.config = bootstrap, namespace, config

    async def letters(self, *events: Event | bytes, partition: int = 0) -> None:
        await records.write(self._bootstrap, f"{self.namespace}dead-letters", *events, partition=partition)

    def letter(self, offset: int = 0, reason: str = "unknown_survey", **fields: Any) -> DeadLetter:
        role, payload = fields.pop("role", "survey.responses"), fields.pop("payload", encode(answer()))
        detail, at = fields.pop("detail", "a detail"), fields.pop("at", NOW)
        fields.setdefault("key", b"r1")
        return dead_letter(self.namespace + role, 0, offset, reason, detail, payload, at, **fields)

    def id(self, offset: int, role: str = "survey.responses") -> str:
        return f"{self.namespace}{role}:0:{offset}"

    async def read(self, role: str) -> list[Any]:
        return await records.read(self._bootstrap, self.namespace + role)

    async def words(self) -> list[Replayed]:
        codec = Codec([DeadLetter, Replayed])
        events = [codec.decode(record.value) for record in await self.read("dead-letters")]
        return [event for event in events if isinstance(event, Replayed)]

    def __call__(
        self, action: str, *arguments: str, code: int = 0, environment: Any = NOTHING
    ) -> subprocess.CompletedProcess[str]:
        done = run("dead-letters", action, *arguments, "--config", str(self.config), environment=environment)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def json(self, action: str, *arguments: str, code: int = 0) -> Any:
        return json.loads(self(action, *arguments, "--json", code=code).stdout)


@pytest.fixture
async def desk(kafka: Kafka, namespace: str, tmp_path: Path) -> Desk:
    config = tmp_path / "livenps.toml"
    config.write_text(configuration({"kafka": {"bootstrap": kafka.bootstrap, "prefix": namespace}}))
    await topics.create(kafka.bootstrap, topics.topics(prefix=namespace).values())
    return Desk(kafka.bootstrap, namespace, config)


# the whole way


@pytest.mark.slow
async def test_an_answer_to_a_survey_that_is_configured_later_counts_once(
    serve: Serve, kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    first = serve()
    desk = Desk(kafka.bootstrap, namespace, first.config)
    early = Response(response_id="r-17", survey_id="launch", score=9)
    partition = partition_of("r-17", 4)
    await records.write(kafka.bootstrap, f"{namespace}survey.responses", early, partition=partition)
    await until(lambda: desk.json("list")["total"] == 1, message="a letter", timeout=20, every=0.2)
    [letter] = desk.json("list", "--reason", "unknown_survey")["letters"]
    assert letter["id"] == f"{namespace}survey.responses:{partition}:0"
    first.stop()

    second = serve(LAUNCH)
    assert counted(second) == 0
    desk = Desk(kafka.bootstrap, namespace, second.config)
    new = f"{namespace}survey.responses:{partition}:1"
    assert desk.json("replay", letter["id"])["replayed"] == [{"id": letter["id"], "as": new}]
    await until(lambda: counted(second) == 1, message="it is counted")

    done = desk("replay", letter["id"])
    assert "0 dead letters replayed." in done.stderr
    assert "1 dead letter left out, replayed or begun before" in done.stderr
    assert len(await desk.read("survey.responses")) == 2
    assert desk.json("list")["letters"][0] | {"replayed_at": ""} == letter | {
        "state": "replayed",
        "replayed_at": "",
        "replayed_as": new,
    }

    await records.write(kafka.bootstrap, f"{namespace}survey.responses", early, partition=partition)
    agreed = {"answers": 1, "records": 3, "not_processed": [], "differences": []}
    await until(lambda: verified(second) == agreed, message="three records, one answer", timeout=30, every=0.2)
    assert counted(second) == 1


async def test_a_record_that_fails_again_is_a_new_letter(serve: Serve, kafka: Kafka, namespace: str) -> None:
    program = serve()
    desk = Desk(kafka.bootstrap, namespace, program.config)
    await records.write(kafka.bootstrap, f"{namespace}touchpoints", b"{")
    await until(lambda: desk.json("list")["total"] == 1, message="a letter", timeout=20, every=0.2)
    desk("replay", desk.id(0, "touchpoints"))
    await until(lambda: desk.json("list")["total"] == 2, message="another letter", timeout=20, every=0.2)
    states = {one["id"]: one["state"] for one in desk.json("list")["letters"]}
    assert states == {desk.id(0, "touchpoints"): "failed again", desk.id(1, "touchpoints"): "open"}


def counted(program: Livenps) -> int:
    params = {"survey": "launch", "window": "all"}
    return int(httpx.get(f"{program.url}/v1/scores", params=params, trust_env=False).json()["n"])


def verified(program: Livenps) -> dict[str, object]:
    report: dict[str, object] = json.loads(run("verify", "--config", str(program.config), "--json").stdout)
    return report


# list


async def test_list_is_empty_at_first(desk: Desk) -> None:
    assert desk.json("list") == {"letters": [], "total": 0, "summary": [], "unreadable": 0}
    done = desk("list")
    assert (done.stdout, done.stderr) == ("", "0 dead letters.\n")


async def test_list_newest_first_once_each_over_all_partitions(desk: Desk) -> None:
    await desk.letters(desk.letter(0), desk.letter(1, at=NOW + 2_000), desk.letter(0))
    await desk.letters(desk.letter(5, "malformed", role="touchpoints", at=NOW + 1_000), b"{", partition=3)
    assert [one["id"] for one in desk.json("list")["letters"]] == [
        desk.id(1),
        desk.id(5, "touchpoints"),
        desk.id(0),
    ]
    found = desk.json("list", "--limit", "2")
    assert [one["id"] for one in found["letters"]] == [desk.id(1), desk.id(5, "touchpoints")]
    assert (found["total"], found["unreadable"]) == (3, 1)
    assert found["summary"] == [
        {"topic": "survey.responses", "reason": "unknown_survey", "state": "open", "letters": 2},
        {"topic": "touchpoints", "reason": "malformed", "state": "open", "letters": 1},
    ]
    done = desk("list", "--limit", "2")
    assert done.stdout == (
        f"{desk.id(1)}\t2026-03-01T12:00:02Z\tunknown_survey\topen\ta detail\n"
        f"{desk.id(5, 'touchpoints')}\t2026-03-01T12:00:01Z\tmalformed\topen\ta detail\n"
    )
    assert done.stderr == (
        "3 dead letters, the newest 2 are shown: 2 survey.responses unknown_survey, 1 touchpoints malformed.\n"
        "1 records of the topic are no dead letters that this livenps can read.\n"
    )


async def test_list_a_selection(desk: Desk) -> None:
    now = to_ms(time.time())
    await desk.letters(
        desk.letter(0, at=now - 3 * DAY),
        desk.letter(1, at=now - HOUR),
        desk.letter(2, "malformed", at=now),
        desk.letter(3, role="touchpoints", at=now),
    )

    def offsets(*selection: str) -> list[str]:
        return [one["id"].rpartition(":")[2] for one in desk.json("list", *selection)["letters"]]

    assert offsets("--since", "2d") == ["3", "2", "1"]
    assert offsets("--topic", "survey.responses") == ["2", "1", "0"]
    assert offsets("--topic", "survey.responses", "--reason", "unknown_survey", "--since", "90m") == ["1"]


async def test_list_on_a_terminal_is_a_table_that_nothing_in_a_record_can_disturb(desk: Desk) -> None:
    await desk.letters(desk.letter(0, detail="[red]\x1b[2J\n" + "x" * 1_000))
    shown = without_bold(desk("list", environment=TERMINAL).stdout)
    assert "┃ reason " in shown
    assert f"│ {desk.id(0)} │" in shown
    assert r"│ [red]\x1b[2J\nxxx" in shown
    assert "\x1b" not in shown
    assert {len(line) for line in shown.splitlines()} == {120}


def without_bold(text: str) -> str:
    """Without what we write to a terminal ourselves where colours are not wanted."""
    return text.replace("\x1b[1m", "").replace("\x1b[0m", "")


# show


async def test_show_everything(desk: Desk) -> None:
    payload = b'{"comment":"\xc3\xa4 \x1b[2J"}'
    headers = [("ce_type", b"livenps.response.v1"), ("ce_id", b"\xff")]
    await desk.letters(desk.letter(0, payload=payload, detail="[red] " + "d" * 500, key=b"r\x07", headers=headers))
    shown = desk.json("show", desk.id(0))
    assert shown["id"] == desk.id(0)
    assert (shown["topic"], shown["reason"], shown["state"]) == ("survey.responses", "unknown_survey", "open")
    assert shown["detail"] == "[red] " + "d" * 500
    assert shown["payload"] == {"text": payload.decode()}
    assert (shown["payload_bytes"], shown["payload_cut"], shown["record_bytes"]) == (21, False, 21)
    assert shown["key"] == {"text": "r\x07"}
    assert shown["headers"] == {"ce_type": {"text": "livenps.response.v1"}, "ce_id": {"hex": "ff"}}
    assert "configure it" in shown["advice"]
    for environment in (NOTHING, TERMINAL):
        lines = without_bold(desk("show", desk.id(0), environment=environment).stdout).splitlines()
        assert r'payload: {"comment":"ä \x1b[2J"}' in lines
        assert r"key: r\x07" in lines
        assert "header ce_id: (hex) ff" in lines
        assert f"detail: [red] {'d' * 500}" in lines
        assert all(line.isprintable() for line in lines)


async def test_show_what_is_no_text_in_hexadecimal(desk: Desk) -> None:
    await desk.letters(desk.letter(0, "malformed", payload=b"\x00\xff", key=None))
    assert "payload: (hex) 00ff\n" in desk("show", desk.id(0)).stdout


async def test_show_an_unknown_letter(desk: Desk) -> None:
    done = desk("show", "nothing\x1b[2J:0:0", code=2)
    assert r"there is no dead letter 'nothing\x1b[2J:0:0'" in done.stderr


# replay


async def test_replay_puts_back_what_it_was(desk: Desk) -> None:
    headers = [("ce_type", b"livenps.response.v1"), ("ce_id", b"r1")]
    await desk.letters(desk.letter(4, payload=b'{"survey_id":"nps","score":9}', key=b"\xff", headers=headers))
    desk("replay", desk.id(4))
    [record] = await desk.read("survey.responses")
    assert (record.partition, record.key, record.value) == (0, b"\xff", b'{"survey_id":"nps","score":9}')
    assert list(record.headers) == headers
    before, after = await desk.words()
    assert (before.letter, before.offset, after.letter, after.offset) == (desk.id(4), None, desk.id(4), 0)


async def test_replay_exactly_the_selection(desk: Desk) -> None:
    letters = [
        desk.letter(n, ("error", "unknown_survey")[n % 2], payload=encode(answer(response_id=f"r{n}")))
        for n in range(6)
    ]
    await desk.letters(*letters[:3], letters[1], partition=1)
    await desk.letters(*letters[3:], desk.letter(1, "error", role="touchpoints"), partition=2)
    dry = desk.json("replay", "--reason", "error", "--topic", "survey.responses", "--dry-run")
    assert dry == {
        "dry_run": True,
        "selected": [desk.id(0), desk.id(2), desk.id(4)],
        "replayed": [],
        "replayed_before": [],
        "failed": [],
    }
    assert await desk.words() == []
    done = desk("replay", "--reason", "error", "--topic", "survey.responses", "--dry-run")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == dry["selected"]

    done = desk("replay", "--reason", "error", "--topic", "survey.responses")
    assert done.stderr == "3 dead letters replayed.\n"
    values = [record.value for record in await desk.read("survey.responses")]
    assert values == [letters[n].payload for n in (0, 2, 4)]
    assert await desk.read("touchpoints") == []

    report = desk.json("replay", desk.id(1), desk.id(1), desk.id(0))
    assert report["selected"] == [desk.id(1)]
    assert report["replayed_before"] == [desk.id(0)]
    assert desk.json("replay", desk.id(0), "--again")["replayed"] == [{"id": desk.id(0), "as": desk.id(4)}]


async def test_replay_names_what_cannot_be_and_replays_the_rest(desk: Desk) -> None:
    await desk.letters(desk.letter(0, payload=b"x" * (MAX_PAYLOAD + 1)), desk.letter(1))
    done = desk("replay", "--reason", "unknown_survey", code=1)
    assert done.stderr == (
        "1 dead letter replayed.\n"
        f"{desk.id(0)} cannot be replayed: only the first 262,144 bytes of its payload are kept\n"
    )
    [record] = await desk.read("survey.responses")
    assert record.value == encode(answer())


async def test_an_interrupted_replay_is_shown_and_not_repeated_unasked(desk: Desk) -> None:
    await desk.letters(desk.letter(7), Replayed(letter=desk.id(7), at=from_ms(NOW)))
    assert desk.json("list")["letters"][0]["state"] == "interrupted"
    assert desk.json("replay", desk.id(7))["replayed"] == []
    assert desk.json("replay", desk.id(7), "--again")["replayed"] == [{"id": desk.id(7), "as": desk.id(0)}]
    assert desk.json("list")["letters"][0]["replayed_as"] == desk.id(0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which? Name ids, or select by"),
        (("a:0:0", "--reason", "error"), "which? Name ids, or select by"),
        (("a:0:0",), "there is no dead letter 'a:0:0'"),
    ],
)
async def test_replay_needs_one_selection(desk: Desk, arguments: Sequence[str], message: str) -> None:
    assert message in desk("replay", *arguments, code=2).stderr


async def test_many_are_replayed_with_a_yes_only(desk: Desk) -> None:
    many = [desk.letter(n, payload=encode(answer(response_id=f"r{n}"))) for n in range(11)]
    await desk.letters(*many)
    done = desk("replay", "--since", "100000d", code=2)
    assert "11 survey.responses unknown_survey?\nThese are many: say --yes" in done.stderr
    for reply, code in (("n", 1), ("", 1)):
        shown = on_terminal(desk, reply, code, "replay", "--since", "100000d")
        assert "Replay 11 survey.responses unknown_survey? [y/N]" in shown
        assert "Nothing was replayed." in shown
    assert await desk.read("survey.responses") == []
    assert "11 dead letters replayed." in on_terminal(desk, "y", 0, "replay", "--since", "100000d")
    assert len(await desk.read("survey.responses")) == 11
    assert len(desk.json("replay", "--since", "100000d", "--again", "--yes")["replayed"]) == 11


def on_terminal(desk: Desk, reply: str, code: int, *arguments: str) -> str:
    """The command with a terminal as its input, on which a person replies."""
    done = run_answered(reply, "dead-letters", *arguments, "--config", str(desk.config))
    assert done.returncode == code, done.stderr
    return done.stderr


async def test_a_kafka_that_goes_away_is_told_with_what_was_done(desk: Desk, kafka: Kafka) -> None:
    await desk.letters(*(desk.letter(n) for n in range(11)))
    command = livenps("dead-letters", "replay", "--reason", "unknown_survey", "--config", str(desk.config))
    with (
        terminal() as (ours, theirs),
        subprocess.Popen(command, stdin=theirs, stderr=subprocess.PIPE, bufsize=0) as process,
    ):
        assert process.stderr is not None
        asked = b""
        while not asked.endswith(b"[y/N] "):
            asked += process.stderr.read(1)
            assert process.poll() is None, asked
        kafka.stop()
        os.write(ours, b"y\n")
        told = process.stderr.read().decode()
    assert process.returncode == 1
    assert told.startswith("0 dead letters replayed before this; `list` tells what was interrupted.\n")
    assert "does not answer" in told
    assert "Traceback" not in told


async def test_a_missing_topic_is_named(kafka: Kafka, namespace: str, tmp_path: Path) -> None:
    config = tmp_path / "livenps.toml"
    config.write_text(configuration({"kafka": {"bootstrap": kafka.bootstrap, "prefix": namespace}}))
    done = Desk(kafka.bootstrap, namespace, config)("list", code=1)
    assert f"{namespace}dead-letters: topic: expected a topic, found none" in done.stderr


def test_without_kafka(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    config = tmp_path / "livenps.toml"
    config.write_text(configuration({"kafka": {"bootstrap": address}}))
    done = run("dead-letters", "list", "--config", str(config))
    assert done.returncode == 1
    assert f"livenps: Kafka at {address} does not answer" in done.stderr
    assert "Traceback" not in done.stderr
