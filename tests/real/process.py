"""A real program under the tests' control: the base of Kafka, Redis, Prometheus and Alertmanager."""

import atexit
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self


class Part(ABC):
    """A real part of one process or more, which is there for a block."""

    name: ClassVar[str]
    patience: ClassVar[float] = 30.0

    @abstractmethod
    def start(self) -> Self:
        """Start it and wait until it answers."""

    @abstractmethod
    def ensure(self) -> None:
        """Bring it back to serving, whatever a test has done to it."""

    @abstractmethod
    def close(self) -> None:
        """End it and remove all it wrote; a test of an orderly end asks for it with `stop`."""

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()


class Process(Part):
    """One program in a temporary directory of its own; neither outlives the tests.

    Inside a running event loop, `launch()` it and `await until(part.answers)`, so that the loop goes on.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"livenps-{self.name}-"))
        self.log = self.directory / f"{self.name}.log"
        self._child: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    @abstractmethod
    def command(self) -> list[str]:
        """Return the program and its arguments."""

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether it serves requests now."""

    @property
    def running(self) -> bool:
        """Tell whether the program has been started and has not ended."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the running program."""
        return self._running_child().pid

    def launch(self) -> None:
        """Start the program without waiting for it. It ends with the calling thread: let that be the main one."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [*_dies_with_parent(), *self.command()],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop their parts in order
            )

    def start(self) -> Self:
        self.launch()
        self.wait()
        return self

    def wait(self) -> None:
        """Block until the running program answers; if it does not, show the end of its log."""
        deadline = time.monotonic() + self.patience
        while not self.answers():
            if not self.running or time.monotonic() > deadline:
                raise RuntimeError(self._failure())
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask the program to end, insist after a while, and keep its data for another start."""
        if not self.running:
            return
        child = self._running_child()
        child.send_signal(signal.SIGTERM)
        child.send_signal(signal.SIGCONT)
        try:
            child.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the program at once, as a power cut would."""
        child = self._running_child()
        child.kill()
        child.wait()

    def pause(self) -> None:
        """Freeze the program: connections stay open, nothing answers."""
        self._running_child().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused program go on."""
        self._running_child().send_signal(signal.SIGCONT)

    def ensure(self) -> None:
        if self.running:
            self.resume()
        else:
            self.launch()
        self.wait()

    def close(self) -> None:
        atexit.unregister(self.close)
        if self.running:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def tail(self, lines: int = 25) -> str:
        """Return the end of the program's log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _running_child(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            raise RuntimeError(f"{self.name} does not run")
        return self._child

    def _failure(self) -> str:
        code = self._child.poll() if self._child else None
        what = f"does not answer after {self.patience:g} s" if code is None else f"ended with exit code {code}"
        return f"{self.name} {what}; the end of its log:\n{self.tail()}"


def _dies_with_parent() -> list[str]:
    """Return the prefix that has Linux end the program when the tests are killed and cannot stop it themselves."""
    setpriv = shutil.which("setpriv")  # not preexec_fn: Python warns of it in a process with threads
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
