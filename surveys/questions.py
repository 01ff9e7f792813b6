"""Further questions of a survey: what can be answered to each, and which are asked after which answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct, field

from scoring.scales import SCALES, Metric, Scale
from streams.events import AnswerValue

COMMENT = "comment"  # the open question worded for the group of the score
GROUP = "group"
RATINGS = range(1, 6)  # of a driver: 1 (poor) to 5 (excellent)
MAX_TEXT = 2_000

QuestionId = Annotated[
    str,
    Meta(
        pattern="^[a-z0-9][a-z0-9_-]{0,63}$", description="lower-case letters, digits, - and _, up to 64 of them"
    ),
]
Wording = Annotated[str, Meta(min_length=1, max_length=500)]
Kind = Literal["rating", "single", "multiple", "text"] | Metric
Values = Callable[[str], Sequence[str]]  # what a form has of a field


# How many options a question may have.
_OPTIONS = {"single": (2, 50), "multiple": (2, 50), "rating": (1, 10), "text": (0, 0)}
_OPTIONS |= dict.fromkeys(get_args(Metric), (0, 0))


class InvalidAnswer(ValueError):
    """Something that the page did not offer."""


class Question(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One further question. ``options`` are what can be chosen, or what is rated, by their ids.

    ``when`` names what has to be answered for it to be asked: some of the groups of the score (``group``), of the
    options of an earlier question, or of the ratings of one of its items (``question.item``). All have to hold.
    One whose kind is a metric is a score of its own: its answer counts as one to ``survey``.
    """

    id: QuestionId
    kind: Kind
    text: Wording
    options: dict[QuestionId, Wording] = field(default_factory=dict)
    when: dict[str, list[str | int]] = field(default_factory=dict)
    survey: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError where there is nothing to choose from or to rate, or nowhere that a score counts."""
        least, most = _OPTIONS[self.kind]
        if not least <= len(self.options) <= most:
            expected = f"{least} to {most} options" if most else "no options"
            raise ValueError(f"Expected {expected} of a {self.kind} question")
        if self.scale and not self.survey:
            raise ValueError(f"Expected the survey that the answer to a {self.kind} question counts in")
        if self.survey and not self.scale:
            raise ValueError(f"Expected no survey of a {self.kind} question")

    @property
    def scale(self) -> Scale | None:
        return SCALES.get(self.kind)

    @property
    def keys(self) -> Mapping[str, Sequence[str | int]]:
        """The keys of its answers, and what can be chosen; words can be anything."""
        match self.kind:
            case "rating":
                return {f"{self.id}.{item}": RATINGS for item in self.options}
            case "single" | "multiple":
                return {self.id: [*self.options]}
            case _:
                return {self.id: self.scale.scores if self.scale else ()}

    @property
    def words(self) -> list[tuple[str, str]]:
        """What the customer reads: its text, and those of its options."""
        return [(self.id, self.text), *((f"{self.id}.{option}", text) for option, text in self.options.items())]

    def read(self, values: Values) -> dict[str, AnswerValue]:
        """The answers that a form holds, by their keys; no answer is no key. Raises InvalidAnswer."""
        read = {key: self._read(values(key), allowed) for key, allowed in self.keys.items()}
        return {key: value for key, value in read.items() if value not in (None, "", [])}

    def replaced(self, given: Mapping[str, AnswerValue]) -> dict[str, AnswerValue]:
        """What an answer takes the place of: of all that was said before, but a score is only changed."""
        return {**({} if self.scale else dict.fromkeys(self.keys)), **given}

    def _read(self, given: Sequence[str], allowed: Sequence[str | int]) -> AnswerValue:
        if self.kind == "text":
            # Browsers count a line break as one character, and send two.
            return "\n".join(given).replace("\r\n", "\n").strip()[:MAX_TEXT]
        offered = {str(one): one for one in allowed}
        if any(one not in offered for one in given) or (len(given) > 1 and self.kind != "multiple"):
            raise InvalidAnswer(self.id)
        if self.kind == "multiple":
            return [id_ for id_ in self.options if id_ in given]
        return offered[given[0]] if given else None

    def follows(self, group: str, answers: Mapping[str, AnswerValue]) -> bool:
        """Whether it is asked after these answers."""
        given = {**answers, GROUP: group}
        return all(_any(given.get(key), wanted) for key, wanted in self.when.items())


def _any(given: AnswerValue, wanted: Sequence[str | int]) -> bool:
    return any(one in wanted for one in (given if isinstance(given, list) else [given]))


def asked(
    questions: Sequence[Question], group: str, answers: Mapping[str, AnswerValue]
) -> Iterator[tuple[Question, dict[str, AnswerValue]]]:
    """The questions that are asked after the answers so far, each with its own.

    An answer to what is no longer asked, because an earlier one was changed, is left out, also from what follows.
    """
    valid: dict[str, AnswerValue] = {}
    for question in questions:
        if question.follows(group, valid):
            own = {key: answers[key] for key in question.keys if key in answers}
            valid |= own
            yield question, own


def most_asked(questions: Sequence[Question], group: str) -> int:
    """How many questions somebody of a group may be asked, whatever they answer."""
    return sum(group in question.when.get(GROUP, [group]) for question in questions)


def faults(
    questions: Sequence[Question], groups: Sequence[str], reserved: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """What is wrong with the questions of a survey: where, and what was expected."""
    known: dict[str, Sequence[str | int]] = {GROUP: groups}
    seen: set[str] = set()
    for number, question in enumerate(questions):
        if question.id in seen or question.id in reserved:
            yield f"[{number}].id", f"expected a new id, found {question.id!r}, which is taken"
        for key, wanted in question.when.items():
            place = f"[{number}].when.{key}"
            choices = known.get(key)
            if choices is None:
                yield (
                    place,
                    f"expected group or an earlier question with options ({', '.join(known)}), found {key!r}",
                )
            elif not wanted or any(one not in choices for one in wanted):
                yield place, f"expected some of {', '.join(map(str, choices))}, found {wanted!r}"
        seen.add(question.id)
        known |= {key: choices for key, choices in question.keys.items() if choices}
