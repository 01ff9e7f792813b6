import json
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from sources.csv_table import CsvTable
from sources.dates import Dates
from sources.ids import RowIds
from sources.importing import MAX_BATCH, MAX_BYTES, SHOWN, Tally, latest_time, send_all
from sources.mapping import Mapper, choose
from sources.rows import Refusal
from sources.target import Entry, Nowhere
from streams.times import to_ms

NOW = 1_800_000_000_000


class Kept(Nowhere):
    """A target that keeps what it gets, and refuses the lines it is told to."""

    def __init__(self, refuse: Sequence[int] = ()) -> None:
        self.batches: list[list[Entry]] = []
        self._refuse = refuse

    async def send(self, entries: Sequence[Entry]) -> list[Refusal]:
        self.batches.append(list(entries))
        return [Refusal(entry.line, "no") for entry in entries if entry.line in self._refuse]


def table(directory: Path, content: str) -> CsvTable:
    path = directory / "answers.csv"
    path.write_text(content)
    return CsvTable(path)


def mapper(source: CsvTable) -> Mapper:
    return Mapper("relationship", choose({}, source.columns), Dates())


async def sent(source: CsvTable, rows: Mapper, refuse: Sequence[int] = ()) -> tuple[Kept, Tally]:
    target, tally = Kept(refuse), Tally()
    with RowIds(rows.survey) as ids:
        await send_all(source, rows, ids, target, tally, lambda: None)
    return target, tally


async def test_batches_are_bounded_in_rows(tmp_path: Path) -> None:
    source = table(tmp_path, "score\n" + "9\n" * 2_500)
    target, tally = await sent(source, mapper(source))
    assert [len(batch) for batch in target.batches] == [MAX_BATCH, MAX_BATCH, 500]
    assert tally == Tally(accepted=2_500)


async def test_batches_are_bounded_in_bytes(tmp_path: Path) -> None:
    source = table(tmp_path, "score,comment\n" + f"9,{'ä' * 10_000}\n" * 100)
    target, tally = await sent(source, mapper(source))
    assert max(sum(len(entry.value) + 1 for entry in batch) for batch in target.batches) <= MAX_BYTES
    assert tally.accepted == sum(map(len, target.batches)) == 100


async def test_the_first_refusals_are_kept_in_the_file_s_order_whoever_refused(tmp_path: Path) -> None:
    source = table(tmp_path, "score\n" + "9\n99\n" * 50)
    _, tally = await sent(source, mapper(source), refuse=[2, 4])
    assert (tally.accepted, tally.refused) == (48, 52)
    assert [refusal.line for refusal in tally.refusals] == sorted([2, 4, *range(3, 38, 2)])
    assert len(tally.refusals) == SHOWN


async def test_an_empty_table_sends_nothing(tmp_path: Path) -> None:
    source = table(tmp_path, "score\n")
    target, tally = await sent(source, mapper(source))
    assert (target.batches, tally) == ([], Tally())


async def test_an_id_of_the_file_is_kept(tmp_path: Path) -> None:
    source = table(tmp_path, "score,response_id\n9,r1\n9,\n")
    target, _ = await sent(source, mapper(source))
    first, second = target.batches[0]
    assert first.response_id == "r1"
    assert second.response_id.startswith("import-")
    assert json.loads(second.value)["response_id"] == second.response_id


async def test_the_newest_time_is_of_usable_rows(tmp_path: Path) -> None:
    source = table(tmp_path, "score,answered_at\n9,1700000000\n99,1700009999\n8,1600000000\n")
    assert latest_time(source, mapper(source)) == 1_700_000_000_000
    untimed = table(tmp_path, "score\n9\n")
    assert latest_time(untimed, mapper(untimed)) is None


cells = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters='",'), max_size=8)
rows = st.lists(st.tuples(st.integers(0, 10), cells, st.integers(1_000_000_000, 1_799_999_999)), max_size=30)


def content(found: list[tuple[int, str, int]]) -> str:
    return "".join(f'{score},"{text}",{at}\n' for score, text, at in found)


@given(rows, rows)
async def test_ids_are_those_of_another_run_and_all_different(
    found: list[tuple[int, str, int]], added: list[tuple[int, str, int]]
) -> None:
    async def ids(content: str) -> list[str]:
        source = table(Path(directory), "score,note,answered_at\n" + content)
        target, _ = await sent(source, mapper(source))
        return [entry.response_id for batch in target.batches for entry in batch]

    with TemporaryDirectory() as directory:
        first = await ids(content(found))
        assert await ids(content(found)) == first
        assert len(set(first)) == len(found)
        assert (await ids(content(found + added)))[: len(found)] == first


@given(rows)
async def test_a_shift_keeps_all_distances_and_ends_now(found: list[tuple[int, str, int]]) -> None:
    with TemporaryDirectory() as directory:
        source = table(Path(directory), "score,note,answered_at\n" + content(found))
        plain = mapper(source)
        newest = latest_time(source, plain)
        shift = NOW - newest if newest else 0
        target, tally = await sent(source, replace(plain, shift=shift, latest=NOW))
    times = [at * 1000 for _, _, at in found]
    assert tally.refused == 0
    assert newest == max(times, default=None)
    got = [json.loads(entry.value)["answered_at"] for batch in target.batches for entry in batch]

    assert [to_ms(datetime.fromisoformat(time)) for time in got] == [time + shift for time in times]


def test_ids_differ_by_survey_content_and_occurrence_but_not_by_the_columns_order() -> None:
    with RowIds("a") as a, RowIds("b") as b:
        first = a.of({"x": "1", "y": "2"})
        assert a.of({"y": "2", "x": "1"}) != first
        assert a.of({"x": "2", "y": "1"}) != first
        assert b.of({"x": "1", "y": "2"}) != first
    with RowIds("a") as again:
        assert again.of({"y": "2", "x": "1"}) == first


async def test_memory_stays_flat(tmp_path: Path) -> None:
    source = table(tmp_path, "score,note\n" + "".join(f"9,{number} {'x' * 200}\n" for number in range(20_000)))
    tracemalloc.start()
    try:
        target, tally = Nowhere(), Tally()
        with RowIds("relationship") as ids:
            await send_all(source, mapper(source), ids, target, tally, lambda: None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert tally.accepted == 20_000
    assert peak < 3_000_000  # the file alone has 4 MB, its rows as objects 12
