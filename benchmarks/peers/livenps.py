"""livenps itself: a worker or more of the role that counts, on a Redis of their own."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from redis import Redis as Client
from redis.cluster import RedisCluster as ClusterClient

from benchmarks.input import DIMENSIONS, PLANS, SURVEY, Cell, compared, expected
from benchmarks.peers.peer import ROOT, Run
from benchmarks.topics import PARTITIONS
from scoring.windows import ALL
from streams.topics import TOUCHPOINTS
from tests.real.livenps import Livenps, livenps
from tests.real.process import Process
from tests.real.redis import Redis
from tests.real.redis_cluster import RedisCluster

PREFIX = "bench"
WATCHED = [{"survey": SURVEY}, {"survey": SURVEY, "dimension": "plan", "segments": [*PLANS]}]


@dataclass(frozen=True)
class LivenpsPeer:
    """A row for livenps; see `benchmarks.peers.peer.Peer` for the fields."""

    name: str
    title: str
    variant: str = "live"
    leaves_out: str = "nothing"
    tools: tuple[str, ...] = ("redis-server",)
    jvm: bool = False
    at_most: int | None = None
    workers: int = 1
    cluster: bool = False  # Redis: three masters instead of one

    def install(self, _: Path) -> None:
        """It is here."""

    def start(self, run: Run) -> LivenpsAttempt:
        return LivenpsAttempt(run, self.workers, OnCluster() if self.cluster else OnOne())


class OnOne:
    """One Redis, and how the harness reads from it."""

    def __init__(self) -> None:
        self.redis = Redis().start()
        self.pids = [self.redis.pid]
        self.client: Client | ClusterClient = Client.from_url(self.redis.url)


class OnCluster:
    """A Redis Cluster, likewise."""

    def __init__(self) -> None:
        self.redis = RedisCluster().start()
        self.pids = [node.pid for node in self.redis.masters]
        self.client: Client | ClusterClient = ClusterClient.from_url(self.redis.masters[0].url)


class LivenpsAttempt:
    """livenps at work on a run."""

    def __init__(self, run: Run, workers: int, state: OnOne | OnCluster) -> None:
        self._run, self._state = run, state
        self._wanted = expected(run.input, (ALL,), once=True)  # before the clock runs
        self._events = run.prefix + TOUCHPOINTS
        returned = sum(self._wanted[ALL, 0, "", ""]) if run.input.customers else 0
        self._published = run.broker.written(self._events) + returned
        changes = {
            "kafka": {"bootstrap": run.broker.bootstrap, "prefix": run.prefix, "partitions": PARTITIONS},
            "redis": {"url": state.redis.url, "prefix": PREFIX},
            "watch": {"series": WATCHED if run.input.customers else []},
        }
        # The role export only answers the harness, when all is done.
        self._workers = [Livenps(changes, arguments=["--role", "score,export"]) for _ in range(workers)]
        for worker in self._workers:
            worker.launch()
        self.programs: list[Process] = [*self._workers]
        self.beside = {"redis": state.pids}

    def done(self) -> float | None:
        """When every partition's position, which is written with what was counted, was seen at the end.

        Where answers have customers, the events that their first versions return are published by then, too.
        """
        for worker in self._workers:
            if not worker.running:
                raise RuntimeError(f"livenps has ended:\n{worker.tail()}")
        positions = [self._state.client.hget(f"{PREFIX}:{{a{p}}}:lane", "off") for p in range(PARTITIONS)]
        read = sum(int(position or 0) for position in positions)
        if read < self._run.input.count or self._run.broker.written(self._events) < self._published:
            return None
        return time.monotonic()

    def check(self) -> str:
        """Compare the scores of all time with the input, and every window with the log: empty, or what differs."""
        wanted = {cell: groups(counts) for cell, counts in self._wanted.items()}
        if wrong := compared(wanted, self._shown()):
            return wrong
        verify = livenps("verify", "--config", str(self._workers[0].config))
        done = subprocess.run(verify, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603 - our own
        return f"livenps verify: {done.stdout}{done.stderr}" if done.returncode else ""

    def _shown(self) -> dict[Cell, tuple[int, int, int]]:
        url = f"{self._workers[0].url}/v1/scores"
        response = httpx.get(url, params={"survey": SURVEY, "window": ALL}, timeout=30, trust_env=False)
        shown = response.raise_for_status().json()
        found = {(ALL, 0, "", ""): _groups(shown)}
        for dimension in DIMENSIONS.names:
            for value, score in shown["segments"][dimension].items():
                found[ALL, 0, dimension, value] = _groups(score)
        return found

    def close(self) -> None:
        self._state.client.close()
        for worker in self._workers:
            worker.stop()  # it leaves its group, which would keep the next one waiting
            worker.close()
        self._state.redis.close()


def groups(counts: list[int]) -> tuple[int, int, int]:
    """Promoters, passives and detractors of a histogram."""
    return sum(counts[9:]), sum(counts[7:9]), sum(counts[:7])


def _groups(score: dict[str, Any]) -> tuple[int, int, int]:
    return score["groups"]["promoter"], score["groups"]["passive"], score["groups"]["detractor"]
