"""What the harness knows of a peer, and the contract of its program.

A peer's program gets its settings from the environment: ``BOOTSTRAP``, ``TOPIC`` (the answers), ``RESULTS`` (a
topic for its results, see `benchmarks.topics.Result`), ``GROUP``, ``STATE`` (a directory), ``WORKERS`` and
``ANSWERS`` (how many there are). It is done when its group's committed position is the end of the topic, or, where
its runtime commits rarely and can read a topic to its end instead, when it has ended with exit code 0; and when
its results are what is expected, or no more of them come.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.input import Counts, Input, compared, expected
from benchmarks.topics import Broker, Results, responses
from streams.times import SECOND
from tests.real.process import Process

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
INHERITED = ("PATH", "HOME", "LANG", "JAVA_HOME", "TMPDIR")
HOURS = ("hours",)
QUIET_S = 10.0  # without a new result, what is there is compared


@dataclass(frozen=True)
class Run:
    """One run of one peer."""

    name: str
    broker: Broker
    prefix: str  # of the topic of answers
    results: str
    input: Input

    @property
    def topic(self) -> str:
        return responses(self.prefix).name


class Program(Process):
    """A peer's program."""

    name = "peer"

    def __init__(self, words: list[str], settings: dict[str, str]) -> None:
        super().__init__()
        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment = kept | settings | {"STATE": str(self.directory)}
        self._command = ["env", "--ignore-environment", *(f"{k}={v}" for k, v in environment.items()), *words]

    def command(self) -> list[str]:
        return self._command

    def answers(self) -> bool:
        return self.running

    def ended(self) -> bool:
        """Tell whether it has ended well; raises where it has not."""
        if self.running:
            return False
        if self._child is None or self._child.returncode:
            raise RuntimeError(self._failure())
        return True


@dataclass(frozen=True)
class Peer:
    """A program to compare with. ``at_most`` bounds its input, where all of it would take too long."""

    name: str
    title: str
    leaves_out: str
    command: Callable[[Path], list[str]]
    install: Callable[[Path], None] = lambda _: None
    tools: tuple[str, ...] = ()  # of this machine, see `benchmarks.tools`
    workers: int = 1
    windows: tuple[str, ...] = HOURS  # whose buckets it counts; none: it writes no results
    once: bool = True  # whether it tells duplicates and corrections
    ends: bool = False  # done when it ends, not when its group has committed
    jvm: bool = False
    at_most: int | None = None
    variant: str = "live"
    cache: Path = field(default=Path(".cache/bench"))

    def start(self, run: Run) -> Attempt:
        settings = {
            "BOOTSTRAP": run.broker.bootstrap,
            "TOPIC": run.topic,
            "RESULTS": run.results,
            "GROUP": run.name,
            "WORKERS": str(self.workers),
            "ANSWERS": str(run.input.count),
            "PYTHONPATH": str(HERE / "shared"),
        }
        wanted = expected(run.input, self.windows, once=self.once)  # before the clock runs
        program = Program(self.command(self.cache.absolute()), settings)
        program.launch()
        return Attempt(self, run, program, wanted)


class Attempt:
    """A peer at work on a run."""

    def __init__(self, peer: Peer, run: Run, program: Program, wanted: Counts) -> None:
        self.programs: list[Process] = [program]
        self.beside: dict[str, list[int]] = {}  # other processes that work for it: name -> ids
        self.difference = ""
        self._peer, self._run, self._program, self._wanted = peer, run, program, wanted
        self._results: Results | None = None
        self._committed_at = self._read_at = 0.0

    def done(self) -> float | None:
        """When the last result was durable, or None where it is not yet; raises where the program has failed."""
        if not self._committed_at:
            if not self._committed():
                return None
            self._committed_at = self._read_at = time.monotonic()
        if not self._peer.windows:
            return self._committed_at
        if self._results is None:
            self._results = self._run.broker.results(self._run.results)
        if self._results.read():
            self._read_at = time.monotonic()
        self.difference = compared(self._wanted, self._results.counts())
        if self.difference and time.monotonic() - self._read_at < QUIET_S:  # stages behind the first may go on
            return None
        written_at = self._results.written_at / SECOND - time.time() + time.monotonic()
        return max(self._committed_at, written_at)

    def check(self) -> str:
        """Compare the results with the input: empty, or what differs."""
        return self.difference

    def _committed(self) -> bool:
        if self._program.ended() or self._peer.ends:
            return not self._program.running
        return self._run.broker.committed(self._run.name, self._run.topic) >= self._run.input.count

    def close(self) -> None:
        if self._results:
            self._results.close()
        self._program.close()


def venv(name: str) -> tuple[Callable[[Path], None], Callable[[Path], str]]:
    """How to install a peer's requirements into a venv of its own, and where its Python is then."""

    def python(cache: Path) -> str:
        return str(cache / name / "bin" / "python")

    def install(cache: Path) -> None:
        requirements = HERE / name / "requirements.txt"
        mark = cache / name / "installed.txt"
        if mark.exists() and mark.read_text() == requirements.read_text():
            return
        run_tool(sys.executable, "-m", "venv", "--clear", str(cache / name))
        pip = (python(cache), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        run_tool(*pip, "-r", str(requirements))
        mark.write_text(requirements.read_text())

    return install, python


def run_tool(*words: str) -> None:
    """Run an installer, or end the command; what the installer prints says why."""
    try:
        subprocess.run(words, check=True)  # noqa: S603 - our own words
    except subprocess.CalledProcessError as error:
        sys.exit(f"a peer cannot be installed: {words[0]} ended with exit code {error.returncode}")
