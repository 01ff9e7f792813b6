"""The examples in docs/surveys.md are configurations that are taken as they stand."""

import re
import tomllib
from pathlib import Path

import pytest

from livenps.config import parse
from livenps.words import warnings
from surveys.wording import standard

TEXT = (Path(__file__).parents[2] / "docs" / "surveys.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.partition("\n")[0] for example in EXAMPLES])
def test_an_example_is_a_configuration(example: str, tmp_path: Path) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_text("<svg/>")
    (tmp_path / "codes.txt").write_text("SAVE-1")
    example = example.replace("logo.svg", str(logo)).replace("codes.txt", str(tmp_path / "codes.txt"))
    values = tomllib.loads(example)
    config = parse(values, "surveys.md", {})
    assert config.surveys or config.branding.logo


def test_the_two_first_examples_are_worth_copying() -> None:
    for example in EXAMPLES[:2]:
        assert warnings(parse(tomllib.loads(example), "surveys.md", {}).surveys) == []


def test_every_word_is_named() -> None:
    words = TEXT.partition("### Words")[2].partition("### Languages")[0]
    named = set(re.findall(r"`([a-z_]+)`", words))
    for metric in ("nps", "csat", "ces"):
        assert standard(metric).keys() <= named
