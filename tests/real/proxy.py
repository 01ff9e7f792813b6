"""A proxy in front of a real Redis: it holds, delays or loses the commands and replies that a test names."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from enum import Enum
from typing import Self

from tests.real.ports import free_port

Command = list[bytes]
Matches = Callable[[Command], bool]


class Way(Enum):
    """Where an exchange is caught: before Redis has seen the command, or after it has replied."""

    REQUEST = "request"
    REPLY = "reply"


class Trap:
    """Catches exchanges, `times` many of them; each waits until it is told to go on or its connection is cut."""

    def __init__(self, matches: Matches, way: Way, times: int) -> None:
        self._matches, self._way, self._left = matches, way, times
        self._goes_on: Future[bool] = Future()
        self.caught = 0

    def release(self) -> None:
        """Let what is held go on, and catch nothing more."""
        self._left = 0
        self._end(True)

    def cut(self) -> None:
        """Lose what is held with its connection, and what is caught from now on too."""
        self._end(False)

    def _end(self, goes_on: bool) -> None:
        if not self._goes_on.done():
            self._goes_on.set_result(goes_on)

    async def passes(self, command: Command, way: Way) -> bool:
        """Return whether an exchange goes on, once that is decided."""
        if way is not self._way or not self._left or not self._matches(command):
            return True
        self._left -= 1
        self.caught += 1
        return await asyncio.shield(asyncio.wrap_future(self._goes_on))


class Proxy:
    """Passes connections on to a Redis on this machine; in a thread of its own, so that a test may block."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._traps: list[Trap] = []
        self._listening = threading.Event()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def hold(self, matches: Matches, way: Way = Way.REQUEST, *, times: int = 1) -> Trap:
        """Catch the next exchanges that match."""
        trap = Trap(matches, way, times)
        self._traps.append(trap)
        return trap

    def lose(self, matches: Matches, way: Way = Way.REPLY, *, times: int = 1) -> Trap:
        """Cut the connections of the next exchanges that match."""
        trap = self.hold(matches, way, times=times)
        trap.cut()
        return trap

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(self, *_: object) -> None:
        for trap in self._traps:
            trap.cut()
        self._ended.set_result(None)
        self._thread.join()

    async def _run(self) -> None:
        async with await asyncio.start_server(self._serve, "127.0.0.1", self.port):
            self._listening.set()
            await asyncio.wrap_future(self._ended)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # the proxy ends: asyncio would report it as a failure of ours
            try:
                server, to_server = await asyncio.open_connection("127.0.0.1", self._upstream)
            except OSError:
                to_client.transport.abort()
                return
            try:
                await self._exchange(client, to_client, server, to_server)
            finally:
                to_server.close()
                to_client.close()

    async def _exchange(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        """Return when one side has closed, or a trap has cut the connection."""
        asked: asyncio.Queue[Command] = asyncio.Queue()

        async def requests() -> None:
            while True:
                frame, command = await read(client)
                if not await self._pass(command, Way.REQUEST):
                    return
                asked.put_nowait(command)
                to_server.write(frame)
                await to_server.drain()

        async def replies() -> None:
            while True:
                frame, _ = await read(server)
                if not frame.startswith(b">") and not await self._pass(await asked.get(), Way.REPLY):
                    return
                to_client.write(frame)
                await to_client.drain()

        pumps = [asyncio.create_task(requests()), asyncio.create_task(replies())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for ended in await asyncio.gather(*pumps, return_exceptions=True):
                if not isinstance(ended, None | asyncio.CancelledError | asyncio.IncompleteReadError | OSError):
                    raise ended

    async def _pass(self, command: Command, way: Way) -> bool:
        for trap in list(self._traps):
            if not await trap.passes(command, way):
                return False
        return True


async def read(stream: asyncio.StreamReader) -> tuple[bytes, list[bytes]]:
    """One value of the Redis protocol as it was sent, and the strings in it: of a request, the command."""
    strings: list[bytes] = []
    return await _value(stream, strings), strings


async def _value(stream: asyncio.StreamReader, strings: list[bytes]) -> bytes:
    head = await stream.readuntil(b"\r\n")
    kind, size = head[:1], head[1:-2]
    if kind in b"$=!" and size != b"-1":
        body = await stream.readexactly(int(size) + 2)
        strings.append(body[:-2])
        return head + body
    if kind in b"*~>%" and size != b"-1":
        values = int(size) * (2 if kind == b"%" else 1)
        return head + b"".join([await _value(stream, strings) for _ in range(values)])
    return head
