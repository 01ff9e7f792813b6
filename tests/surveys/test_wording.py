"""What the customer reads."""

import pytest

from scoring.scales import SCALES, Scale
from surveys.wording import WORDING


@pytest.mark.parametrize("scale", SCALES.values(), ids=list(SCALES))
def test_every_scale_has_all_words_and_a_question_for_each_of_its_groups(scale: Scale) -> None:
    words = WORDING[scale.name]
    assert set(words) == {"question", "low", "high", *scale.groups, "thanks", "subject"}
    assert all(words.values())
    assert len({words[group] for group in scale.groups}) == len(scale.groups)
