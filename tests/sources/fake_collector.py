"""A collector for tests: a real HTTP server that keeps what it took and can be told to answer otherwise."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Answer = tuple[int, Any]
Items = list[dict[str, Any]]


class FakeCollector(ThreadingHTTPServer):
    """`answers` are given one by one to the next requests; after them everything is 202, or what `judge` says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, str], Items]] = []
        self.accepted: list[Items] = []
        self.answers: list[Answer] = []
        self.judge: Callable[[Items], Answer] = lambda _: (202, {})
        self.url = f"http://127.0.0.1:{self.server_port}"

    @property
    def rows(self) -> Items:
        """Return all answers that were accepted, in their order."""
        return [row for batch in self.accepted for row in batch]


class _Handler(BaseHTTPRequestHandler):
    server: FakeCollector
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        items = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, dict(self.headers), items))
        status, body = self.server.answers.pop(0) if self.server.answers else self.server.judge(items)
        if status == 202:
            self.server.accepted.append(items)
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""


@contextmanager
def fake_collector() -> Iterator[FakeCollector]:
    """Serve in a thread."""
    with FakeCollector() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
