"""`livenps topics` on a real Kafka: creates what is missing, and tells what differs."""

import json
from pathlib import Path
from typing import Any

import pytest

from streams.topics import ROLES
from tests.livenps.run import run
from tests.real.livenps import configuration, merged
from tests.real.ports import free_port


class Topics:
    """The command over a configuration that the test may change between calls."""

    def __init__(self, file: Path, parts: dict[str, Any]) -> None:
        self._file, self._parts = file, parts
        self.change({})

    def change(self, kafka: dict[str, Any]) -> None:
        self._file.write_text(configuration(merged(self._parts, {"kafka": kafka})))

    def __call__(self, *arguments: str) -> tuple[int, str]:
        done = run("topics", *arguments, "--config", str(self._file))
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout


@pytest.fixture
def topics(tmp_path: Path, real_parts: dict[str, Any]) -> Topics:
    return Topics(tmp_path / "livenps.toml", real_parts)


def differences(output: str) -> set[tuple[str, ...]]:
    return {(one["topic"], one["what"], one["wanted"], one["found"]) for one in json.loads(output)["differences"]}


def test_created_once_and_then_as_configured(topics: Topics, namespace: str) -> None:
    code, output = topics("check", "--json")
    assert code == 1
    assert differences(output) == {(namespace + role, "topic", "a topic", "none") for role in ROLES}

    code, output = topics("create", "--json")
    assert code == 0
    assert set(json.loads(output)["created"]) == {namespace + role for role in ROLES}
    code, output = topics("create")
    assert code == 0
    assert output.count("was there") == len(ROLES)
    assert topics("check") == (0, "All topics are as configured.\n")
    assert topics("check", "--json") == (0, '{"differences": []}\n')


def test_what_differs(topics: Topics, namespace: str) -> None:
    assert topics("create")[0] == 0
    topics.change({"partitions": 5, "retention": {"touchpoints": "1d"}})
    code, output = topics("check", "--json")
    assert code == 1
    retention = (f"{namespace}touchpoints", "retention.ms", "86400000", "2592000000")
    assert differences(output) == {retention, *((namespace + role, "partitions", "5", "4") for role in ROLES)}
    code, output = topics("check")
    assert code == 1
    assert "86400000" in output
    code, output = topics("create", "--json")
    assert json.loads(output) == {"created": []}  # what exists is left as it is
    assert topics("check")[0] == 1


def test_created_with_the_retention_of_the_configuration(topics: Topics) -> None:
    topics.change({"retention": {"touchpoints": "1d"}})
    assert topics("create")[0] == 0
    assert topics("check")[0] == 0


def test_without_kafka(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    file = tmp_path / "livenps.toml"
    file.write_text(configuration({"kafka": {"bootstrap": address}}))
    for action in ("create", "check"):
        done = run("topics", action, "--config", str(file))
        assert done.returncode == 1
        assert f"livenps: Kafka at {address} does not answer" in done.stderr
        assert "Traceback" not in done.stderr
