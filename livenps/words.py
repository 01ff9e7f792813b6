"""What no type says of a survey's words and questions in the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from livenps.errors import ConfigError
from surveys.personal import ALWAYS, fault
from surveys.phone import messages
from surveys.questions import COMMENT, GROUP, faults
from surveys.survey import Survey
from surveys.wording import ENGLISH, Words, filled, known, shipped, standard

# Names that questions cannot have, beside those of words: the page and its addresses use them.
RESERVED = frozenset({COMMENT, GROUP, "score"})
MANY_QUESTIONS = 5  # with the score


def check_words(survey: Survey, source: str, key: str) -> None:
    """Raise ConfigError, with its place below ``key``, for the first thing that nobody could be shown."""
    for place, message in faults(survey.questions, [*survey.scale.groups], RESERVED | {*standard(survey.metric)}):
        raise ConfigError(source, f"{key}.questions{place}", message)
    optional = {f"thanks_{group}": "" for group in survey.scale.groups}
    _check_texts(survey, survey.wording, {**survey.standard_words(ENGLISH), **optional}, source, f"{key}.wording")
    if not known(survey.language):
        raise ConfigError(source, f"{key}.language", f"expected a language, found {survey.language!r}")
    for language, words in survey.translations.items():
        place = f"{key}.translations.{language}"
        if not known(language) or language == survey.language:
            message = f"expected a language other than the survey's {survey.language!r}, found {language!r}"
            raise ConfigError(source, place, message)
        _check_texts(survey, words, survey.words(survey.language), source, place)
        # What stands beside a survey's own words has to say the same as they do.
        if missing := [word for word, text in survey.own_words.items() if text and word not in words]:
            message = f"expected all that the survey words itself, {missing[0]!r} is missing"
            raise ConfigError(source, place, message)
    _check_templates(survey, source, key)
    own = {"wording": survey.wording} | {f"translations.{code}": one for code, one in survey.translations.items()}
    for place, words in own.items():
        if "{link}" not in words.get("sms", "{link}"):
            raise ConfigError(
                source, f"{key}.{place}.sms", "expected {link} in it, where the survey's page is put in"
            )


def warnings(surveys: Sequence[Survey]) -> list[str]:
    """What can be used, and better be changed: where, and why."""
    found = []
    for number, survey in enumerate(surveys):
        group, most = max(survey.most_asked().items(), key=itemgetter(1))
        if most > MANY_QUESTIONS:
            found.append(
                f"surveys[{number}].questions: {survey.id} asks up to {most} questions ({group}); "
                f"after {MANY_QUESTIONS} many customers give up"
            )
        for language in survey.languages:
            own = survey.translations.get(language, survey.wording)
            english = [word for word in standard(survey.metric) if word not in own]
            if english and not shipped(language):
                found.append(f"surveys[{number}]: {survey.id} has no words in {language} for {', '.join(english)}")
    return found


def long_messages(surveys: Sequence[Survey], brand: str, link: str) -> list[str]:
    """Where a text message takes more than one, with such a link: each is paid for."""
    found = []
    for number, survey in enumerate(surveys):
        for language in survey.languages if "sms" in survey.channels else ():
            text = filled(survey.words(language)["sms"], brand=brand, link=link)
            if (parts := messages(text)) > 1:
                place = f"surveys[{number}]: the sms of {survey.id} in {language}"
                found.append(f"{place} takes {parts} messages, its {len(text)} characters with the link")
    return found


def _check_texts(survey: Survey, words: Words, expected: Words, source: str, key: str) -> None:
    for word, text in words.items():
        if word not in expected:
            message = f"unknown for {survey.metric}, expected some of {', '.join(expected)}"
            raise ConfigError(source, f"{key}.{word}", message)
        silent = word in survey.scale.groups and survey.wording.get(word) == ""  # no open question for them
        if not text.strip() and not silent:
            raise ConfigError(source, f"{key}.{word}", "expected words, found none")


def _check_templates(survey: Survey, source: str, key: str) -> None:
    if taken := next((name for name in survey.variables if name in ALWAYS), None):
        message = f"expected names other than {', '.join(ALWAYS)}, found {taken!r}"
        raise ConfigError(source, f"{key}.variables", message)
    texts = {f"wording.{word}": text for word, text in survey.wording.items()}
    for number, question in enumerate(survey.questions):
        texts[f"questions[{number}].text"] = question.text
        texts |= {f"questions[{number}].options.{id_}": text for id_, text in question.options.items()}
    for language, words in survey.translations.items():
        texts |= {f"translations.{language}.{word}": text for word, text in words.items()}
    for place, text in texts.items():
        if message := fault(text, survey.variables):
            raise ConfigError(source, f"{key}.{place}", message)
