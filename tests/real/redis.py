"""A real Redis as the design runs it: append-only file, nothing evicted."""

import shutil
import socket
import tempfile
from pathlib import Path

from tests.real.ports import free_port
from tests.real.process import Process


class Redis(Process):
    """A server that keeps its data over stop, kill and start."""

    name = "redis"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.directory),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "save": "",
        }
        return ["redis-server", *(word for key, value in settings.items() for word in (f"--{key}", value))]

    def answers(self) -> bool:
        return self._ask(b"PING") == b"+PONG"  # while it loads its file it says -LOADING

    def flush(self) -> None:
        """Forget everything, in all databases."""
        answer = self._ask(b"FLUSHALL")
        if answer != b"+OK":
            raise RuntimeError(f"redis does not flush: {answer!r}")

    def keep(self) -> Path:
        """Copy what is on disk aside, as a backup of a running server would."""
        copy = Path(tempfile.mkdtemp(dir=self.directory, prefix="kept-"))
        return Path(shutil.copytree(self._data, copy / self._data.name))

    def put_back(self, copy: Path) -> None:
        """Have the next start begin with what `keep` has copied."""
        if self.running:
            raise RuntimeError("redis runs, and would write on")
        shutil.rmtree(self._data)
        shutil.copytree(copy, self._data)

    def cut(self, size: int) -> None:
        """Lose half of what was written since the log had this size, as a power cut would, amid a command."""
        with self.aof.open("r+b") as file:
            file.truncate((size + self.aof.stat().st_size) // 2)

    @property
    def aof(self) -> Path:
        """The append-only file that is written now."""
        (log,) = self._data.glob("*.incr.aof")
        return log

    @property
    def _data(self) -> Path:
        return self.directory / "appendonlydir"

    def _ask(self, command: bytes) -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(command + b"\r\n")
                return connection.recv(256).strip()
        except OSError as error:
            return str(error).encode()
