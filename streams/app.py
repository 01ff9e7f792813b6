"""The Faust app: the application's shell, and the agents of low rate. Built on demand, never at import."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import faust
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams.topics import REQUESTS, Topic

STOP_S = 5.0

Handler = Callable[[bytes, int, int], Awaitable[None]]


def create(bootstrap: str, group: str, topics: dict[str, Topic], deliver: Handler | None) -> faust.App:
    """An app with the delivery agent, or without agents where ``deliver`` is None."""
    app = faust.App(
        group,
        broker=[f"kafka://{address.strip()}" for address in bootstrap.split(",")],
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_interval=300.0,
        broker_session_timeout=15.0,  # how long requests wait after a crash; Faust's default is a minute
        stream_wait_empty=True,
        worker_redirect_stdouts=False,
    )
    if deliver is None:
        # Without agents Faust has nothing to read; its shell still starts, stops and crashes the program.
        app.boot_strategy = app.BootStrategy(app, enable_kafka=False)
        return app
    # Where Kafka is away, aiokafka's consumer breaks off its stop, and Faust waits a minute for it by default.
    AIOKafkaConsumerThread.shutdown_timeout = STOP_S
    requests = app.topic(
        topics[REQUESTS].name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )

    @app.agent(requests, name="delivery")
    async def delivery(stream: Any) -> AsyncIterator[None]:
        async for event in stream.events():
            # Never raises: an exception here would acknowledge the event and lose it.
            await deliver(event.value, event.message.partition, event.message.offset)
            yield

    return app
