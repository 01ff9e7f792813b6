"""What the harness sees of the programs it measures."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from benchmarks.measure import Tree

WORK = """if True:
    import sys, time
    while time.process_time() < 0.2:
        pass
    print(flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def workers() -> Iterator[list[int]]:
    """Two processes that have worked, and rest."""
    with ExitStack() as stack:
        pids = []
        for _ in range(2):
            command = [sys.executable, "-c", WORK]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stack.enter_context(child)
            stack.callback(child.kill)
            assert child.stdout is not None
            child.stdout.readline()
            pids.append(child.pid)
        yield pids


def test_cpu_and_memory_are_of_all_processes_together(workers: list[int]) -> None:
    one, other, both = Tree(workers[0]), Tree(workers[1]), Tree(*workers)
    used = one.sample(), other.sample()
    assert min(used) >= 0.15
    assert both.sample() == pytest.approx(sum(used), abs=0.05)
    assert both.peak_mb == pytest.approx(one.peak_mb + other.peak_mb, rel=0.05)
