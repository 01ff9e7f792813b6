"""The comments lane's state, the newest answers with words, and its reader."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from sinks.redis import keys
from sinks.redis.client import Client, ask, to_json
from sinks.redis.fresh import Fresh
from sinks.redis.lane import RedisLane
from streams.comments import Comment, CommentsPlan
from streams.store import Batch, Outcome, Token

KEEP = 500  # per partition


class CommentsStore(RedisLane[CommentsPlan]):
    """See ``lua/comments.lua`` for the keys."""

    lane = "m"
    script = "comments"

    async def read(self, batch: Batch) -> None:
        """The newest version of an answer simply takes the older one's place."""

    async def tick(self, partition: int, token: Token, now: int) -> Outcome:
        return await self.hold(partition, token)

    def encode(self, partition: int, plan: CommentsPlan) -> tuple[object]:
        comments = [
            (id_, version, at, to_json(comment) if comment else "")
            for id_, (version, at, comment) in plan.comments.items()
        ]
        return ({"keep": KEEP, "comments": comments},)


class CommentsReader:
    """One reader for all pages, which share the comments of all surveys for a moment."""

    def __init__(self, redis: Client, prefix: str, partitions: Iterable[int]) -> None:
        self._redis = redis
        self._bases = [keys.base(prefix, CommentsStore.lane, partition) for partition in partitions]
        self._fresh = Fresh(self._read)

    async def newest(self, survey: str, limit: int) -> list[Comment]:
        """A survey's newest comments over all partitions."""
        return [comment for comment in await self._fresh.get() if comment.survey == survey][:limit]

    async def _read(self) -> list[Comment]:
        found: list[Comment] = []
        for base in self._bases:
            ids = await ask(self._redis.zrevrange(base + ":newest", 0, KEEP - 1))
            if ids:
                texts = await ask(self._redis.hmget(base + ":comments", ids))
                found += [_comment.decode(text) for text in texts if text]
        return sorted(found, key=_answered_at, reverse=True)


def _answered_at(comment: Comment) -> datetime:
    # As a text "12:00:00Z" is greater than "12:00:00.050Z".
    return datetime.fromisoformat(comment.answered_at)


_comment = msgspec.json.Decoder(Comment)
