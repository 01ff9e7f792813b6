"""The embedded default: a Kafka that lives in this process and a private Redis. Nothing is kept.

librdkafka's mock cluster speaks the real protocol on loopback; it has no admin API and keeps everything in memory.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Producer
from fakeredis import TcpFakeServer

START_S = 10.0
STOP_S = 10.0
PARTITIONS = 4  # of every topic of the mock cluster, which knows no other


@dataclass(frozen=True, slots=True)
class Embedded:
    """Where the embedded parts answer, and what Redis is."""

    bootstrap: str
    redis_url: str
    redis_kind: str


@contextmanager
def embedded() -> Iterator[Embedded]:
    """Run both parts until the block is left."""
    # The client owns the brokers: they live as long as it is referenced. Topics appear by themselves.
    cluster = Producer({"bootstrap.servers": "unused:1", "test.mock.num.brokers": 1, "log_level": 0})
    broker = next(iter(cluster.list_topics(timeout=START_S).brokers.values()))
    server = shutil.which("redis-server")
    with _private_redis(server) if server else _fake_redis() as url:
        kind = "a private redis-server" if server else "fakeredis (no redis-server on the PATH)"
        yield Embedded(f"{broker.host}:{broker.port}", url, kind)
    cluster.flush(0)


@contextmanager
def _private_redis(server: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="livenps-") as folder:
        path = Path(folder) / "redis.sock"
        # A socket file in a folder of our own: no port to collide with, and nobody else on this machine gets in.
        command = [*_dies_with_us(), server, "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"]
        command += ["--save", "", "--appendonly", "no", "--dir", folder, "--maxmemory-policy", "noeviction"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            _await_socket(path, process)
            yield f"unix://{path}"
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _dies_with_us() -> list[str]:
    """What has Linux end the server with this process, however that ends."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _await_socket(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"redis-server ended with code {process.returncode}")
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("redis-server does not answer")


@contextmanager
def _fake_redis() -> Iterator[str]:
    server = TcpFakeServer(("127.0.0.1", 0))
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
    finally:
        server.shutdown()
        server.server_close()
