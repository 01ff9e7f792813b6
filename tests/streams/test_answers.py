"""The answers lane's rule."""

from typing import Any

import pytest

from scoring.scales import SCALES, SCORES, Scale
from scoring.segments import Dimension, Dimensions, Series
from streams.answers import Answer, AnswersPlan, CountAnswers
from streams.codec import Codec
from streams.events import Answered, Increment, Response, encode
from streams.store import Outgoing
from streams.times import DAY, FUTURE, MINUTE, SECOND, from_ms
from streams.topics import TOUCHPOINTS
from tests.make import NOW, SURVEYS, answer, batch

DIMENSIONS = Dimensions(
    (Dimension("plan"), Dimension("age", bands=(18, 25, 35)), Dimension("vip")), pairs=(("plan", "age"),)
)
RULE = CountAnswers(SURVEYS, DIMENSIONS)


def decide(*responses: Response, times: tuple[int, ...] = ()) -> AnswersPlan:
    return RULE.decide(batch(*responses, times=times), None, NOW)


def fed(plan: AnswersPlan) -> list[tuple[Series, ...]]:
    """What each answer feeds."""
    return [plan.feeds[counted.feed] for counted in plan.answers]


def only(response: Response) -> Answer:
    [counted] = decide(response).answers
    return counted


def test_an_answer_counts_at_the_logs_time_unless_it_names_one() -> None:
    assert only(answer()).minute == NOW // MINUTE
    assert only(answer(answered_at=from_ms(NOW - DAY))).minute == (NOW - DAY) // MINUTE
    assert only(answer(answered_at=(NOW - DAY) / SECOND)).minute == (NOW - DAY) // MINUTE


def test_whether_a_time_was_named_is_remembered() -> None:
    assert not only(answer()).timed
    assert only(answer(answered_at=from_ms(NOW))).timed


def test_the_version_is_the_update_or_else_the_logs_time() -> None:
    assert only(answer()).version == NOW
    assert only(answer(answered_at=from_ms(NOW - DAY))).version == NOW
    assert only(answer(updated_at=from_ms(NOW - DAY))).version == NOW - DAY


@pytest.mark.parametrize("ahead", [1, MINUTE, FUTURE])
def test_a_little_in_the_future_counts_at_the_logs_time(ahead: int) -> None:
    assert only(answer(answered_at=from_ms(NOW + ahead))).minute == NOW // MINUTE


def test_what_an_answer_feeds() -> None:
    plan = decide(answer(attributes={"plan": "pro", "age": 30, "shoe": 43}))
    assert fed(plan) == [
        (
            Series("nps"),
            Series("nps", "plan", "pro"),
            Series("nps", "age", "25-34"),
            Series("nps", "plan x age", "pro|25-34"),
        )
    ]


def test_answers_with_the_same_attributes_share_a_feed() -> None:
    responses = [
        answer(5, str(n), survey=survey, attributes={"plan": plan, "shoe": n})
        for n, (survey, plan) in enumerate([("nps", "pro"), ("nps", "pro"), ("csat", "pro"), ("nps", "free")])
    ]
    numbers = [counted.feed for counted in decide(*responses).answers]
    assert numbers[0] == numbers[1]
    assert len(set(numbers)) == 3
    assert [counted.feed for counted in decide(*responses).answers] == numbers, "feeds keep their numbers"


def test_feeds_are_numbered_anew_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.answers.REMEMBERED", 3)
    rule = CountAnswers(SURVEYS, DIMENSIONS, [Series("nps", "plan", "0")])
    plans = [rule.decide(batch(answer(attributes={"plan": n % 5})), None, NOW) for n in range(10)]
    assert [fed(plan) for plan in plans] == [
        [(Series("nps"), Series("nps", "plan", str(n % 5)))] for n in range(10)
    ]
    assert max(len(plan.feeds) for plan in plans) == 3
    assert [len(plan.steps) for plan in plans] == [1, 0, 0, 0, 0] * 2


@pytest.mark.parametrize("values", [(True, 1), (1, True), (0, False), (1, 1.0)], ids=str)
def test_values_that_only_python_calls_equal_are_told_apart(values: tuple[Any, Any]) -> None:
    plan = decide(*[answer(response_id=str(value), attributes={"vip": value}) for value in values])
    together = fed(plan)
    alone = [fed(decide(answer(attributes={"vip": value})))[0] for value in values]
    assert together == alone
    assert together[0] != together[1]


def test_a_known_customers_answer_is_returned_to_the_customer_lane() -> None:
    counted = only(answer(customer_id="c1", answered_at=from_ms(NOW - DAY)))
    at = from_ms(NOW - DAY)
    event = Answered(event_id="answered:r1", customer_id="c1", survey_id="nps", occurred_at=at, score=9)
    assert counted.answered == Outgoing(TOUCHPOINTS, "c1", event)
    assert only(answer()).answered is None


def test_what_is_returned_names_the_segments_that_the_answer_counts_in() -> None:
    counted = only(answer(customer_id="c1", attributes={"plan": "pro", "age": 30, "shoe": 43}))
    assert counted.answered is not None
    assert counted.answered.event.segments == {"plan": "pro", "age": "25-34"}  # type: ignore[attr-defined]


def test_the_returned_event_of_the_longest_id_can_be_read() -> None:
    returned = only(answer(response_id="r" * 200, customer_id="c1")).answered
    assert returned is not None
    assert Codec([Answered]).decode(encode(returned.event)) == returned.event


@pytest.mark.parametrize("scale", SCALES.values(), ids=list(SCALES))
def test_every_score_of_the_surveys_scale_counts_and_no_other(scale: Scale) -> None:
    rule = CountAnswers({"s": scale}, DIMENSIONS)
    plan = rule.decide(batch(*[answer(n, str(n), survey="s") for n in range(SCORES)]), None, NOW)
    assert [counted.score for counted in plan.answers] == [*scale.scores]
    refused = [one.item.event.score for one in plan.refused]  # type: ignore[attr-defined]
    assert refused == [score for score in range(SCORES) if score not in scale.scores]
    assert {one.reason for one in plan.refused} <= {"invalid"}


@pytest.mark.parametrize(
    ("fields", "reason", "detail"),
    [
        ({"survey": "csat"}, "invalid", "expected a score from 1 to 5 (csat), got 9"),
        ({"survey": "csat", "score": 0}, "invalid", "expected a score from 1 to 5 (csat), got 0"),
        ({"survey": "gone"}, "unknown_survey", "no survey 'gone' is configured"),
        ({"answered_at": from_ms(NOW + FUTURE + 1)}, "future", "answered_at is more than 5 minutes later"),
        ({"updated_at": from_ms(NOW + FUTURE + 1)}, "future", "updated_at is more than 5 minutes later"),
        ({"answered_at": 1e300}, "invalid", "answered_at: Expected a time between 1970 and 9999"),
        ({"answered_at": -1.0}, "invalid", "answered_at: Expected a time between 1970 and 9999"),
        ({"updated_at": float("inf")}, "invalid", "updated_at: "),
        ({"updated_at": float("nan")}, "invalid", "updated_at: "),
    ],
    ids=str,
)
def test_what_cannot_be_counted_is_refused_and_the_rest_goes_on(
    fields: dict[str, Any], reason: str, detail: str
) -> None:
    plan = decide(answer(response_id="before"), answer(**fields), answer(response_id="after"))
    [refused] = plan.refused
    assert (refused.item.offset, refused.reason) == (1, reason)
    assert detail in refused.detail
    assert [counted.response_id for counted in plan.answers] == ["before", "after"]


def test_what_is_the_future_goes_by_each_records_own_time() -> None:
    at = from_ms(NOW)
    plan = decide(answer(answered_at=at), answer(response_id="r2", answered_at=at), times=(NOW - DAY, NOW))
    assert [refused.item.offset for refused in plan.refused] == [0]
    assert [counted.response_id for counted in plan.answers] == ["r2"]


@pytest.mark.parametrize("timestamp", [-1, NOW + FUTURE + 1, NOW * 1_000, NOW * 1_000_000])
def test_a_record_dated_by_a_wrong_clock_or_unit_is_refused(timestamp: int) -> None:
    plan = decide(answer(customer_id="c1"), times=(timestamp,))
    assert [refused.reason for refused in plan.refused] == ["timestamp"]
    assert plan.answers == []


# what is watched


PRO = Series("nps", "plan", "pro")
WATCHING = CountAnswers(SURVEYS, DIMENSIONS, [Series("nps"), PRO], topic="eu.survey.responses")


def steps(*responses: Response) -> dict[str, list[int]]:
    """Series -> the offsets of its steps."""
    plan = WATCHING.decide(batch(*responses, start=100, partition=2), None, NOW)
    for step in plan.steps:
        increment: Increment = step.increment.event  # type: ignore[assignment]
        assert increment.source == "eu.survey.responses:2"
        assert increment.offsets == [plan.answers[n].offset for n in step.answers]
    return {step.increment.key: step.increment.event.offsets for step in plan.steps}  # type: ignore[attr-defined]


def test_answers_of_watched_series_are_steps() -> None:
    found = steps(
        answer(9, "r1", attributes={"plan": "pro"}),
        answer(9, "r2", attributes={"plan": "pro", "age": 30}),
        answer(3, "r3", attributes={"plan": "free"}),
        answer(3, "r4", survey="csat", attributes={"plan": "pro"}),
    )
    assert found == {'["nps"]': [100, 101, 102], PRO.key: [100, 101]}


def test_what_nobody_watches_is_no_step() -> None:
    assert steps(answer(5, survey="csat")) == {}
    assert decide(answer()).steps == []


def test_history_is_no_step() -> None:
    found = steps(
        answer(answered_at=from_ms(NOW - 6 * DAY)),
        answer(response_id="imported", answered_at=from_ms(NOW - 8 * DAY)),
    )
    assert found == {'["nps"]': [100]}
