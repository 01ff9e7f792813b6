"""One suite over all: a real Redis, a real Redis Cluster, and the fake one of the embedded default."""

import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from fakeredis import TcpFakeServer

from sinks.redis.client import Client, connect


@pytest.fixture(scope="session")
def fake_redis_url() -> Iterator[str]:
    server = TcpFakeServer(("127.0.0.1", 0))
    server.daemon_threads = True  # a client that was left open must not hold up the end of the tests
    server.block_on_close = False
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    yield f"redis://127.0.0.1:{server.server_address[1]}/0"
    server.shutdown()
    server.server_close()
    serving.join()


@pytest.fixture(
    params=[
        pytest.param("redis_url", marks=pytest.mark.real, id="real"),
        pytest.param("redis_cluster_url", marks=pytest.mark.real, id="cluster"),
        pytest.param("fake_redis_url", id="fake"),
    ]
)
def url(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(request.param)
    return address


@pytest.fixture
async def redis(url: str) -> AsyncIterator[Client]:
    client = connect(url)
    yield client
    await client.aclose()
