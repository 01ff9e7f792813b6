"""What a server of the operator's answers to a request: its status, and nothing else."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx

MAX_BODY = 1 << 16  # bytes; a longer one costs the connection, a shorter one is read so that it is used again


async def replied(client: httpx.AsyncClient, method: str, url: str, **request: Any) -> httpx.Response:
    """The reply without its body. Redirects are replies: the address is the one that was configured.

    Raises what httpx raises before there is a status; how the body ends does not matter any more.
    """
    async with client.stream(method, url, follow_redirects=False, **request) as reply:
        with contextlib.suppress(httpx.HTTPError):
            size = 0
            async for part in reply.aiter_raw():
                size += len(part)
                if size > MAX_BODY:
                    break
    return reply
