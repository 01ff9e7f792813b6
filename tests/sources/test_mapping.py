from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sources.dates import Dates
from sources.errors import BadSource
from sources.mapping import FIELDS, Columns, Mapper, choose, newest
from sources.rows import Row
from streams.events import Response, encode

T = 1_706_702_400  # 2024-01-31T12:00:00Z


def mapped(chosen: dict[str, str], values: dict[str, Any], **options: Any) -> Response:
    mapper = Mapper("relationship", choose(chosen, list(values)), Dates(), **options)
    response = mapper.response(Row(17, values))
    msgspec.json.decode(encode(response).replace(b'"response_id":""', b'"response_id":"x"'), type=Response)
    return response


def test_every_field_and_attributes() -> None:
    values = {
        "Id": " r1 ",
        "Who": "c1",
        "NPS": " 9 ",
        "Says": "  good\n",
        "At": str(T),
        "Changed": str(T + 60),
        "Via": "mail",
        "Market": "EU",
        "Age": "34",
        "Empty": " ",
    }
    chosen = dict(
        zip(FIELDS, ["Id", "Who", "NPS", "Says", "At", "Changed", "Via"], strict=True),
        region="Market",
        age="Age",
        plan="Empty",
    )
    assert mapped(chosen, values) == Response(
        response_id="r1",
        survey_id="relationship",
        customer_id="c1",
        score=9,
        comment="good",
        answered_at=datetime.fromtimestamp(T, UTC),
        updated_at=datetime.fromtimestamp(T + 60, UTC),
        channel="mail",
        attributes={"region": "EU", "age": "34"},
    )


def test_columns_named_like_a_field_are_taken_and_others_reported() -> None:
    columns = choose({"region": "Market"}, ["score", "comment", "Score", "Market", "survey_id"])
    assert columns == Columns(
        {"score": "score", "comment": "comment"}, {"region": "Market"}, ["Score", "survey_id"]
    )


def test_a_chosen_column_wins_over_one_named_like_the_field() -> None:
    assert mapped({"score": "NPS"}, {"score": "1", "NPS": "9"}).score == 9


def test_updated_at_is_answered_at_unless_mapped() -> None:
    response = mapped({}, {"score": "9", "answered_at": str(T)})
    assert response.updated_at == response.answered_at == datetime.fromtimestamp(T, UTC)
    assert mapped({}, {"score": "9", "answered_at": str(T), "updated_at": ""}).updated_at == response.answered_at


def test_without_a_column_for_the_time_there_is_none() -> None:
    response = mapped({}, {"score": "9"})
    assert (response.answered_at, response.updated_at, newest(response)) == (None, None, None)


@pytest.mark.parametrize(("score", "expected"), [("0", 0), ("10", 10), (" 7", 7), (0, 0), (10, 10)])
def test_scores(score: object, expected: int) -> None:
    assert mapped({}, {"score": score}).score == expected


@pytest.mark.parametrize(
    "score", ["", "11", "-1", "6.5", "9.0", "+9", "09", "1_0", "٩", "nine", None, True, 9.0, 11, -1, [9], {"a": 9}]
)
def test_other_scores_are_refused_by_name(score: object) -> None:
    with pytest.raises(ValueError, match=r"^score: expected a whole number from 0 to 10, got ") as caught:
        mapped({}, {"score": score})
    assert str(caught.value).endswith(repr("" if score is None else score))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("customer_id", "x" * 201, "customer_id: expected `str` of length <= 200"),
        ("customer_id", ["x"], "customer_id: expected `str | null`, got `array`"),
        ("customer_id", True, "customer_id: expected `str | null`, got `bool`"),
        ("comment", "x" * 10_001, "comment: expected `str` of length <= 10000"),
        ("channel", "x" * 201, "channel: expected `str` of length <= 200"),
        ("region", "x" * 201, "region: expected `str` of length <= 200"),
        ("region", ["EU"], "region: expected `bool | int | float | str | null`, got `array`"),
        ("answered_at", "soon", "answered_at: expected a time as RFC 3339 or Unix seconds, got 'soon'"),
        ("answered_at", "", "answered_at: expected a time as RFC 3339 or Unix seconds, got ''"),
        ("answered_at", None, "answered_at: expected a time as RFC 3339 or Unix seconds, got ''"),
        ("updated_at", "soon", "updated_at: expected a time as RFC 3339 or Unix seconds, got 'soon'"),
    ],
)
def test_other_values_are_refused_by_name(column: str, value: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        mapped({column: column}, {"score": "9", column: value})
    assert str(caught.value) == message


def test_numbers_of_json_are_ids_and_attributes() -> None:
    response = mapped({"age": "age", "beta": "beta"}, {"score": 9, "customer_id": 42, "age": 34, "beta": True})
    assert response.customer_id == "42"
    assert response.attributes == {"age": 34, "beta": True}


def test_what_is_shown_of_a_value_is_escaped_and_short() -> None:
    with pytest.raises(ValueError, match="score") as caught:
        mapped({}, {"score": "\x1b[31m" + "x" * 1_000})
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 120


def test_the_future_is_refused() -> None:
    values = {"score": "9", "answered_at": str(T)}
    assert mapped({}, values, latest=T * 1000).score == 9
    with pytest.raises(ValueError, match="answered_at: more than 5 minutes in the future: '1706702400'"):
        mapped({}, values, latest=T * 1000 - 1)


def test_a_shift_moves_all_times() -> None:
    values = {"score": "9", "answered_at": str(T), "updated_at": str(T + 60)}
    response = mapped({}, values, shift=1_000)
    assert response.answered_at == datetime.fromtimestamp(T + 1, UTC)
    assert newest(response) == (T + 61) * 1000
    with pytest.raises(ValueError, match="answered_at: not between 1970 and 9999 after the shift"):
        mapped({}, values, shift=-T * 1000 - 1)


@pytest.mark.parametrize(
    ("chosen", "present", "message"),
    [
        ({"score": "NPS"}, ["a", "b"], "there is no column 'NPS' for score; the file's columns are: 'a', 'b'"),
        ({"score": "a", "region": "x"}, ["a"], "there is no column 'x' for region; the file's columns are: 'a'"),
        ({}, ["NPS"], "which column is the score? Say --column score=NAME; the file's columns are: 'NPS'"),
        ({"score": "a"}, ["a", "a"], "there are 2 columns 'a'; the file's columns are: 'a', 'a'"),
        ({"survey_id": "a"}, ["a", "score"], "survey_id cannot be taken from a column"),
        ({"attributes": "a"}, ["a", "score"], "attributes cannot be taken from a column"),
    ],
)
def test_columns_that_cannot_be(chosen: dict[str, str], present: list[str], message: str) -> None:
    with pytest.raises(BadSource) as caught:
        choose(chosen, present)
    assert str(caught.value) == message


def test_two_columns_of_one_name_do_not_matter_where_nothing_takes_them() -> None:
    assert choose({}, ["score", "x", "x"]).ignored == ["x"]


def test_a_long_list_of_columns_is_cut() -> None:
    with pytest.raises(BadSource, match=r"'c49' and 50 more$"):
        choose({"score": "NPS"}, [f"c{number}" for number in range(100)])


def test_too_many_attributes() -> None:
    columns = [f"c{number}" for number in range(101)]
    with pytest.raises(BadSource, match="the attributes' names"):
        choose({name: name for name in columns}, ["score", *columns])
