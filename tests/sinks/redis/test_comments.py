"""The comments lane's state: the newest answers with words."""

import asyncio
from typing import Any
from unittest.mock import ANY

import pytest
from redis.asyncio import Redis

from scoring.segments import Dimensions
from sinks.redis.comments import KEEP, CommentsReader, CommentsStore
from streams.comments import KeepComments
from streams.events import Response
from streams.store import Applied
from streams.times import MINUTE, from_ms
from tests.make import NOW, SURVEYS, answer, batch
from tests.sinks.redis.lanes import A

RULE = KeepComments(SURVEYS, Dimensions())


class Comments:
    """The lane over two partitions."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self.store = CommentsStore(redis, prefix)
        self._redis, self._prefix = redis, prefix
        self._position = {0: 0, 1: 0}

    async def open(self) -> "Comments":
        for partition in self._position:
            await self.store.claim(partition, A)
            await self.store.begin(partition, A, 0, 0)
        return self

    async def keep(self, *responses: Response, partition: int = 0, now: int = NOW) -> None:
        read = batch(*responses, start=self._position[partition], partition=partition, timestamp=now)
        assert await self.store.commit(read, A, RULE.decide(read, None, now)) == Applied()
        self._position[partition] = read.end

    def reader(self) -> CommentsReader:
        """A new one sees what was kept last; one that is kept shares what it has read for a moment."""
        return CommentsReader(self._redis, self._prefix, self._position)

    async def newest(self, survey: str = "nps", limit: int = 10) -> list[str]:
        return [comment.comment for comment in await self.reader().newest(survey, limit)]


@pytest.fixture
async def comments(redis: Redis, namespace: str) -> Comments:
    return await Comments(redis, namespace).open()


def said(words: str, response_id: str = "r1", at: int = NOW, *, score: int = 9, **fields: Any) -> Response:
    return answer(score, response_id, comment=words, answered_at=from_ms(at), **fields)


async def test_there_are_none_at_first(comments: Comments) -> None:
    assert await comments.newest() == []


async def test_a_comment_is_read_back_as_it_was_said(comments: Comments) -> None:
    words = "zoë: <b>\"'\\\n👍</b>"
    await comments.keep(said(words))
    [comment] = await comments.reader().newest("nps", 1)
    assert (comment.comment, comment.score, comment.group) == (words, 9, "promoter")
    assert comment.answered_at == "2026-03-01T12:00:00Z"


async def test_the_newest_come_first_over_all_partitions(comments: Comments) -> None:
    await comments.keep(said("third", "r3", NOW - 3), said("first", "r1", NOW - 1))
    await comments.keep(said("second", "r2", NOW - 2), said("zeroth", "r0", NOW), partition=1)
    assert await comments.newest() == ["zeroth", "first", "second", "third"]
    assert await comments.newest(limit=2) == ["zeroth", "first"]


async def test_milliseconds_count_in_the_order(comments: Comments) -> None:
    await comments.keep(said("later", "r1", NOW + 50), now=NOW + 60)
    await comments.keep(said("earlier", "r2", NOW), partition=1)
    assert await comments.newest() == ["later", "earlier"]


async def test_each_survey_has_its_own(comments: Comments) -> None:
    await comments.keep(said("of nps"), said("of csat", "r2", survey="csat", score=5))
    assert await comments.newest("nps") == ["of nps"]
    assert await comments.newest("csat") == ["of csat"]


async def test_a_newer_version_takes_the_olders_place(comments: Comments) -> None:
    await comments.keep(said("before"), said("other", "r2", NOW - MINUTE))
    await comments.keep(said("after", at=NOW - 2 * MINUTE))
    assert await comments.newest() == ["other", "after"]


async def test_a_comment_can_be_taken_back(comments: Comments, redis: Redis) -> None:
    await comments.keep(said("words"), said("stays", "r2"))
    await comments.keep(said(""), said("", "never"))
    assert await comments.newest() == ["stays"]
    # What was taken back stays known, lest an older version brings it back; what never had words does not.
    assert await redis.hgetall(f"{comments.store.base(0)}:versions") == {b"r1": ANY, b"r2": ANY}


async def test_an_older_version_that_comes_later_is_dropped(comments: Comments) -> None:
    await comments.keep(said("newer", updated_at=from_ms(NOW)))
    await comments.keep(said("older", updated_at=from_ms(NOW - MINUTE)))
    assert await comments.newest() == ["newer"]
    await comments.keep(said("", updated_at=from_ms(NOW + 1)))
    await comments.keep(said("older", updated_at=from_ms(NOW - MINUTE)))
    assert await comments.newest() == []


async def test_only_the_newest_are_kept(comments: Comments, redis: Redis) -> None:
    for start in (0, 300):
        await comments.keep(*[said(str(n), f"r{n}", NOW - n * MINUTE) for n in range(start, start + 300)])
    assert await comments.newest(limit=1_000) == [str(n) for n in range(KEEP)]
    assert await redis.hlen(f"{comments.store.base(0)}:comments") == KEEP


@pytest.mark.real
@pytest.mark.parametrize("url", ["redis_url"], indirect=True)
async def test_pages_of_all_surveys_share_one_reading(comments: Comments, redis: Redis) -> None:
    await comments.keep(said("of nps"), said("of csat", "r2", survey="csat", score=5))
    reader = comments.reader()
    await redis.config_resetstat()
    pages = [reader.newest(survey, 10) for survey in ("nps", "csat") * 10]
    assert [len(page) for page in await asyncio.gather(*pages)] == [1] * 20
    assert (await redis.info("commandstats"))["cmdstat_hmget"]["calls"] == 1
