"""The parts that faults happen to."""

from collections.abc import AsyncIterator

import pytest

from tests.faults.site import Site
from tests.faults.world import World
from tests.faults.world import world as made
from tests.real.kafka import Kafka
from tests.real.parts import need


@pytest.fixture
async def world(kafka: Kafka, namespace: str) -> AsyncIterator[World]:
    need("redis")
    async with made(kafka, namespace) as world:
        yield world
        for program in world.workers:
            print(program.tail())  # which pytest shows where the test failed


@pytest.fixture
def here(world: World) -> Site:
    return world.site
