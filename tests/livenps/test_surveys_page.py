"""What docs/surveys.md says is what the program takes."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from livenps.config import load, parse
from livenps.settings import Config
from livenps.words import warnings
from surveys.hours import Sending
from surveys.questions import Question
from surveys.sampling import Sampling
from surveys.survey import Asking, Exclude, Survey
from surveys.wording import standard

PAGE = (Path(__file__).parents[2] / "docs" / "surveys.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
KEYS = {
    *msgspec.structs.asdict(Asking()),
    *Sending.__struct_fields__,
    *Sampling.__struct_fields__,
    *Exclude.__struct_fields__,
    *Survey.__struct_fields__,
    *Question.__struct_fields__,
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0] + str(len(text)))
def test_every_example_is_a_configuration(example: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(example)
    named = {"do-not-ask.txt": "c1\n", "codes.txt": "SAVE-1\n", "logo.svg": "<svg/>"}
    for name, text in named.items():
        (tmp_path / name).write_text(text)
    assert isinstance(load(file, {}), Config)


def test_the_three_first_examples_are_worth_copying() -> None:
    for example in EXAMPLES[:3]:
        assert warnings(parse(tomllib.loads(example), "surveys.md", {}).surveys) == []


def test_every_word_is_named() -> None:
    words = PAGE.partition("### Words")[2].partition("### Languages")[0]
    named = set(re.findall(r"`([a-z_]+)`", words))
    for metric in ("nps", "csat", "ces"):
        assert standard(metric).keys() <= named


def test_every_key_stands_on_the_page() -> None:
    assert EXAMPLES
    assert {key for key in KEYS if f"`{key}`" not in PAGE and f"asking.{key}]" not in PAGE} == set()
