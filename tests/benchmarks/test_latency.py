"""The stream that the latency is measured in, and what follows from what the scrapes have shown."""

import httpx
import pytest

from benchmarks.latency import Scrape, Scraper
from benchmarks.stream import MARKED, Sent, lots
from streams.codec import Codec
from streams.events import Response
from streams.partitions import partition_of


@pytest.mark.parametrize(("rate", "made", "size"), [(75_000, 400, 375), (1_000, 400, 5), (7, 14, 1)])
def test_every_lot_begins_with_a_marker_of_its_partition(rate: int, made: int, size: int) -> None:
    found = list(lots(4, rate, 2.0))
    assert [len(lot.records) for lot in found] == [size] * made
    codec = Codec([Response])
    for lot in found:
        (key, value), *others = lot.records
        marker = codec.decode(value)
        assert isinstance(marker, Response)
        assert (marker.response_id, marker.survey_id) == (key, MARKED)
        assert marker.attributes == {"plan": str(lot.partition)}
        assert partition_of(key, 4) == lot.partition
        assert all(MARKED.encode() not in other for _, other in others)
    assert len({lot.records[0][0] for lot in found}) == made


async def test_a_marker_is_visible_with_the_first_scrape_that_counts_it() -> None:
    sent = Sent(began=0.0, answers=4, answers_per_s=1.0, cores=0.0, markers={0: [1.0, 2.0], 1: [1.5, 9.0]})
    async with httpx.AsyncClient() as client:
        scraper = Scraper(client, {})
        for ended, counts in ((1.2, {}), (2.5, {0: 1.0, 1: 1.0}), (3.0, {0: 2.0, 1: 1.0})):
            scraper.scrapes.append(Scrape(ended - 0.1, ended, counts, {}))
        assert not scraper.shows(sent)
        scraper.scrapes.append(Scrape(9.4, 9.5, {0: 2.0, 1: 2.0}, {}))
        assert scraper.shows(sent)
        assert scraper.delays(sent, since=0.0) == [1.5, 1.0, 1.0, 0.5]
        assert scraper.delays(sent, since=1.5) == [1.0, 1.0, 0.5]
