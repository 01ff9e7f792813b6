"""`make bench` from end to end, on few answers: every row of livenps counts right, and its figures are there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.parts import need

ROOT = Path(__file__).parents[2]
ANSWERS = 20_000


@pytest.mark.slow
def test_two_workers_and_a_redis_cluster_count_right_and_are_measured(tmp_path: Path) -> None:
    need("kafka")
    need("redis")
    options = ["--answers", str(ANSWERS), "--runs", "1", "--output", str(tmp_path), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", "--only", "livenps,livenps-2,livenps-cluster", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["machine"]
    peers = {peer["name"]: peer for peer in printed["peers"]}
    assert list(peers) == ["livenps", "livenps-2", "livenps-cluster"]
    for peer in peers.values():
        assert (peer["answers"], peer["failures"]) == (ANSWERS, [])
        assert peer["answers_per_s"] > 0
        assert list(peer["cpu_s_per_million"]) == ["peer", "broker", "redis"]
    assert peers["livenps"]["of_livenps"] == 1
    assert peers["livenps-2"]["peak_rss_mb"] > 1.3 * peers["livenps"]["peak_rss_mb"], "memory of both workers"
    [written] = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    assert written["peers"] == printed["peers"]
