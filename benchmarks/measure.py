"""What a program uses: CPU and memory of its process tree, and what it has received from a port (Linux)."""

from __future__ import annotations

import bisect
import os
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.real.process import Process

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6
RESCAN_S = 0.5

BEFORE_S, DURING_S = 0.01, 0.05  # between two looks, before the first record and after it
FIRST_BYTES = 64 << 10  # more than all that a client asks of a broker before it fetches

# linux/inet_diag.h and linux/tcp.h
SOCK_DIAG_BY_FAMILY = 20
REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
NETLINK_SOCK_DIAG = 4
TCP_INFO = 2  # INET_DIAG_INFO
ESTABLISHED = 1
BYTES_RECEIVED = 128  # offset in struct tcp_info


@dataclass
class Sample:
    """One run, from the first record received to the last result durable."""

    answers: int
    start_s: float = 0.0  # from the start of the process to the first record
    seconds: float = 0.0
    second_half_s: float = 0.0  # from where half of all bytes were received
    cpu_s: dict[str, float] = field(default_factory=dict)  # of the peer, and of what works beside it
    peak_mb: float = 0.0
    failure: str = ""


class Meter:
    """Watches a peer's programs, and what works beside them, from outside."""

    def __init__(self, programs: Sequence[Process], beside: Mapping[str, Sequence[int]], port: int) -> None:
        self._programs = programs
        pids = [program.pid for program in programs]
        self._trees = {name: Tree(*roots) for name, roots in {"peer": pids, **beside}.items()}
        self._received = [Received(pid, port) for pid in pids]
        self._launched = time.monotonic()

    def measure(self, done: Callable[[], float | None], answers: int, patience: float) -> Sample:
        sample = Sample(answers)
        try:
            self._measure(sample, done, self._launched + patience)
        except (RuntimeError, TimeoutError) as error:
            sample.failure = str(error)
        return sample

    def _measure(self, sample: Sample, done: Callable[[], float | None], deadline: float) -> None:
        while max(self._bytes()) < FIRST_BYTES:
            self._pause(BEFORE_S, deadline)
            if not all(program.running for program in self._programs):
                raise RuntimeError(f"ended before it read anything:\n{self._tail()}")
        began = time.monotonic()
        before = after = self._cpu()
        curve = [(sum(self._bytes()), 0.0)]
        while (ended := done()) is None:
            self._pause(DURING_S, deadline)
            curve.append((sum(self._bytes()), time.monotonic() - began))
            after = self._cpu()  # before the next look at whether it has ended, when it can no longer be asked
        sample.start_s = began - self._launched
        sample.seconds = ended - began
        half = curve[bisect.bisect_left(curve, (curve[-1][0] / 2, 0.0))][1]
        sample.second_half_s = sample.seconds - half
        sample.cpu_s = {name: after[name] - before[name] for name in after}
        sample.peak_mb = self._trees["peer"].peak_mb

    def _cpu(self) -> dict[str, float]:
        return {name: tree.sample() for name, tree in self._trees.items()}

    def _bytes(self) -> list[int]:
        return [received.sample() for received in self._received]

    def _tail(self) -> str:
        return "\n".join(program.tail() for program in self._programs)

    def _pause(self, seconds: float, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not done in time; the end of its log:\n{self._tail()}")
        time.sleep(seconds)


class Tree:
    """Processes and their descendants. ``cpu`` never falls: what ended processes used stays counted."""

    def __init__(self, *roots: int) -> None:
        self.peak_mb = 0.0
        self._roots = roots
        self._pids: list[int] = []
        self._scanned = 0.0
        self._cpu: dict[int, float] = {}

    def sample(self) -> float:
        """CPU seconds used so far; also keeps the peak of the resident memory."""
        if time.monotonic() - self._scanned > RESCAN_S:
            self._pids, self._scanned = descendants(*self._roots), time.monotonic()
        resident = 0.0
        for pid in self._pids:
            with suppress(OSError, IndexError):  # it has ended
                fields = _stat(pid)
                self._cpu[pid] = (int(fields[11]) + int(fields[12])) / TICKS
                resident += int(fields[21]) * PAGE_MB
        self.peak_mb = max(self.peak_mb, resident)
        return sum(self._cpu.values())


def descendants(*roots: int) -> list[int]:
    """The processes and all below them."""
    parents: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with suppress(OSError, IndexError):
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
    found = list(roots)
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat behind the name, which may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


class Received:
    """How many bytes a process tree has received over TCP from a port of this machine, closed connections too.

    This is how the first record is seen alike for every peer, without a change to it.
    """

    def __init__(self, root: int, port: int) -> None:
        self._root, self._port = root, port
        self._ours: dict[int, bool] = {}  # inode -> whether the tree has it open
        self._bytes: dict[int, int] = {}

    def sample(self) -> int:
        found = connections(self._port)
        if found.keys() - self._ours.keys():
            open_now = {inode for pid in descendants(self._root) for inode in sockets(pid)}
            self._ours |= {inode: inode in open_now for inode in found.keys() - self._ours.keys()}
        self._bytes |= {inode: count for inode, count in found.items() if self._ours[inode]}
        return sum(self._bytes.values())


def sockets(pid: int) -> list[int]:
    """The inodes of a process's sockets."""
    found = []
    with suppress(OSError):  # it has ended
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                target = str(link.readlink())
                if target.startswith("socket:["):
                    found.append(int(target[8:-1]))
    return found


def connections(port: int) -> dict[int, int]:
    """Inode and received bytes of every connection to a port of this machine."""
    found: dict[int, int] = {}
    for family in (socket.AF_INET, socket.AF_INET6):  # Java's sockets are of the second
        request = struct.pack("=BBBxI", family, socket.IPPROTO_TCP, 1 << (TCP_INFO - 1), 1 << ESTABLISHED)
        body = request + bytes(48)
        header = struct.pack("=IHHII", 16 + len(body), SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, 0, 0)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as diag:
            diag.send(header + body)
            done = False
            while not done:
                done = _read(diag.recv(1 << 17), port, found)
    return found


def _read(reply: bytes, port: int, found: dict[int, int]) -> bool:
    """Take the connections out of one reply of the kernel; True behind the last."""
    at = 0
    while at < len(reply):
        length, kind = struct.unpack_from("=IH", reply, at)
        if kind != SOCK_DIAG_BY_FAMILY:
            return True
        message = reply[at + 16 : at + length]
        (to,) = struct.unpack_from("!H", message, 6)
        (inode,) = struct.unpack_from("=I", message, 68)
        attribute = 72
        while to == port and attribute < len(message):
            size, name = struct.unpack_from("=HH", message, attribute)
            if name == TCP_INFO:
                (found[inode],) = struct.unpack_from("=Q", message, attribute + 4 + BYTES_RECEIVED)
            attribute += (size + 3) & ~3
        at += (length + 3) & ~3
    return False
