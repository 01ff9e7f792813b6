"""A webhook receiver on loopback that keeps what it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.real.http_server import served


class Receiver:
    """``url`` takes POSTs of JSON; ``bodies`` holds them in order, ``keys`` the Authorization header of each."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        bodies, keys = self.bodies, self.keys

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                keys.append(self.headers["authorization"])
                bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing: pytest shows what matters."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def alerts(self, name: str, status: str) -> list[dict[str, Any]]:
        """Alertmanager's alerts of one name in one state, so far."""
        return [
            alert
            for body in list(self.bodies)
            for alert in body.get("alerts", [])
            if alert["labels"]["alertname"] == name and alert["status"] == status
        ]

    @contextmanager
    def running(self) -> Iterator[Receiver]:
        with served(self._server):
            yield self
