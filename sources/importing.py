"""One import: rows in, answers out in batches, refusals counted. Memory stays flat however long the file is."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sources.ids import RowIds
from sources.mapping import Mapper, newest
from sources.rows import Refusal, Row, Table
from sources.target import Entry, Target
from streams.events import Response, encode

MAX_BATCH = 1_000
MAX_BYTES = 900_000  # the collector takes a body of up to 1 MiB
SHOWN = 20


@dataclass
class Tally:
    """What became of the rows so far, and the first refusals in the file's order."""

    accepted: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    def refuse(self, refusal: Refusal) -> None:
        self.refused += 1
        insort(self.refusals, refusal)  # the target refuses a line after later ones have been read
        del self.refusals[SHOWN:]


def latest_time(table: Table, mapper: Mapper) -> int | None:
    """The newest time of all usable rows, in ms; one pass over the file."""
    times = (newest(found[1]) for found in _answers(table, mapper) if not isinstance(found, Refusal))
    return max((time for time in times if time is not None), default=None)


async def send_all(
    table: Table, mapper: Mapper, ids: RowIds, target: Target, tally: Tally, progress: Callable[[], None]
) -> None:
    """Send every answer of the table; ``progress`` is called about once a batch. Raises SendFailed."""
    batch: list[Entry] = []
    size = 0
    for number, found in enumerate(_answers(table, mapper), 1):
        if number % MAX_BATCH == 0:
            progress()
        if isinstance(found, Refusal):
            tally.refuse(found)
            continue
        entry = _entry(*found, ids)
        if len(batch) == MAX_BATCH or size + len(entry.value) > MAX_BYTES:
            await _send(batch, target, tally)
            batch, size = [], 0
        batch.append(entry)
        size += len(entry.value) + 1
    await _send(batch, target, tally)
    progress()


async def _send(batch: list[Entry], target: Target, tally: Tally) -> None:
    if not batch:
        return
    refusals = await target.send(batch)
    tally.accepted += len(batch) - len(refusals)
    for refusal in refusals:
        tally.refuse(refusal)


def _answers(table: Table, mapper: Mapper) -> Iterator[tuple[Row, Response] | Refusal]:
    for row in table.rows():
        if isinstance(row, Refusal):
            yield row
            continue
        try:
            response = mapper.response(row)
        except ValueError as error:
            yield Refusal(row.line, str(error))
        else:
            yield row, response


def _entry(row: Row, response: Response, ids: RowIds) -> Entry:
    response.response_id = response.response_id or ids.of(row.values)
    return Entry(row.line, response.response_id, encode(response))
