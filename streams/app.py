"""The Faust app: the application's shell, and the agents of low rate. Built on demand, never at import."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any

import faust
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

from streams.topics import REQUESTS, Topic

COMMIT_S = 2.0
STOP_S = 5.0
YEAR_S = 365 * 86_400.0

Handler = Callable[[bytes, int, int], Awaitable[None]]


def create(
    bootstrap: str, group: str, topics: dict[str, Topic], deliver: Handler | None, assigned: Callable[[], None]
) -> faust.App:
    """An app with the delivery agent, or without agents where ``deliver`` is None.

    ``assigned`` is called when the group has shared out its partitions anew.
    """
    app = _App(
        group,
        broker=[f"kafka://{address.strip()}" for address in bootstrap.split(",")],
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        # Faust does not poll without partitions; a worker that leaves the group for it never comes back.
        broker_max_poll_interval=YEAR_S,
        broker_session_timeout=15.0,  # how long requests wait after a crash; Faust's default is a minute
        stream_wait_empty=True,
        worker_redirect_stdouts=False,
    )
    if deliver is None:
        # Without agents Faust has nothing to read; its shell still starts, stops and crashes the program.
        app.boot_strategy = app.BootStrategy(app, enable_kafka=False)
        return app
    requests = app.topic(
        topics[REQUESTS].name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )

    @app.on_partitions_assigned.connect(weak=False)
    async def on_assigned(*_: Any, **__: Any) -> None:
        assigned()

    @app.agent(requests, name="delivery")
    async def delivery(stream: Any) -> AsyncIterator[None]:
        async for event in stream.events():
            # Never raises: an exception here would acknowledge the event and lose it.
            await deliver(event.value, event.message.partition, event.message.offset)
            yield

    return app


class _App(faust.App):
    """Faust's app, which a Kafka that is away does not keep from stopping."""

    def _new_transport(self) -> Transport:
        return _Transport(self.conf.broker_consumer, self)

    async def _stop_consumer(self) -> None:
        # It waits for the deliveries in flight, which insist until Kafka is back.
        await _briefly(super()._stop_consumer())


class _ConsumerThread(AIOKafkaConsumerThread):
    async def _commit(self, offsets: Mapping[Any, int]) -> bool:
        # aiokafka tries for ever. A request that is read again because this was left out is not sent again.
        try:
            async with asyncio.timeout(COMMIT_S):
                return await super()._commit(offsets)
        except TimeoutError:
            return False

    async def on_thread_stop(self) -> None:
        # It also ends in a cancellation where Kafka is away, which would keep Faust waiting for a minute.
        await _briefly(super().on_thread_stop())


class _Consumer(Consumer):
    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)


class _Transport(Transport):
    Consumer = _Consumer


async def _briefly(work: Coroutine[Any, Any, None]) -> None:
    """Wait for a part of the stop for a while. It is not cancelled, because Faust swallows cancellations."""
    await asyncio.wait([asyncio.ensure_future(work)], timeout=STOP_S)
