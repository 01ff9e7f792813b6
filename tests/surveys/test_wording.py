"""What the customer reads."""

import pytest

from scoring.scales import SCALES, Scale
from surveys.wording import filled, standard


@pytest.mark.parametrize("scale", SCALES.values(), ids=list(SCALES))
def test_every_scale_has_all_words_and_a_question_for_each_of_its_groups(scale: Scale) -> None:
    words = standard(scale.name)
    assert {"question", "low", "high", *scale.groups, "thanks", "subject"} <= set(words)
    assert all(words.values())
    assert len({words[group] for group in scale.groups}) == len(scale.groups)


def test_words_in_braces_are_put_in_and_other_braces_stay() -> None:
    assert filled("{a} of {b}, {c} {", a=1, b="{a}") == "1 of {a}, {c} {"
