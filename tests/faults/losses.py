"""What a program and its Redis lose, or forget, while they work."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.faults.site import Site
from tests.real.livenps import Livenps

# Everything in one step: keys that appear between a SCAN and a DUMP would be missing.
SNAPSHOT = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  found[#found + 1] = key
  found[#found + 1] = redis.call('DUMP', key)
end
return found
"""
Fault = Callable[[Site, Livenps], Awaitable[None]]


async def kill(_: Site, program: Livenps) -> None:
    program.kill()
    program.launch()


async def forget(here: Site, _: Livenps) -> None:
    await here.redis.flushall()


async def kill_and_forget(here: Site, program: Livenps) -> None:
    program.kill()
    await here.redis.flushall()
    program.launch()


@asynccontextmanager
async def rolled_back(here: Site) -> AsyncIterator[None]:
    """Put back the state of before, in one step, as a restored file would; the program works on."""
    saved = await here.redis.eval(SNAPSHOT, 0)
    yield
    async with here.redis.pipeline(transaction=True) as step:
        step.flushall()
        for key, value in zip(saved[::2], saved[1::2], strict=True):
            step.restore(key, 0, value)
        await step.execute()
