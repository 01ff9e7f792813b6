"""Free ports of 127.0.0.1."""

import random
import socket

# Below Linux' range for outgoing connections (32768 and up): a client that retries a stopped server's port in that
# range can be given the same port as its own, connect to itself, and keep the server from coming back.
RANGE = range(20_000, 32_000)

_given: set[int] = set()


def free_port() -> int:
    """Return a port that nobody listens on and that this process has not given away before."""
    for port in random.sample(RANGE, 500):
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no free port on 127.0.0.1 in {RANGE}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
