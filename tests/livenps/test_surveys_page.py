"""What docs/surveys.md says is what the program takes."""

import re
from pathlib import Path

import msgspec
import pytest

from livenps.config import load
from livenps.settings import Config
from surveys.hours import Sending
from surveys.survey import Asking, Exclude

PAGE = (Path(__file__).parents[2] / "docs" / "surveys.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
WHO_AND_WHEN = {
    *msgspec.structs.asdict(Asking()),
    *Sending.__struct_fields__,
    *Exclude.__struct_fields__,
    *(
        "trigger",
        "where",
        "cancel",
        "delay",
        "defer",
        "every",
        "starts",
        "max_age",
        "sample",
        "channel",
        "sending",
    ),
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0] + str(len(text)))
def test_every_example_is_a_configuration(example: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(example)
    (tmp_path / "do-not-ask.txt").write_text("c1\n")
    assert isinstance(load(file, {}), Config)


def test_every_key_stands_on_the_page() -> None:
    assert EXAMPLES
    assert {key for key in WHO_AND_WHEN if f"`{key}`" not in PAGE and f"asking.{key}]" not in PAGE} == set()
