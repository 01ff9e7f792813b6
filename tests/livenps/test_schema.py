"""`livenps schema`: the published schemas are those that the program decodes by."""

import json
from typing import Any

import jsonschema_rs
import pytest

from streams.events import EVENTS, tag
from tests.livenps.run import run


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    done = run("schema")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_event_type_has_a_valid_schema(schemas: dict[str, Any]) -> None:
    assert list(schemas) == [tag(kind) for kind in EVENTS]
    for name, schema in schemas.items():
        jsonschema_rs.meta.validate(schema)
        assert schema["title"] == name


def test_one_type(schemas: dict[str, Any]) -> None:
    done = run("schema", "response")
    assert done.returncode == 0
    assert json.loads(done.stdout) == schemas["response"]


@pytest.mark.parametrize(
    ("score", "valid"),
    [(0, True), (10, True), (11, False), (-1, False), (6.5, False), ("9", False), (None, False)],
)
def test_the_score_in_the_schema(schemas: dict[str, Any], score: object, valid: bool) -> None:
    answer = {"type": "response", "response_id": "r", "survey_id": "s", "score": score}
    assert jsonschema_rs.validator_for(schemas["response"]).is_valid(answer) is valid
