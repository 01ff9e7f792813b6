from pathlib import Path

import pytest

from sources.csv_table import CsvTable
from sources.errors import BadSource
from sources.rows import MAX_RECORD, Refusal, Row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.csv"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_in_the_header(path: Path, delimiter: str) -> None:
    path.write_text(delimiter.join(["NPS", '"a, b; c"', "When"]) + "\n" + delimiter.join("9xy") + "\n")
    table = CsvTable(path)
    assert table.columns == ["NPS", "a, b; c", "When"]
    assert list(table.rows()) == [Row(2, {"NPS": "9", "a, b; c": "x", "When": "y"})]


def test_a_given_delimiter_wins(path: Path) -> None:
    path.write_text("a,b|c,d\n")
    assert CsvTable(path, delimiter="|").columns == ["a,b", "c,d"]


def test_a_record_over_several_lines_has_the_number_of_its_first(path: Path) -> None:
    path.write_text('NPS,Comment\n9,"one\ntwo\nthree"\n\n8,"say ""hi"""\n')
    assert list(CsvTable(path).rows()) == [
        Row(2, {"NPS": "9", "Comment": "one\ntwo\nthree"}),
        Row(6, {"NPS": "8", "Comment": 'say "hi"'}),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_all_systems(path: Path, end: str) -> None:
    path.write_bytes(f"NPS{end}9{end}8{end}".encode())
    assert list(CsvTable(path).rows()) == [Row(2, {"NPS": "9"}), Row(3, {"NPS": "8"})]


def test_the_byte_order_mark_is_no_part_of_the_first_name(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfNPS;Ort\n9;K\xc3\xb6ln\n")
    assert [row.values for row in CsvTable(path).rows() if isinstance(row, Row)] == [{"NPS": "9", "Ort": "Köln"}]


def test_another_encoding(path: Path) -> None:
    path.write_bytes("NPS,Ort\n9,Köln\n".encode("utf-16"))
    assert list(CsvTable(path, "utf-16").rows()) == [Row(2, {"NPS": "9", "Ort": "Köln"})]


def test_a_byte_of_another_encoding_spoils_its_row_only(path: Path) -> None:
    path.write_bytes(b"NPS,Ort\n9,K\xf6ln\n8,Bonn\n")
    assert list(CsvTable(path).rows()) == [
        Refusal(2, "not readable as utf-8-sig; save it as UTF-8, or import with --encoding"),
        Row(3, {"NPS": "8", "Ort": "Bonn"}),
    ]


def test_a_row_with_other_fields_than_the_header(path: Path) -> None:
    path.write_text("NPS,Market\n9\n8,EU\n7,EU,x\n")
    assert list(CsvTable(path).rows()) == [
        Refusal(2, "expected 2 fields, got 1"),
        Row(3, {"NPS": "8", "Market": "EU"}),
        Refusal(4, "expected 2 fields, got 3"),
    ]


def test_a_quote_that_never_ends_is_told_with_the_lines_that_it_swallowed(path: Path) -> None:
    path.write_text('NPS,Comment\n9,fine\n8,"open\n7,x\n6,y\n')
    assert list(CsvTable(path).rows()) == [
        Row(2, {"NPS": "9", "Comment": "fine"}),
        Refusal(3, "not readable as CSV: unexpected end of data (up to line 5)"),
    ]


def test_after_a_field_that_is_too_long_reading_goes_on(path: Path) -> None:
    path.write_text(f'NPS,Comment\n9,"{"x" * 200_000}"\n8,fine\n')
    first, second = CsvTable(path).rows()
    assert isinstance(first, Refusal)
    assert first.line == 2
    assert "field larger" in first.reason
    assert second == Row(3, {"NPS": "8", "Comment": "fine"})


def test_after_a_line_that_is_too_long_reading_goes_on(path: Path) -> None:
    path.write_text("NPS,Comment\n9," + "x," * MAX_RECORD * 2 + "\n8,fine\n")
    assert list(CsvTable(path).rows()) == [
        Refusal(2, f"not readable as CSV: longer than {MAX_RECORD:,} characters"),
        Row(3, {"NPS": "8", "Comment": "fine"}),
    ]


def test_a_record_of_many_lines_is_bounded_too(path: Path) -> None:
    path.write_text("NPS,Comment\n" + '"x\n",' * (MAX_RECORD // 3) + "9\n8,fine\n")
    first = next(CsvTable(path).rows())
    assert isinstance(first, Refusal)
    assert first.line == 2
    assert "longer than" in first.reason


@pytest.mark.parametrize("content", ["", "\n9\n", ",,\n1,2,3\n"])
def test_a_file_without_a_header(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(BadSource, match="the first line has to name the columns"):
        CsvTable(path)


def test_a_header_that_cannot_be_read(path: Path) -> None:
    path.write_text('NPS,"Comment\n9,x\n')
    with pytest.raises(BadSource, match="the header is not readable as CSV: unexpected end of data"):
        CsvTable(path)


def test_the_position_ends_at_the_file_s_size_and_a_second_pass_is_the_same(path: Path) -> None:
    path.write_text("NPS\n" + "9\n" * 50_000)
    table = CsvTable(path)
    passes = [list(table.rows()) for _ in range(2)]
    assert passes[0] == passes[1]
    assert table.position == path.stat().st_size
