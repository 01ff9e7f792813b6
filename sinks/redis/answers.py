"""The answers lane's state: histograms per series, window and bucket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b

import numpy as np

from scoring.cells import spread
from scoring.segments import Series
from scoring.windows import Window
from sinks.redis import keys
from sinks.redis.client import Client, to_json
from sinks.redis.lane import NO_POSITION, RedisLane, message, sweep
from streams.answers import AnswersPlan
from streams.store import Batch, Outcome, Token
from streams.times import DAY, MINUTE

_HASHES = np.array([f"{number:04x}" for number in range(keys.INDEX_BUCKETS)], "S4")
_DIGEST = np.dtype([("hash", ">u2"), ("field", "V8")])
# One answer as the script reads it; from version to day it is the entry of the index.
_ANSWER = np.dtype(
    [
        ("hash", "S4"),
        ("field", "V8"),
        ("version", ">u8"),
        ("feed", "V8"),
        ("minute", ">u4"),
        ("score", "u1"),
        ("day", ">u2"),
        ("timed", "u1"),
    ]
)


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
    """See ``lua/answers.lua`` for the keys. What arrived ``remember`` ms ago is no repeat of anything any more."""

    lane = "a"
    script = "answers"
    parts = ("fence", "windows", "sweep")
    recount = False  # whether batches only fill a build

    def __init__(
        self,
        redis: Client,
        prefix: str,
        windows: Sequence[Window],
        clock: Callable[[], int],
        remember: int = 365 * DAY,
    ) -> None:
        super().__init__(redis, prefix)
        # Sorted, because the script takes the last one as the longest.
        self._windows = sorted(windows, key=lambda window: window.length)
        self._clock = clock
        self._remember = remember

    async def read(self, batch: Batch) -> None:
        """Duplicates are told in the script itself: nothing has to be known before."""

    async def shrink(self, partition: int, token: Token, now: int) -> Outcome:
        """The tick: what has left a window leaves its sum, and the oldest of the index is forgotten."""
        plan = {
            "windows": window_arguments(self._windows, now),
            **sweep(now - self._remember),
        }
        return self._outcome(partition, await self._run("shrink", partition, token, NO_POSITION, to_json(plan)))

    def encode(self, plan: AnswersPlan) -> tuple[object, bytes, bytes]:
        answers = plan.answers
        windows = window_arguments(self._windows, self._clock())
        feed = np.array([answer.feed for answer in answers], np.int64)
        minute = np.array([answer.minute for answer in answers], np.int64)
        score = np.array([answer.score for answer in answers], np.int64)
        cells = spread(plan.feeds, feed, minute, score, [(width, first) for _, width, first, _ in windows])
        late = sum(minute // windows[-1][1] < windows[-1][2]) if windows else 0

        feeds = [to_json([name(series) for series in fed]) for fed in plan.feeds]
        ids = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in feeds)
        digests = np.frombuffer(b"".join(keys.digest(answer.response_id) for answer in answers), _DIGEST)
        table = np.empty(len(answers), _ANSWER)
        table["hash"] = _HASHES[digests["hash"] % keys.INDEX_BUCKETS]
        table["field"] = digests["field"]
        table["version"] = [answer.version for answer in answers]
        table["feed"] = np.frombuffer(ids, "V8")[feed]
        table["minute"] = minute
        table["score"] = score
        table["day"] = [answer.day for answer in answers]
        table["timed"] = [answer.timed for answer in answers]
        body = {
            "windows": windows,
            "feeds": feeds,
            "series": [name(series) for series in cells.series],
            "total": cells.total,
            "buckets": cells.buckets,
            "newest": int(minute.max(initial=0)),
            "late": int(late),
            "events": [
                (n, to_json(message(answer.answered)))
                for n, answer in enumerate(answers)
                if answer.answered is not None and not self.recount
            ],
            "recount": self.recount,
        }
        return body, ids, table.tobytes()


def name(series: Series) -> str:
    """A series as state names it: ``["nps-survey"]`` or ``["nps-survey","plan","pro"]``."""
    return to_json(list(series) if series.dimension else [series.survey])
