"""Further questions: what is asked after what, and what counts as an answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.questions import MAX_TEXT, InvalidAnswer, Question, asked, faults, most_asked
from surveys.survey import Survey

GROUPS = ["promoter", "passive", "detractor"]
OPTIONS = {"price": "The price", "speed": "The speed", "other": "Something else"}
REASON = Question(id="reason", kind="single", text="Why?", options=OPTIONS, when={"group": ["detractor"]})
DRIVERS = Question(id="drivers", kind="rating", text="How were these?", options=OPTIONS)
PRICE = Question(id="price", kind="text", text="Which price?", when={"reason": ["price"]})
SLOW = Question(id="slow", kind="text", text="What was slow?", when={"drivers.speed": [1, 2]})
ALSO = Question(id="also", kind="multiple", text="What else?", options=OPTIONS)
ALL = [REASON, DRIVERS, PRICE, SLOW, ALSO]


def ids(group: str, **answers: Any) -> list[str]:
    return [
        question.id for question, _ in asked(ALL, group, {k.replace("__", "."): v for k, v in answers.items()})
    ]


def read(question: Question, *given: str, key: str = "") -> dict[str, Any]:
    wanted = key or question.id
    return question.read(lambda name: given if name == wanted else [])


def test_what_is_asked_follows_the_group_and_earlier_answers() -> None:
    assert ids("promoter") == ["drivers", "also"]
    assert ids("detractor") == ["reason", "drivers", "also"]
    assert ids("detractor", reason="price") == ["reason", "drivers", "price", "also"]
    assert ids("promoter", drivers__speed=2) == ["drivers", "slow", "also"]
    assert ids("promoter", drivers__speed=3) == ["drivers", "also"]


def test_an_answer_that_is_no_longer_asked_for_is_left_out_with_what_followed_from_it() -> None:
    answers: dict[str, Any] = {"reason": "price", "price": "too high", "also": ["speed"]}
    assert [own for _, own in asked(ALL, "detractor", answers) if own] == [
        {"reason": "price"},
        {"price": "too high"},
        {"also": ["speed"]},
    ]
    assert [own for _, own in asked(ALL, "promoter", answers) if own] == [{"also": ["speed"]}]


def test_several_answers_are_kept_once_each_in_the_order_of_the_options() -> None:
    assert read(ALSO, "other", "price", "price") == {"also": ["price", "other"]}
    assert read(ALSO) == {}


def test_each_item_is_rated_on_its_own() -> None:
    form = {"drivers.price": ["5"], "drivers.speed": ["1"]}
    assert DRIVERS.read(lambda key: form.get(key, [])) == {"drivers.price": 5, "drivers.speed": 1}


@pytest.mark.parametrize(
    ("question", "key", "sent"),
    [
        (REASON, "reason", ["nothing"]),
        (REASON, "reason", ["price", "speed"]),
        (REASON, "reason", [""]),
        (ALSO, "also", ["price", "x"]),
        (DRIVERS, "drivers.price", ["0"]),
        (DRIVERS, "drivers.price", ["6"]),
        (DRIVERS, "drivers.price", ["٣"]),
        (DRIVERS, "drivers.price", ["3", "4"]),
    ],
)
def test_what_the_page_did_not_offer_is_refused(question: Question, key: str, sent: list[str]) -> None:
    with pytest.raises(InvalidAnswer):
        read(question, *sent, key=key)


def test_a_further_score_is_one_of_its_scale_and_counts_in_a_survey() -> None:
    effort = Question(id="effort", kind="ces", text="How easy was it?", survey="ease")
    assert read(effort, "7") == {"effort": 7}
    with pytest.raises(InvalidAnswer):
        read(effort, "0")
    likely = Question(id="likely", kind="nps", text="How likely?", survey="nps")
    assert read(likely, "0") == {"likely": 0}, "nothing is no answer, and 0 is one"
    survey = Survey(id="support", metric="csat", language="de", questions=[effort])
    assert survey.words("de")["effort.low"] == "Stimme gar nicht zu"
    survey = Survey(id="support", questions=[effort], wording={"effort.low": "Very hard"})
    assert (survey.words("en")["effort.low"], survey.words("en")["low"]) == ("Very hard", "Not at all likely")


@pytest.mark.parametrize("wrong", [{"kind": "ces"}, {"kind": "text", "survey": "ease"}])
def test_a_score_without_a_survey_and_a_survey_without_a_score_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^Expected (no|the) survey"):
        Question(id="effort", text="How easy was it?", **wrong)


@given(st.lists(st.text(max_size=3_000), max_size=3))
def test_words_are_bounded_and_everything_else_is_an_option_or_refused(sent: list[str]) -> None:
    for value in read(PRICE, *sent).values():
        assert 0 < len(value) <= MAX_TEXT
    for question in (REASON, ALSO):
        try:
            found = read(question, *sent)
        except InvalidAnswer:
            assert not set(sent) <= set(OPTIONS) or len(sent) > 1
        else:
            assert set(sent) == set(found.get(question.id, []) if question is ALSO else found.values())


@given(st.sampled_from(GROUPS), st.dictionaries(st.sampled_from([*OPTIONS, *GROUPS]), st.sampled_from([*OPTIONS])))
def test_nobody_is_asked_more_than_is_told(group: str, answers: dict[str, Any]) -> None:
    assert len([*asked(ALL, group, answers)]) <= most_asked(ALL, group)


def test_a_survey_counts_the_score_the_open_question_and_what_a_group_may_be_asked() -> None:
    survey = Survey(id="s", questions=ALL, wording={"promoter": ""})
    assert survey.most_asked() == {"promoter": 5, "passive": 6, "detractor": 7}
    assert [question.id for question, _ in survey.further(9, {})] == ["drivers", "also"]
    assert [question.id for question, _ in survey.further(0, {})] == ["comment", "reason", "drivers", "also"]


@pytest.mark.parametrize(
    ("questions", "place", "message"),
    [
        ([REASON, REASON], "[1].id", "expected a new id, found 'reason', which is taken"),
        ([Question(id="thanks", kind="text", text="x")], "[0].id", "expected a new id, found 'thanks'"),
        ([PRICE, REASON], "[0].when.reason", "expected group or an earlier question with options (group), found"),
        (
            [Question(id="a", kind="text", text="x", when={"group": ["fans"]})],
            "[0].when.group",
            "expected some of promoter, passive, detractor, found ['fans']",
        ),
        (
            [REASON, Question(id="a", kind="text", text="x", when={"reason": []})],
            "[1].when.reason",
            "expected some of price, speed, other, found []",
        ),
        (
            [DRIVERS, Question(id="a", kind="text", text="x", when={"drivers.speed": [6]})],
            "[1].when.drivers.speed",
            "expected some of 1, 2, 3, 4, 5, found [6]",
        ),
    ],
)
def test_a_fault_names_its_place(questions: list[Question], place: str, message: str) -> None:
    found = [*faults(questions, GROUPS, frozenset({"thanks"}))]
    assert found[0][0] == place
    assert found[0][1].startswith(message)
    assert [*faults(ALL, GROUPS, frozenset())] == []
