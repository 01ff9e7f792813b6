"""What docs/events.md says of the topics is what the program uses."""

import re
from pathlib import Path

import pytest

from livenps.config import load
from streams.events import EVENTS, tag
from streams.times import DAY
from streams.topics import FOREVER, Topic

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
TOPICS = load(None, {}).topics()
ROWS = {cells[0].strip("` "): cells[1:] for line in PAGE.splitlines() if len(cells := line.split("|")[1:-1]) == 4}


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.role)
def test_every_topic_is_on_the_page_for_as_long_as_it_is_kept(topic: Topic) -> None:
    kept = {None: "compacted", FOREVER: "for ever"}.get(topic.retention, f"{(topic.retention or 0) // DAY} days")
    assert ROWS[topic.role][2].strip() == kept


def test_every_type_is_on_the_page() -> None:
    named = set(re.findall(r"`([a-z_]+)`", "".join(cells[1] for cells in ROWS.values())))
    assert named == {tag(kind) for kind in EVENTS}
