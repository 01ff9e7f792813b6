"""All peers, in the order of the table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.peers.livenps import LivenpsPeer
from benchmarks.peers.peer import HERE, ROOT, Peer, run_tool, venv
from scoring.windows import ALL, DEFAULT_WINDOWS

AnyPeer = Peer | LivenpsPeer

CEILING = Peer(
    name="ceiling",
    title="bare aiokafka getmany + msgspec decode",
    leaves_out="everything but fetching and decoding",
    command=lambda _: ["env", f"PYTHONPATH={ROOT}", sys.executable, str(HERE / "ceiling" / "program.py")],
    windows=(),
    ends=True,
)
FLAGS = ("-Xmx1g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
WINDOWS = (*(window.name for window in DEFAULT_WINDOWS), ALL)
ROLLING = (
    "rolling sums (its reader adds buckets up), expiry, dead letters, versions by time (the last record counts)"
)


def build_streams(cache: Path) -> None:
    """Build the Java programs, where they have changed."""
    home, target = HERE / "kafka_streams", cache / "kafka_streams"
    sources = [home / "pom.xml", *sorted((home / "src").rglob("*.java"))]
    text = "".join(source.read_text() for source in sources)
    mark = target / "built.txt"
    if mark.exists() and mark.read_text() == text:
        return
    maven = ("mvn", "--quiet", "--batch-mode", "--strict-checksums", "--file", str(home / "pom.xml"))
    run_tool(*maven, f"-Dtarget={target}", "clean", "compile", "dependency:copy-dependencies")
    mark.write_text(text)


def streams(program: str) -> Callable[[Path], list[str]]:
    def command(cache: Path) -> list[str]:
        target = cache / "kafka_streams"
        return ["java", *FLAGS, "-cp", f"{target / 'classes'}:{target / 'libs'}/*", program]

    return command


KAFKA_STREAMS = Peer(
    name="kafka-streams",
    title="Kafka Streams, Processor API, exactly_once_v2, 1 thread",
    leaves_out=ROLLING,
    command=streams("ProcessorApi"),
    install=build_streams,
    tools=("java", "javac", "mvn"),
    windows=WINDOWS,
    jvm=True,
)
KAFKA_STREAMS_2 = replace(
    KAFKA_STREAMS, name="kafka-streams-2", title=KAFKA_STREAMS.title.replace("1 thread", "2 threads"), workers=2
)
KAFKA_STREAMS_DSL = Peer(
    name="kafka-streams-dsl",
    title="Kafka Streams, DSL, exactly_once_v2, 1 thread",
    leaves_out=f"all windows, it counts hours of each series; {ROLLING}",
    command=streams("Dsl"),
    install=build_streams,
    tools=("java", "javac", "mvn"),
    jvm=True,
    at_most=300_000,
)

CONNECTOR = "flink-sql-connector-kafka-5.0.0-2.2.jar"
MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
install_flink, flink_python = venv("flink")


def install_flink_with_connector(cache: Path) -> None:
    install_flink(cache)
    if not (cache / "flink" / CONNECTOR).exists():
        name, _, version = CONNECTOR.removesuffix(".jar").partition("-5")
        artifact = f"-Dartifact=org.apache.flink:{name}:5{version}"
        run_tool("mvn", "--quiet", "--batch-mode", MAVEN_COPY, artifact, f"-DoutputDirectory={cache / 'flink'}")


FLINK = Peer(
    name="flink",
    title="Flink 2.3 SQL, parallelism 1",
    leaves_out=f"{ROLLING}; its state is kept by a checkpoint every 10 s",
    command=lambda cache: [
        "env",
        f"CONNECTOR={cache / 'flink' / CONNECTOR}",
        flink_python(cache),
        str(HERE / "flink" / "program.py"),
    ],
    install=install_flink_with_connector,
    tools=("java", "mvn"),
    windows=WINDOWS,
    ends=True,
    jvm=True,
)
FLINK_2 = replace(FLINK, name="flink-2", title="Flink 2.3 SQL, parallelism 2", workers=2)

install_bytewax, bytewax_python = venv("bytewax")

BYTEWAX = Peer(
    name="bytewax",
    title="Bytewax 0.21, 1 worker",
    leaves_out=f"{ROLLING}; its state is kept every 10 s, results are sent again after a crash",
    command=lambda cache: [bytewax_python(cache), str(HERE / "bytewax" / "program.py")],
    install=install_bytewax,
    windows=WINDOWS,
    ends=True,
    at_most=300_000,
)

install_quix, quix_python = venv("quix")

QUIX = Peer(
    name="quix",
    title="Quix Streams 3.28, exactly-once",
    leaves_out=f"all windows, it counts hours of each series; {ROLLING}",
    command=lambda cache: [quix_python(cache), str(HERE / "quix" / "program.py")],
    install=install_quix,
    at_most=50_000,
)

install_faust, faust_python = venv("faust")

FAUST = Peer(
    name="faust",
    title="Faust 0.15.3 agent with tables",
    leaves_out=f"all windows, it counts hours of each series; {ROLLING}; a crash counts twice",
    command=lambda cache: [
        faust_python(cache),
        str(HERE / "faust" / "program.py"),
        "--loop=uvloop",
        "worker",
        "--loglevel=warn",
    ],
    install=install_faust,
    at_most=20_000,
)

PEERS: list[AnyPeer] = [
    CEILING,
    LivenpsPeer("livenps", "livenps, live"),
    LivenpsPeer(
        "livenps-customers",
        "livenps, live, with customer_id and five watched series: returns events for each",
        "customers",
    ),
    LivenpsPeer("livenps-backfill", "livenps, backfill: event times over 90 days", "backfill"),
    LivenpsPeer("livenps-2", "livenps, live, 2 workers", workers=2),
    LivenpsPeer("livenps-cluster", "livenps, live, on a Redis Cluster of three masters", cluster=True),
    KAFKA_STREAMS,
    KAFKA_STREAMS_2,
    KAFKA_STREAMS_DSL,
    FLINK,
    FLINK_2,
    BYTEWAX,
    QUIX,
    FAUST,
]
