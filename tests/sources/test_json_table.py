import json
from pathlib import Path

import pytest

from sources import json_table
from sources.errors import BadSource
from sources.json_table import JsonTable
from sources.rows import MAX_RECORD, Refusal, Row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def test_nested_objects_are_dotted_columns_and_columns_are_those_of_any_row(path: Path) -> None:
    path.write_text(
        '{"NPS": 9, "who": {"id": 7, "plan": {"name": "pro"}}}\n\n{"NPS": 8, "tags": ["a"], "a.b": null}\n'
    )
    table = JsonTable(path)
    assert table.columns == ["NPS", "who.id", "who.plan.name", "tags", "a.b"]
    assert list(table.rows()) == [
        Row(1, {"NPS": 9, "who.id": 7, "who.plan.name": "pro"}),
        Row(3, {"NPS": 8, "tags": ["a"], "a.b": None}),
    ]


def test_lines_that_are_no_objects_are_refused_and_reading_goes_on(path: Path) -> None:
    lines = [b"[1]", b'{"NPS": 9', b'{"NPS": NaN}', b'{"NPS": "\xf6"}', b"[" * 200_000, b'"x"', b'{"NPS": 8}']
    path.write_bytes(b"\n".join(lines))
    *refused, last = JsonTable(path).rows()
    assert [row.line for row in refused if isinstance(row, Refusal)] == [1, 2, 3, 4, 5, 6]
    assert refused[0] == Refusal(1, "expected a JSON object")
    assert refused[1] == Refusal(2, "not readable as JSON: Input data was truncated")
    assert refused[3] == Refusal(4, "not readable as utf-8-sig; save it as UTF-8, or import with --encoding")
    assert last == Row(7, {"NPS": 8})


def test_a_line_that_is_too_long_is_skipped(path: Path) -> None:
    path.write_text(json.dumps({"c": "x" * 3 * MAX_RECORD}) + '\n{"NPS": 8}\n')
    assert list(JsonTable(path).rows()) == [
        Refusal(1, f"longer than {MAX_RECORD:,} characters"),
        Row(2, {"NPS": 8}),
    ]


def test_deep_objects_with_long_names_stay_values(path: Path) -> None:
    path.write_text('{"' + "x" * 201 + '": {"a": 1}}\n')
    assert JsonTable(path).columns == ["x" * 201]


def test_a_file_in_which_every_line_has_other_names_is_no_table(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_table, "MAX_COLUMNS", 10)
    path.write_text("".join(f'{{"name-{number}": 1}}\n' for number in range(11)))
    with pytest.raises(BadSource, match="more than 10 different names"):
        JsonTable(path)
