"""A real Kafka: one node in KRaft mode, broker and controller in one."""

import subprocess
from collections.abc import Mapping
from types import MappingProxyType

from confluent_kafka.admin import AdminClient

from tests.real.parts import kafka_libs
from tests.real.ports import free_port
from tests.real.process import Process

CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"
JVM = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.logFile=System.out",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
)
SETTINGS = MappingProxyType(
    {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.listener.names": "CONTROLLER",
        # After a kill the controller keeps a new broker out until the old one's session is over (9 s by default);
        # a shorter one ends where a busy machine keeps the broker waiting.
        "broker.session.timeout.ms": "6000",
        "broker.heartbeat.interval.ms": "500",
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "log.cleaner.dedupe.buffer.size": "8388608",  # the default of 128 MB is a quarter of the heap
        "num.io.threads": "4",
        "num.network.threads": "2",
        "background.threads": "2",
    }
)


class Kafka(Process):
    """A broker that keeps its data over stop, kill and start."""

    name = "kafka"
    patience = 60.0

    def __init__(self, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__()
        self.bootstrap = f"127.0.0.1:{free_port()}"
        self._config = self.directory / "server.properties"
        self._log_read_from = 0
        self._write_config(settings)

    def command(self) -> list[str]:
        return self._java("kafka.Kafka", str(self._config))

    def launch(self) -> None:
        if not (self.directory / "data").exists():
            self._format_storage()
        self._log_read_from = self.log.stat().st_size if self.log.exists() else 0
        super().launch()

    def answers(self) -> bool:
        # The last line of a start: the broker serves and its controller has let it in. A connection is too early.
        with self.log.open("rb") as log:
            log.seek(self._log_read_from)
            return self.running and b"Kafka Server started" in log.read()

    def delete_topics(self, prefix: str) -> None:
        """Delete the topics whose names begin so."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        if names := [name for name in admin.list_topics(timeout=30).topics if name.startswith(prefix)]:
            for deleted in admin.delete_topics(names).values():
                deleted.result(timeout=30)

    def _write_config(self, settings: Mapping[str, str]) -> None:
        controller = f"127.0.0.1:{free_port()}"
        addresses = {
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self.directory / "data"),
        }
        config = SETTINGS | addresses | dict(settings)
        self._config.write_text("".join(f"{key}={value}\n" for key, value in config.items()))

    def _format_storage(self) -> None:
        format_storage = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self._config)]
        done = subprocess.run(self._java(*format_storage), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"kafka's storage cannot be formatted:\n{done.stdout}{done.stderr}")

    def _java(self, *arguments: str) -> list[str]:
        # Native libraries are unpacked to the temporary directory, which then goes with the rest.
        return ["java", *JVM, f"-Djava.io.tmpdir={self.directory}", "-cp", f"{kafka_libs()}/*", *arguments]
