"""The answers lane's state: histograms per series, window and bucket."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from redis.asyncio import Redis

from scoring.segments import Series
from scoring.windows import Window
from sinks.redis import keys
from sinks.redis.client import to_json
from sinks.redis.lane import NO_POSITION, RedisLane, message, today
from streams.answers import AnswersPlan
from streams.store import Batch, Outcome, Token
from streams.times import MINUTE


def window_arguments(windows: Sequence[Window], now: int) -> list[tuple[str, int, int, int]]:
    """Windows as the scripts read them: name, minutes per bucket, oldest bucket inside at ``now``, next bucket.

    The name carries the width: under another one the numbers of the buckets mean other times.
    """
    return [
        (f"{window.name}/{minutes}", minutes, window.first(now), window.bucket(now) + 1)
        for window in windows
        for minutes in [window.width // MINUTE]
    ]


class AnswersStore(RedisLane[AnswersPlan]):
    """See ``lua/answers.lua`` for the keys."""

    lane = "a"
    script = "answers"

    def __init__(self, redis: Redis, prefix: str, windows: Sequence[Window], clock: Callable[[], int]) -> None:
        super().__init__(redis, prefix)
        # Sorted, because the script takes the last one as the longest.
        self._windows = sorted(windows, key=lambda window: window.length)
        self._clock = clock

    async def read(self, batch: Batch) -> None:
        """Duplicates are told in the script itself: nothing has to be known before."""

    async def shrink(self, partition: int, token: Token, now: int) -> Outcome:
        """The tick: what has left a window leaves its sum."""
        plan = to_json(window_arguments(self._windows, now))
        return self._outcome(await self._run("shrink", partition, token, NO_POSITION, plan))

    def encode(self, plan: AnswersPlan) -> object:
        return {
            "day": today(),
            "windows": window_arguments(self._windows, self._clock()),
            "feeds": [to_json([to_json(trim(series)) for series in feed]) for feed in plan.feeds],
            "answers": [
                (
                    *keys.index(response_id),
                    version,
                    int(timed),
                    feed,
                    minute,
                    score,
                    *([to_json(message(answered))] if answered else []),
                )
                for response_id, version, timed, feed, minute, score, answered in plan.answers
            ],
        }


def trim(series: Series) -> list[str]:
    """A series as it names a field: ``["nps-survey"]`` or ``["nps-survey", "plan", "pro"]``."""
    return list(series) if series.dimension else [series.survey]
