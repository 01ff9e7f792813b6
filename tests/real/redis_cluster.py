"""A real Redis Cluster: three masters that share the slots, each with a replica where a test wants one."""

import time
from itertools import pairwise
from typing import Self

from tests.real.ports import free_port
from tests.real.process import Part
from tests.real.redis import Redis

SLOTS = 16_384
MASTERS = 3
BOUNDS = [SLOTS * n // MASTERS for n in range(MASTERS + 1)]


class Node(Redis):
    """One server of a cluster."""

    name = "redis"

    def __init__(self, silence: int) -> None:
        super().__init__()
        self.address = f"127.0.0.1:{self.port}"
        self.bus = free_port()
        self._silence = silence

    def command(self) -> list[str]:
        settings = {
            "cluster-enabled": "yes",
            "cluster-port": str(self.bus),
            "cluster-node-timeout": str(self._silence),
        }
        return [*super().command(), *(word for key, value in settings.items() for word in (f"--{key}", value))]

    @property
    def agrees(self) -> bool:
        """Tell whether this node finds every slot served."""
        return b"cluster_state:ok" in self._ask(b"CLUSTER INFO")

    @property
    def id(self) -> str:
        """The name that the other nodes know this one by."""
        return self._ask(b"CLUSTER MYID").split()[1].decode()

    @property
    def replicated(self) -> bool:
        """Tell whether a replica of this master has all that was written to it."""
        role = self._ask(b"ROLE").split()  # its fourth part is the own position, its last the replica's
        return len(role) > 5 and role[3] == b":" + role[-1]

    def knows(self, other: "Node") -> bool:
        """Tell whether this node has met another one."""
        return b"ERR" not in self._ask(f"CLUSTER COUNT-FAILURE-REPORTS {other.id}".encode())

    def number(self, command: str) -> int:
        """Send a command whose answer is a number."""
        return int(self._ask(command.encode()).removeprefix(b":"))

    def demand(self, command: str) -> None:
        """Send a command that has to succeed."""
        answer = self._ask(command.encode())
        if answer != b"+OK":
            raise RuntimeError(f"redis refuses {command!r}: {answer!r}")


class RedisCluster(Part):
    """Servers that keep their data over stop, kill and start, like one Redis.

    Who is silent for ``silence`` ms is given up; short is for tests of just that, on a busy machine it happens.
    """

    name = "redis"

    def __init__(self, *, replicas: bool = False, silence: int = 5_000) -> None:
        self.masters = [Node(silence) for _ in range(MASTERS)]
        self.replicas = [Node(silence) for _ in range(MASTERS if replicas else 0)]
        self.url = "redis+cluster://" + ",".join(node.address for node in self.masters)

    @property
    def nodes(self) -> list[Node]:
        return self.masters + self.replicas

    def slot(self, key: str) -> int:
        """The slot of a key."""
        return self.masters[0].number(f"CLUSTER KEYSLOT {key}")

    def owner(self, key: str) -> Node:
        """The master that a key's slot was given to at the start."""
        return next(node for node, end in zip(self.masters, BOUNDS[1:], strict=True) if self.slot(key) < end)

    def answers(self) -> bool:
        """Tell whether every running node finds every slot served."""
        return all(node.agrees for node in self.nodes if node.running)

    def start(self) -> Self:
        """Start the servers, make them a cluster, and wait until it serves."""
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait()
        for epoch, (node, (first, end)) in enumerate(zip(self.masters, pairwise(BOUNDS), strict=True), start=1):
            node.demand(f"CLUSTER ADDSLOTSRANGE {first} {end - 1}")
            node.demand(f"CLUSTER SET-CONFIG-EPOCH {epoch}")
        for node in self.nodes[1:]:
            self.meet(node)
        self.wait()
        for master, replica in zip(self.masters, self.replicas, strict=False):
            replica.demand(f"CLUSTER REPLICATE {master.id}")
        return self

    def meet(self, node: Node) -> None:
        """Have a server join. It serves nothing until slots are moved to it."""
        node.demand(f"CLUSTER MEET 127.0.0.1 {self.masters[0].port} {self.masters[0].bus}")

    def wait(self) -> None:
        """Block until the cluster serves; if it does not, show the end of a log."""
        deadline = time.monotonic() + self.patience
        while not self.answers():
            if time.monotonic() > deadline:
                raise RuntimeError(f"no cluster after {self.patience:g} s: {self.masters[0].tail()}")
            time.sleep(0.02)

    def ensure(self) -> None:
        for node in self.nodes:
            node.ensure()
        self.wait()

    def flush(self) -> None:
        """Forget everything."""
        for node in self.masters:
            node.flush()

    def close(self) -> None:
        for node in self.nodes:
            node.close()
