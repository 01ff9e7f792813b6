"""Answers count once, in the right windows, whatever is sent twice, corrected or late."""

import pytest
from redis.asyncio import Redis

from scoring.scales import CSAT, NPS
from scoring.segments import Dimension, Dimensions, Series
from scoring.tally import Tally
from scoring.windows import DEFAULT_WINDOWS
from sinks.redis.keys import INDEX_BUCKETS
from sinks.redis.lane import SWEEP
from streams.answers import CountAnswers
from streams.codec import Codec
from streams.events import Answered, Increment, tag
from streams.store import Fenced, Repeated, StoreCorrupt, Token
from streams.times import DAY, HOUR, MINUTE, SECOND, from_ms
from tests.make import NOW, answer, answers, groups
from tests.sinks.redis.counting import Counting
from tests.sinks.redis.lanes import A, B
from tests.sinks.redis.state import dump, key_names

PLAN = Dimensions((Dimension("plan"),))


@pytest.fixture
async def counting(redis: Redis, namespace: str) -> Counting:
    return await Counting(redis, namespace, PLAN).open()


async def tallies(counting: Counting) -> dict[str, dict[str, int]]:
    board = await counting.board()
    return {window: board.tally("nps", window, NPS).groups for window in board.windows}


def in_windows(tally: dict[str, int], *names: str) -> dict[str, dict[str, int]]:
    """A tally in the windows named, and none in the others."""
    every = ["all", *(window.name for window in DEFAULT_WINDOWS)]
    return {name: tally if name in names else groups() for name in every}


# worked examples


async def test_43_percent_promoters_and_9_percent_detractors_are_34(counting: Counting) -> None:
    await counting.count(*answers(43, 48, 9))
    board = await counting.board()
    for window in board.windows:
        assert board.tally("nps", window, NPS).groups == groups(43, 48, 9)
        assert board.tally("nps", window, NPS).score == 34


async def test_segments_of_one_stream_have_their_own_scores(redis: Redis, namespace: str) -> None:
    dimensions = Dimensions((Dimension("stage"), Dimension("age", bands=(18, 25, 35))))
    counting = await Counting(redis, namespace, dimensions).open()
    await counting.count(
        *answers(60, 25, 15, attributes={"stage": "New", "age": 25}),
        *answers(75, 20, 5, attributes={"stage": "Long-term", "age": 34.5}),
        *answers(20, 40, 40, attributes={"stage": "Inactive", "age": 35}),
    )
    board = await counting.board()
    stages = board.segments("nps", "1h", NPS, "stage", dimensions)
    assert {name: tally.score for name, tally in stages.items()} == {"New": 45, "Long-term": 70, "Inactive": -20}
    ages = board.segments("nps", "1h", NPS, "age", dimensions)
    assert {name: tally.groups for name, tally in ages.items()} == {
        "25-34": groups(135, 45, 20),
        "35+": groups(20, 40, 40),
    }
    assert board.tally("nps", "1h", NPS).n == 300


async def test_surveys_are_apart(counting: Counting) -> None:
    await counting.count(answer(10), answer(2, "r2", survey="csat"))
    board = await counting.board()
    assert board.tally("nps", "1h", NPS).groups == groups(promoters=1)
    assert board.tally("csat", "1h", CSAT).groups == {"satisfied": 0, "neutral": 0, "dissatisfied": 1}


@pytest.mark.parametrize("score", range(11))
async def test_every_score_has_its_own_bin(counting: Counting, score: int) -> None:
    await counting.count(answer(score))
    histogram = (await counting.board()).windows["1h"][Series("nps")]
    assert histogram == [int(n == score) for n in range(11)]


# repeats


async def test_a_repeated_answer_counts_once(counting: Counting) -> None:
    await counting.count(answer(), answer())
    await counting.count(answer())
    board = await counting.board()
    assert board.tally("nps", "all", NPS).groups == groups(promoters=1)
    assert board.first == {Series("nps"): [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]}
    assert not any(name == "nps_corrections_total" for name, *_ in board.counts)


async def test_a_repeated_batch_counts_once(counting: Counting, redis: Redis) -> None:
    await counting.count(*answers(3, 2, 1))
    before = await dump(redis, counting.prefix)
    assert await counting.repeat() == Repeated()
    assert await dump(redis, counting.prefix) == before


async def test_a_repeat_that_names_no_time_stays_where_the_first_was_counted(counting: Counting) -> None:
    await counting.count(answer())
    counting.now += 2 * HOUR
    await counting.count(answer())
    assert await tallies(counting) == in_windows(groups(promoters=1), "all", "24h", "7d", "30d", "90d")
    assert (await counting.board()).counts == {}


async def test_a_correction_that_names_no_time_keeps_the_time_that_was_named(counting: Counting) -> None:
    await counting.count(answer(9, answered_at=from_ms(NOW - 2 * DAY)))
    await counting.count(answer(3))
    assert await tallies(counting) == in_windows(groups(detractors=1), "all", "7d", "30d", "90d")


async def test_answers_that_feed_the_same_series_for_different_reasons_are_no_corrections(
    redis: Redis, namespace: str
) -> None:
    """Two ages in one band: which of them came first in a batch must not matter to a repeat."""
    counting = await Counting(redis, namespace, Dimensions((Dimension("age", bands=(18, 35)),))).open()
    ages = [answer(9, f"r{age}", attributes={"age": age}) for age in (20, 25, 30)]
    await counting.count(*ages)
    await counting.count(*reversed(ages))
    assert (await counting.board()).counts == {}


# corrections


async def test_a_correction_takes_the_old_answer_out(counting: Counting) -> None:
    await counting.count(answer(9), answer(9, "r2"))
    counting.now += MINUTE
    await counting.count(answer(3))
    board = await counting.board()
    assert all(one == groups(promoters=1, detractors=1) for one in (await tallies(counting)).values())
    assert board.count("nps_corrections_total", "nps", "promoter", "detractor") == 1
    assert Tally(NPS, board.first[Series("nps")]).groups == groups(promoters=2), "first acceptances never fall"


async def test_a_correction_in_the_same_batch_counts_once_too(counting: Counting) -> None:
    await counting.count(answer(9), answer(7), answer(3))
    board = await counting.board()
    assert board.tally("nps", "all", NPS).groups == groups(detractors=1)
    assert board.count("nps_corrections_total", "nps", "promoter", "passive") == 1
    assert board.count("nps_corrections_total", "nps", "passive", "detractor") == 1


async def test_a_correction_is_told_in_the_groups_of_its_survey(counting: Counting) -> None:
    for score in (1, 2, 5):
        await counting.count(answer(score, survey="csat", attributes={"plan": "pro"}))
    found = {
        ("csat_corrections_total", "csat", "dissatisfied", "dissatisfied"): 1,
        ("csat_corrections_total", "csat", "dissatisfied", "satisfied"): 1,
        ("csat_segment_corrections_total", "csat", "plan", "pro", "dissatisfied", "dissatisfied"): 1,
        ("csat_segment_corrections_total", "csat", "plan", "pro", "dissatisfied", "satisfied"): 1,
    }
    assert (await counting.board()).counts == found


@pytest.mark.parametrize(("score", "told"), [(10, False), (5, True)])
async def test_a_correction_that_moves_an_answer_to_another_scale(
    counting: Counting, score: int, told: bool
) -> None:
    """It is told in the groups of the survey that it leaves, where these have its score."""
    await counting.count(answer(1, survey="csat"))
    await counting.count(answer(score))
    board = await counting.board()
    assert board.tally("csat", "all", CSAT).n == 0
    assert board.tally("nps", "all", NPS).n == 1
    assert board.count("csat_corrections_total", "csat", "dissatisfied", "satisfied") == told
    assert sum(board.counts.values()) == told


async def test_a_correction_of_a_survey_that_is_gone_is_not_told(
    counting: Counting, redis: Redis, namespace: str
) -> None:
    await counting.count(answer(1, survey="csat"))
    counting.rule = CountAnswers({"nps": NPS}, PLAN)
    await counting.count(answer(9))
    board = await counting.board()
    assert board.tally("nps", "all", NPS).n == 1
    assert board.counts == {}


async def test_an_older_version_is_dropped(counting: Counting) -> None:
    await counting.count(answer(9, updated_at=from_ms(NOW)))
    await counting.count(answer(3, updated_at=from_ms(NOW - 1)))
    assert (await counting.board()).tally("nps", "all", NPS).groups == groups(promoters=1)
    await counting.count(answer(3, updated_at=from_ms(NOW)))
    assert (await counting.board()).tally("nps", "all", NPS).groups == groups(detractors=1), (
        "an equal version is the later one"
    )


async def test_without_an_update_time_the_logs_order_decides(counting: Counting) -> None:
    await counting.count(answer(9), answer(3), times=[NOW, NOW - SECOND])
    assert (await counting.board()).tally("nps", "all", NPS).groups == groups(promoters=1)


async def test_an_identical_newer_version_is_remembered_and_is_no_correction(counting: Counting) -> None:
    await counting.count(answer(9, updated_at=from_ms(NOW - 2 * MINUTE)))
    await counting.count(answer(9, updated_at=from_ms(NOW)))
    await counting.count(answer(3, updated_at=from_ms(NOW - MINUTE)))
    board = await counting.board()
    assert board.tally("nps", "all", NPS).groups == groups(promoters=1)
    assert board.counts == {}


async def test_a_correction_may_move_an_answer_to_another_segment_and_time(counting: Counting) -> None:
    await counting.count(answer(9, attributes={"plan": "free"}, answered_at=from_ms(NOW)))
    await counting.count(answer(9, attributes={"plan": "pro"}, answered_at=from_ms(NOW - 2 * HOUR)))
    board = await counting.board()
    for window, expected in (("all", {"pro": 1}), ("1h", {}), ("24h", {"pro": 1})):
        segments = board.segments("nps", window, NPS, "plan", PLAN)
        assert {name: tally.n for name, tally in segments.items()} == expected
    assert board.count("nps_corrections_total", "nps", "promoter", "promoter") == 1


async def test_a_correction_of_what_has_left_a_window_touches_only_those_that_hold_it(counting: Counting) -> None:
    await counting.count(answer(9))
    counting.now += 2 * HOUR
    await counting.tick()
    await counting.count(answer(3))
    assert await tallies(counting) == in_windows(groups(detractors=1), "all", "24h", "7d", "30d", "90d")


async def test_a_correction_leaves_no_empty_series_behind(counting: Counting, redis: Redis) -> None:
    """The state is the same whatever the order of arrival."""
    before = from_ms(NOW - 10 * MINUTE)
    await counting.count(answer(), answer(9, "r2", attributes={"plan": "free"}, answered_at=before))
    await counting.tick()
    await counting.count(answer(9, "r2", attributes={"plan": "pro"}, answered_at=before))
    await counting.tick()
    base = counting.store.base(0)
    names = await redis.hgetall(f"{base}:series")
    for key, plan in (("first", b"free"), ("0:sums", b"pro"), (f"0:b:1h/1:{NOW // MINUTE - 10}", b"pro")):
        held = {names[one] for one in await redis.hkeys(f"{base}:{key}")}
        assert held == {b'["nps"]', b'["nps","plan","%b"]' % plan}


# late answers


@pytest.mark.parametrize(
    ("age", "names"),
    [
        (59 * MINUTE, {"1h", "24h", "7d", "30d", "90d"}),
        (HOUR, {"24h", "7d", "30d", "90d"}),
        (DAY, {"7d", "30d", "90d"}),
        (7 * DAY, {"30d", "90d"}),
        (30 * DAY, {"90d"}),
        (89 * DAY, {"90d"}),
        (90 * DAY, set()),
        (2_000 * DAY, set()),
    ],
    ids=lambda value: f"{value / HOUR:g}h" if isinstance(value, int) else "",
)
async def test_a_late_answer_counts_in_the_windows_that_still_hold_its_time(
    counting: Counting, age: int, names: set[str]
) -> None:
    await counting.count(answer(answered_at=from_ms(NOW - age)))
    assert await tallies(counting) == in_windows(groups(promoters=1), "all", *names)
    late = (await counting.board()).count("livenps_late_responses_total")
    assert late == (0 if names else 1)


async def test_what_is_late_goes_by_the_longest_window_in_any_order(redis: Redis, namespace: str) -> None:
    counting = await Counting(redis, namespace, windows=DEFAULT_WINDOWS[::-1]).open()
    await counting.count(answer(answered_at=from_ms(NOW - 30 * DAY)))
    assert (await counting.board()).counts == {}


async def test_a_late_answer_counts_as_late_once(counting: Counting) -> None:
    late = answer(answered_at=from_ms(NOW - 91 * DAY))
    await counting.count(late, late)
    await counting.count(late)
    assert (await counting.board()).count("livenps_late_responses_total") == 1


# time passes


async def test_answers_leave_one_window_after_the_other(counting: Counting) -> None:
    await counting.count(answer())
    left: list[str] = []
    for later in (59 * MINUTE, HOUR, DAY - 15 * MINUTE, DAY, 7 * DAY, 30 * DAY, 90 * DAY):
        counting.now = NOW + later
        left.append(
            "".join(name for name, tally in (await tallies(counting)).items() if not any(tally.values())) or "none"
        )
    assert left == ["none", "1h", "1h", "1h24h", "1h24h7d", "1h24h7d30d", "1h24h7d30d90d"]


async def test_a_tick_changes_no_score_and_drops_what_has_left(counting: Counting, redis: Redis) -> None:
    times = [from_ms(NOW - minutes * MINUTE) for minutes in (50, 10)]
    await counting.count(answer(), *[answer(3, str(at), answered_at=at) for at in times])
    counting.now += 30 * MINUTE
    before = await tallies(counting)
    await counting.tick()
    assert await tallies(counting) == before
    buckets = [name for name in await key_names(redis, counting.prefix) if ":b:1h/1:" in name]
    assert buckets == [f"{counting.store.base(0)}:0:b:1h/1:{NOW // MINUTE - 10}"]


async def test_the_newest_bucket_gets_a_key_when_it_is_no_longer_that(counting: Counting, redis: Redis) -> None:
    """Until then it is part of the sums."""
    base = counting.store.base(0)
    await counting.count(answer())
    await counting.tick()
    assert not [name for name in await key_names(redis, counting.prefix) if ":b:" in name]
    counting.now += MINUTE
    await counting.count(answer(3, answered_at=from_ms(NOW)), answer(8, "r2"))
    await counting.tick()
    assert [name for name in await key_names(redis, counting.prefix) if ":b:" in name] == [
        f"{base}:0:b:1h/1:{NOW // MINUTE}"
    ]
    await counting.assert_equals_recount()


@pytest.mark.parametrize("later", [HOUR - MINUTE, HOUR, DAY, 100 * DAY])
async def test_the_newest_bucket_expires_like_any_other(counting: Counting, redis: Redis, later: int) -> None:
    await counting.count(*answers(3, 2, 1))
    await counting.tick()
    counting.now += later
    await counting.assert_equals_recount()
    await counting.tick()
    before = await dump(redis, counting.prefix)
    await counting.tick()
    assert await dump(redis, counting.prefix) == before
    await counting.assert_equals_recount()
    await counting.count(answer(3, "r9"))
    await counting.assert_equals_recount()


async def test_a_tick_is_idempotent(counting: Counting, redis: Redis) -> None:
    await counting.count(*answers(3, 2, 1))
    counting.now += 2 * HOUR
    await counting.tick()
    before = await dump(redis, counting.prefix)
    await counting.tick()
    assert await dump(redis, counting.prefix) == before


async def test_only_the_owner_ticks(counting: Counting, redis: Redis) -> None:
    await counting.count(answer())
    await counting.store.claim(0, B)
    before = await dump(redis, counting.prefix)
    assert await counting.store.tick(0, A, NOW + DAY) == Fenced()
    assert await dump(redis, counting.prefix) == before


async def test_answers_go_on_after_a_tick(counting: Counting) -> None:
    await counting.count(answer())
    counting.now += 61 * MINUTE
    await counting.tick()
    await counting.count(answer(3, "r2"), answer(8, "r3", answered_at=from_ms(NOW + 2 * MINUTE)))
    board = await counting.board()
    assert board.tally("nps", "1h", NPS).groups == groups(passives=1, detractors=1)
    assert board.tally("nps", "24h", NPS).groups == groups(1, 1, 1)


# returned events


async def test_only_the_first_version_is_returned_to_the_customer_lane(counting: Counting) -> None:
    await counting.count(answer(9, customer_id="c1"), answer(3, customer_id="c1"), answer(3, "r2"))
    counting.now += MINUTE
    await counting.count(answer(5, customer_id="c1"), answer(5, "r3", customer_id="c3"))
    entries = await counting.store.outbox(0)
    events = [(topic, key) for _, messages in entries for topic, key, _ in messages]
    assert events == [("touchpoints", "c1"), ("touchpoints", "c3")]
    [(_, [(_, _, written)]), _] = entries
    assert tag(Answered).encode() in written


async def test_steps_of_a_watched_series_are_its_first_versions_in_order(redis: Redis, namespace: str) -> None:
    pro = Series("nps", "plan", "pro")
    counting = await Counting(redis, namespace, PLAN, watched=[pro, Series("csat")]).open()
    await counting.count(
        answer(9, attributes={"plan": "pro"}),
        answer(8, "free", attributes={"plan": "free"}),
        answer(3, attributes={"plan": "pro"}),
        answer(10, "r2", attributes={"plan": "pro"}),
    )
    await counting.count(answer(1, attributes={"plan": "pro"}), answer(2, "r3", survey="csat"))
    await counting.repeat()
    found = [message for _, messages in await counting.store.outbox(0) for message in messages]
    first = {"survey_id": "nps", "dimension": "plan", "segment": "pro", "scores": [9, 10], "offsets": [0, 3]}
    other = {"survey_id": "csat", "scores": [2], "offsets": [5]}
    made = [Increment(**fields, source="survey.responses:0") for fields in (first, other)]
    decode = Codec([Increment]).decode
    assert [(topic, key, decode(value)) for topic, key, value in found] == [
        ("score.increments", '["nps","plan","pro"]', made[0]),
        ("score.increments", '["csat"]', made[1]),
    ]


# a damaged state


async def test_a_damaged_bucket_of_a_corrected_answer_is_found_before_anything_is_written(
    counting: Counting, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await counting.count(answer(9, "r0"), answer(9, answered_at=from_ms(NOW - 10 * MINUTE)))
    await counting.tick()
    bucket = f"{counting.store.base(0)}:0:b:1h/1:{NOW // MINUTE - 10}"
    assert await redis.delete(bucket) == 1
    await redis.set(bucket, "not ours")
    await counting.count(answer(10, "r2"), answer(3, answered_at=from_ms(NOW)))
    before = await dump(redis, counting.prefix)
    monkeypatch.setattr("sinks.redis.answers.WORTH", 0)
    with pytest.raises(StoreCorrupt, match="b:1h/1"):
        await counting.tick()
    assert await dump(redis, counting.prefix) == before


async def test_another_generation_goes_on_with_the_same_numbers(counting: Counting, redis: Redis) -> None:
    await counting.count(*answers(3, 2, 1))
    assert (await counting.store.claim(0, Token("worker-c", 9))) != Fenced()
    assert (await counting.board()).tally("nps", "1h", NPS).groups == groups(3, 2, 1)


# what is remembered


@pytest.mark.real
@pytest.mark.parametrize("url", ["redis_url"], indirect=True)
async def test_an_answer_is_forgotten_a_year_after_it_arrived(counting: Counting) -> None:
    """By arrival, not by its own time: an old answer that was imported today is remembered as long."""
    await counting.count(answer(9, answered_at=from_ms(NOW - 400 * DAY)))
    for days, known in ((365, True), (367, False)):
        counting.now = NOW + days * DAY
        for _ in range(INDEX_BUCKETS // SWEEP):
            await counting.tick()
        await counting.count(answer(9, answered_at=from_ms(NOW - 400 * DAY)))
        assert (await counting.board()).tally("nps", "all", NPS).n == (1 if known else 2)
