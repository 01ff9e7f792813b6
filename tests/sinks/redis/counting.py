"""An answers lane and its reader as tests drive them: answers in, boards out."""

from collections.abc import Sequence

from redis.asyncio import Redis

from scoring.board import Board
from scoring.segments import Dimensions, Series
from scoring.windows import DEFAULT_WINDOWS, Window
from sinks.redis.answers import AnswersStore
from sinks.redis.board import BoardReader
from streams.answers import CountAnswers
from streams.events import Response
from streams.store import Applied, Batch, Outcome
from tests.make import NOW, SURVEYS, batch
from tests.sinks.redis.lanes import A
from tests.sinks.redis.recount import Recount


class Counting:
    """``now`` is the clock of lane and reader alike; a test turns it."""

    def __init__(
        self,
        redis: Redis,
        prefix: str,
        dimensions: Dimensions | None = None,
        windows: Sequence[Window] = DEFAULT_WINDOWS,
        partitions: int = 1,
        watched: Sequence[Series] = (),
    ) -> None:
        self.now = NOW
        self.redis, self.prefix, self.windows = redis, prefix, windows
        dimensions = dimensions or Dimensions()
        self.store = AnswersStore(redis, prefix, windows, clock=lambda: self.now)
        self._dimensions = dimensions
        self.recount = Recount(windows, dimensions)
        self.rule = CountAnswers(SURVEYS, dimensions, watched)
        self._position = dict.fromkeys(range(partitions), 0)
        self._last: Batch | None = None

    async def open(self) -> "Counting":
        for partition in self._position:
            await self.store.claim(partition, A)
            await self.store.begin(partition, A, 0, 0)
        return self

    def configure(self, *windows: Window) -> None:
        """Go on with other windows, as after a restart."""
        self.windows = windows
        self.store = AnswersStore(self.redis, self.prefix, windows, clock=lambda: self.now)
        self.recount.configure(windows)

    async def count(self, *responses: Response, partition: int = 0, times: Sequence[int] = ()) -> None:
        """Apply one batch; its records were written now, or at ``times``."""
        self._last = self.batch(*responses, partition=partition, times=times)
        assert await self._commit(self._last) == Applied()
        self._position[partition] = self._last.end
        self.recount.add(*zip(responses, (item.timestamp for item in self._last.items), strict=True))

    def batch(self, *responses: Response, partition: int = 0, times: Sequence[int] = ()) -> Batch:
        """What comes next in the log; its records were written now, or at ``times``."""
        return batch(
            *responses, start=self._position[partition], partition=partition, timestamp=self.now, times=times
        )

    def forget(self) -> None:
        """What was counted so far is gone."""
        self.recount = Recount(self.windows, self._dimensions)

    async def repeat(self) -> Outcome | None:
        """Send the last batch again."""
        return await self._commit(self._last) if self._last else None

    async def tick(self) -> None:
        for partition in self._position:
            for _ in range(2):  # what is not worth it waits for more that comes
                assert await self.store.tick(partition, A, self.now) == Applied()
        self.recount.tick(self.now)

    async def board(self) -> Board:
        """What a reader sees now; a new one, because readers share a board for a moment."""
        return await BoardReader(self.redis, self.prefix, self.windows, 4, clock=lambda: self.now).board()

    async def assert_equals_recount(self) -> None:
        board = await self.board()
        assert board.windows == self.recount.windows(self.now)
        assert board.first == self.recount.first()
        for count, n in self.recount.corrections.items():
            assert board.count(*count) == n, count

    async def _commit(self, read: Batch) -> Outcome:
        return await self.store.commit(read, A, self.rule.decide(read, None, self.now))
