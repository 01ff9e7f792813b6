"""What the customer reads."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.scales import SCALES, Scale
from surveys.survey import Survey
from surveys.wording import (
    ENGLISH,
    SHIPPED,
    choose,
    direction,
    filled,
    known,
    preferred,
    problems,
    shipped,
    standard,
)


@pytest.mark.parametrize("scale", SCALES.values(), ids=list(SCALES))
def test_every_scale_has_all_words_and_a_question_for_each_of_its_groups(scale: Scale) -> None:
    words = standard(scale.name)
    assert {"question", "low", "high", *scale.groups, "thanks", "subject"} <= set(words)
    assert all(words.values())
    assert len({words[group] for group in scale.groups}) == len(scale.groups)


def test_words_in_braces_are_put_in_and_other_braces_stay() -> None:
    assert filled("{a} of {b}, {c} {", a=1, b="{a}") == "1 of {a}, {c} {"


@pytest.mark.parametrize("language", SHIPPED)
@pytest.mark.parametrize("scale", SCALES.values(), ids=list(SCALES))
def test_every_language_that_is_shipped_has_every_word_with_the_same_places_to_fill(
    scale: Scale, language: str
) -> None:
    english = {**standard(scale.name), **problems(ENGLISH)}
    words = {**standard(scale.name, language), **problems(language)}
    assert words.keys() == english.keys()
    for word, text in words.items():
        assert sorted(re.findall("{.*?}", text)) == sorted(re.findall("{.*?}", english[word])), word
    if language != "en":
        same = [word for word, text in words.items() if text == english[word]]
        assert set(same) <= {"error", "excellent"}  # Error and Excellent are Spanish and French too


def test_what_is_not_shipped_is_english() -> None:
    assert standard("nps", "pt") == standard("nps")
    assert standard("nps", "de-AT") == standard("nps", "de")
    assert (shipped("de-AT"), shipped("pt")) == (True, False)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["de"], "de"),
        (["de-AT"], "de"),
        (["DE_at.UTF-8"], "de"),
        (["pt-BR"], "pt-BR"),
        (["pt_BR@euro"], "pt-BR"),
        (["pt"], "en"),  # what is said in Brazil is not what is said everywhere
        (["fr", "de"], "de"),
        (["", "fr", "x"], "en"),
        ([], "en"),
    ],
)
def test_the_first_language_wanted_that_is_spoken(wanted: list[str], expected: str) -> None:
    assert choose(["en", "de", "pt-BR"], wanted) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", ["de-AT", "de", "en"]),
        ("en;q=0.1, fr ; q = 0.5 , *;q=0.01", ["fr", "en"]),
        ("de;q=0, es", ["es"]),
        ("", []),
        ("de;q=2,<script>,\x00,es", ["es"]),
    ],
)
def test_a_browsers_languages_best_first(header: str, expected: list[str]) -> None:
    assert preferred(header) == expected


@given(st.text(max_size=2_000), st.text(max_size=50))
def test_whatever_a_browser_or_a_contact_says_a_language_that_is_spoken_is_found(header: str, locale: str) -> None:
    assert choose(["ar", "de"], [locale, *preferred(header)]) in ("ar", "de")


def test_languages_are_known_and_have_a_direction() -> None:
    assert [known(one) for one in ("de", "pt-BR", "yue", "xx", "")] == [True, True, True, False, False]
    assert [direction(one) for one in ("ar", "he-IL", "en", "ur")] == ["rtl", "rtl", "ltr", "rtl"]


def test_a_translation_takes_the_place_of_the_surveys_own_words_and_the_rest_is_standard() -> None:
    survey = Survey(id="s", wording={"question": "Own?"}, translations={"de": {"question": "Eigene?"}})
    assert survey.languages == ["en", "de"]
    assert (survey.words("en")["question"], survey.words("en")["send"]) == ("Own?", "Send")
    assert (survey.words("de")["question"], survey.words("de")["send"]) == ("Eigene?", "Absenden")
