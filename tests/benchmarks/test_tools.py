"""`make bench` on a machine that lacks a tool of a chosen peer."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.tools import advice

ROOT = Path(__file__).parents[2]


def bench(tools: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, where only these tools are on the PATH."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.run", *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def holding(directory: Path, *tools: str) -> Path:
    """A directory of programs that only have to be there."""
    for tool in tools:
        (directory / tool).touch(0o755)
    return directory


def test_a_chosen_peer_that_lacks_a_tool_is_named_before_anything_is_measured(tmp_path: Path) -> None:
    done = bench(holding(tmp_path, "java", "redis-server"), "--only", "livenps,flink,kafka-streams")
    assert done.returncode == 2
    assert "flink needs what is not on the PATH: mvn\n" in done.stderr
    assert "kafka-streams needs what is not on the PATH: javac, mvn\n" in done.stderr
    assert "To install it: apt-get install default-jdk-headless maven\n" in done.stderr
    assert "livenps needs" not in done.stderr
    assert "preparing" not in done.stderr
    assert "starting Kafka" not in done.stderr
    assert done.stdout == ""


def test_the_harness_itself_needs_java(tmp_path: Path) -> None:
    done = bench(tmp_path, "--only", "ceiling")
    assert done.returncode == 2
    assert "the harness needs what is not on the PATH: java\n" in done.stderr
    assert "apt-get install default-jre-headless\n" in done.stderr
    assert "redis-server" not in done.stderr


def test_kafka_s_jars_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_CACHE", str(tmp_path))
    assert str(tmp_path) in advice({})
    assert "tests/real/install.sh" in advice({})


def test_where_all_is_there_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.tools.kafka_libs", lambda: tmp_path)
    monkeypatch.setenv("PATH", str(holding(tmp_path, "java", "redis-server")))
    assert shutil.which("java")
    assert advice({"the harness": ("java",), "livenps": ("redis-server",)}) == ""
