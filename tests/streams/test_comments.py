"""The comments lane's rule."""

from scoring.segments import Dimension, Dimensions
from streams.comments import Comment, CommentsPlan, KeepComments, Kept
from streams.events import DeadLetter, Response
from streams.times import DAY, from_ms
from tests.make import NOW, SURVEYS, answer, batch

RULE = KeepComments(SURVEYS, Dimensions((Dimension("plan"), Dimension("age", bands=(18, 25, 35)))))


def decide(*responses: Response) -> CommentsPlan:
    return RULE.decide(batch(*responses), None, NOW)


def test_a_comment_is_kept_with_what_a_page_shows() -> None:
    attributes = {"plan": "pro", "age": 30, "shoe": 43}
    plan = decide(answer(6, comment="Too slow", answered_at=from_ms(NOW - DAY), attributes=attributes))
    comment = Comment(
        response_id="r1",
        survey="nps",
        score=6,
        group="detractor",
        comment="Too slow",
        answered_at="2026-02-28T12:00:00Z",
        segments={"plan": "pro", "age": "25-34"},
    )
    assert plan.comments == {"r1": Kept(NOW, NOW - DAY, comment)}


def test_an_answer_without_words_takes_an_earlier_comment_back() -> None:
    assert decide(answer(), answer(response_id="r2", comment=" \n")).comments == {
        "r1": Kept(NOW, NOW, None),
        "r2": Kept(NOW, NOW, None),
    }


def test_the_last_version_of_a_batch_is_kept() -> None:
    [kept] = decide(answer(comment="first"), answer(comment="second")).comments.values()
    assert kept.comment is not None
    assert kept.comment.comment == "second"


def test_an_older_version_that_comes_later_does_not_count() -> None:
    newer = answer(comment="newer", updated_at=from_ms(NOW))
    [kept] = decide(newer, answer(comment="older", updated_at=from_ms(NOW - DAY))).comments.values()
    assert kept.version == NOW
    assert kept.comment is not None
    assert kept.comment.comment == "newer"


def test_what_the_answers_lane_refuses_is_not_kept() -> None:
    assert decide(answer(survey="gone", comment="words")).comments == {}
    assert decide(answer(6, survey="csat", comment="words")).comments == {}


def test_a_comment_has_the_group_of_its_surveys_scale() -> None:
    [kept] = decide(answer(5, survey="csat", comment="words")).comments.values()
    assert kept.comment is not None
    assert (kept.comment.score, kept.comment.group) == (5, "satisfied")


def test_a_time_that_cannot_be_is_replaced_by_the_logs() -> None:
    for at in (1e300, float("nan"), -1.0, from_ms(NOW + DAY)):
        [kept] = decide(answer(comment="words", answered_at=at)).comments.values()
        assert kept.at == NOW


def test_dead_letters_are_left_to_the_answers_lane() -> None:
    read = batch(answer(comment="words"))
    read.letters.append(
        DeadLetter(topic="t", partition=0, offset=1, reason="malformed", detail="d", payload=b"{", at=from_ms(NOW))
    )
    plan = RULE.decide(read, None, NOW)
    assert read.letters == []
    assert plan.outgoing == []
