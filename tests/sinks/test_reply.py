"""What becomes of a reply's body, from real connections."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from sinks.reply import MAX_BODY, replied

OK = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"


@asynccontextmanager
async def answering(
    reply: Callable[[asyncio.StreamWriter], None],
) -> AsyncIterator[tuple[str, list[asyncio.Task[None]]]]:
    """The address of a server that answers every request so, and one task for each connection that it took."""
    taken: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                reply(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.transport.abort()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", taken
    server.close()
    await asyncio.gather(*taken)


@pytest.mark.parametrize(("size", "connections"), [(0, 1), (MAX_BODY, 1), (MAX_BODY + 1, 2)])
async def test_a_connection_is_used_again_unless_a_body_is_long(size: int, connections: int) -> None:
    def whole(writer: asyncio.StreamWriter) -> None:
        writer.write(OK % size + bytes(size))

    async with answering(whole) as (url, taken), httpx.AsyncClient(trust_env=False) as client:
        for _ in range(2):
            assert (await replied(client, "POST", url)).status_code == 200
        assert len(taken) == connections


async def test_a_body_without_end_is_left() -> None:
    def announced(writer: asyncio.StreamWriter) -> None:
        writer.write(OK % (1 << 40) + bytes(2 * MAX_BODY))

    async with answering(announced) as (url, _), httpx.AsyncClient(trust_env=False) as client:
        assert (await replied(client, "POST", url)).status_code == 200


async def test_what_has_a_status_is_answered_however_the_body_ends() -> None:
    def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(OK % 10 + b"half")
        writer.close()

    async with answering(cut) as (url, _), httpx.AsyncClient(trust_env=False) as client:
        assert (await replied(client, "POST", url)).status_code == 200


async def test_a_redirect_is_not_followed() -> None:
    def elsewhere(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 307 No\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n")

    async with answering(elsewhere) as (url, _), httpx.AsyncClient(trust_env=False) as client:
        assert (await replied(client, "POST", url)).status_code == 307
