"""uvicorn as a service of the program, which keeps the signals to itself."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from litestar import Litestar
from mode import Service


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Server(Service):
    """Serves the edge on one listening socket."""

    def __init__(self, app: Litestar, listener: socket.socket, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # who asks decides who is let in, so no header may say it
            timeout_graceful_shutdown=3,  # live pages hold their streams open
            lifespan="off",
        )
        self._server = _Uvicorn(config)
        self._listener = listener

    async def on_start(self) -> None:
        self._serving = asyncio.ensure_future(self._server.serve([self._listener]))

    async def on_stop(self) -> None:
        self._server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await self._serving
