"""`livenps demo`: the whole loop with nothing but Python, and with an end of its own."""

import asyncio
import os
import time
from asyncio.subprocess import PIPE
from pathlib import Path

import httpx
import pytest

from tests.real.livenps import livenps
from tests.real.parts import need
from tests.real.ports import free_port
from tests.real.wait import until

WATCHED = (
    'nps_baseline{survey="post-purchase"}',
    'nps_segment_baseline{dimension="region",segment="eu",survey="post-purchase"}',
    'csat_baseline{survey="checkout"}',
    'ces_baseline{survey="returns"}',
)


@pytest.mark.parametrize("redis", ["a private redis-server", "fakeredis"])
async def test_the_demo_scores_and_ends_by_itself(redis: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIVENPS_")}
    if redis == "fakeredis":
        environment["PATH"] = str(tmp_path)
    else:
        need("redis")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    started = time.monotonic()
    demo = await asyncio.create_subprocess_exec(
        *livenps("demo", "--for", "10", "--port", str(port), "--seed", "7"),
        stdout=PIPE,
        stderr=PIPE,
        env=environment,
        cwd=tmp_path,
    )
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:

            async def metrics() -> str:
                try:
                    return (await client.get("/metrics")).text
                except httpx.TransportError:
                    return ""

            async def scored() -> bool:
                return 'nps_score{survey="post-purchase",window="1h"}' in await metrics()

            await until(scored, timeout=20, message="the first score")
            assert time.monotonic() - started < 15

            async def watched() -> bool:
                text = await metrics()
                return all(one in text for one in WATCHED)

            await until(watched, timeout=20, message="the baselines")
            assert '"kept":false' in await first_snapshot(client)
            page = await client.get("/")
            assert page.status_code == 200
        output, errors = await asyncio.wait_for(demo.communicate(), 30)
    finally:
        if demo.returncode is None:
            demo.kill()
    text = output.decode()
    assert demo.returncode == 0, errors.decode()
    assert "Traceback" not in errors.decode()
    for address in (f"live page  {url}/", f"metrics    {url}/metrics", f"API docs   {url}/docs"):
        assert address in text
    assert redis in text
    assert "nothing is kept" in text
    assert "Baselines are set from the past answers" in text
    assert "Done: " in text


async def first_snapshot(client: httpx.AsyncClient) -> str:
    async with client.stream("GET", "/v1/live") as reply:
        async for line in reply.aiter_lines():
            if line.startswith("data:"):
                return line
    return ""
