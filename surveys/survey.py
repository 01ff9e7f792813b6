"""A survey as a product manager writes it in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import chain
from math import isfinite
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from scoring.scales import SCALES, Metric, Scale
from streams.events import AnswerValue, Channel, Id, Name, Scalar
from streams.times import DAY, Duration
from surveys.hours import Sending
from surveys.questions import COMMENT, Question, asked, most_asked
from surveys.regex import compiled
from surveys.sampling import PERIOD, Sampling
from surveys.wording import ENGLISH, Words, standard

OPEN = Question(id=COMMENT, kind="text", text=COMMENT)  # worded by the group of the score
Worded = Annotated[str, Meta(max_length=2_000)]  # a template over the survey's variables
Language = Annotated[
    str, Meta(pattern="^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", description="a language such as de, or pt-BR")
]

_DOMAIN = r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"
ENDS = ("low", "high")  # what the ends of a scale mean
MOST = 20  # asks of a customer that are remembered one by one
PerDay = Annotated[int, Meta(ge=0, le=10_000_000)]

Operator = Literal[
    "exact",
    "is_not",
    "icontains",
    "not_icontains",
    "regex",
    "not_regex",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "is_set",
    "is_not_set",
]


def number(value: object) -> float | None:
    """The finite number that a value is or, as a text, stands for."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, str) and "_" in value:  # Python reads 1_000, nobody else does
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


class Filter(Struct, frozen=True, forbid_unknown_fields=True):
    """One condition on a property of the touchpoint; all conditions of a survey have to hold."""

    property: Name
    op: Operator = "exact"
    value: Scalar | list[Scalar] = None

    def __post_init__(self) -> None:
        """Raise ValueError where the value cannot be compared with: such a filter would silently match nothing."""
        if self.op in ("gt", "gte", "lt", "lte") and number(self.value) is None:
            raise ValueError(f"Expected a number as value of {self.op!r}")
        if self.op in ("is_set", "is_not_set"):
            expected, fits = "no value", self.value is None
        elif self.op == "in":
            expected, fits = "a list", isinstance(self.value, list)
        else:
            expected, fits = "one value", self.value is not None and not isinstance(self.value, list)
        if not fits:
            raise ValueError(f"Expected {expected} as value of {self.op!r}")
        if self.op in ("regex", "not_regex"):
            compiled(str(self.value))


class Incentive(Struct, frozen=True, forbid_unknown_fields=True):
    """What a finished answer is thanked with: ``codes`` is a file with one on each line."""

    codes: Annotated[str, Meta(min_length=1)]
    period: Duration = Duration(365 * DAY)  # who was given a code gets no other one in this time


class Exclude(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is never asked. A contact is excluded where its attributes meet any of the conditions."""

    customers: list[Id] = field(default_factory=list)
    domains: list[Annotated[str, Meta(pattern=_DOMAIN, description="a domain such as example.com")]] = field(
        default_factory=list
    )
    where: list[Filter] = field(default_factory=list)
    suppression_list: str | None = None  # a file: customer ids and mail addresses, one a line


class Quiet(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long a customer is left alone after a survey was sent, and after what came of it."""

    quiet_period: Duration
    after_answer: Duration = Duration(0)
    after_decline: Duration = Duration(0)
    after_ignored: Duration = Duration(0)  # neither answered nor declined since it was sent

    @property
    def minds_outcomes(self) -> bool:
        return bool(self.after_answer or self.after_decline or self.after_ignored)


class Asking(Quiet, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What holds over all surveys."""

    quiet_period: Duration = Duration(7 * DAY)
    at_most: Annotated[int, Meta(ge=0, le=MOST)] = (
        0  # surveys of one customer in ``at_most_in``; 0: as many as may be
    )
    at_most_in: Duration = Duration(90 * DAY)
    per_day: PerDay = 0  # invitations that are sent off in one calendar day; 0: as many as may be
    min_account_age: Duration = Duration(0)
    account_since: Name = "created_at"  # the contact's attribute that says since when there is an account
    sending: Sending | None = None
    opt_in: list[Channel] = field(default_factory=lambda: ["sms"])  # that nobody is asked by without a yes
    exclude: Exclude = field(default_factory=Exclude)


class Survey(Quiet, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is asked, when, and where. Durations are milliseconds here, ``"30d"`` in the file."""

    id: Annotated[
        str,
        Meta(
            pattern="^[a-z0-9][a-z0-9_-]{0,63}$",
            description="lower-case letters, digits, - and _, up to 64 of them",
        ),
    ]
    title: Name = ""
    metric: Metric = "nps"
    trigger: Name | None = None
    where: list[Filter] = field(default_factory=list)
    cancel: list[Name] = field(default_factory=list)  # events that end a scheduled ask
    every: Duration = Duration(0)  # asks everybody who is known, so long after the last time; 0: by events only
    starts: date | None = None  # when the first round of ``every`` begins
    max_age: Duration = Duration(DAY)
    delay: Duration = Duration(0)
    reminder: Duration = Duration(0)  # so long after it was sent; 0: none
    quiet_period: Duration = Duration(30 * DAY)
    defer: Duration = Duration(0)  # how long an ask that a limit forbids waits for its end; 0: it is dropped
    sending: Sending | None = None  # in place of the one over all surveys
    sample: Annotated[float, Meta(ge=0, le=1)] = 1.0
    sampling: Sampling | None = None  # in place of ``sample``: a rate for each segment, steered by the answers
    per_day: PerDay = 0  # invitations of this survey in one calendar day; 0: as many as may be
    channel: Channel | Annotated[list[Channel], Meta(min_length=1)] = "log"  # several: in their order
    webhook_url: (
        Annotated[str, Meta(pattern="^https?://", description="an address such as https://example.com/surveys")]
        | None
    ) = None
    team: Id = "support"
    target: float | None = None  # in the scale's points; a score below it is worth a ticket
    language: Language = ENGLISH  # of the wording and the questions
    wording: dict[str, Worded] = field(default_factory=dict)  # in place of the standard words
    translations: dict[Language, dict[str, Worded]] = field(default_factory=dict)  # of both, by language
    variables: list[
        Annotated[
            str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$", description="a name of letters, digits and _")
        ]
    ] = field(default_factory=list)
    questions: Annotated[list[Question], Meta(max_length=20)] = field(default_factory=list)  # after the score
    incentive: Incentive | None = None

    @property
    def channels(self) -> list[Channel]:
        return self.channel if isinstance(self.channel, list) else [self.channel]

    @property
    def name(self) -> str:
        return self.title or self.id

    @property
    def sample_period(self) -> int:
        """For how long (ms) a customer is in the sample or not."""
        return self.sampling.period if self.sampling else PERIOD

    @property
    def scale(self) -> Scale:
        return SCALES[self.metric]

    @property
    def languages(self) -> list[str]:
        """Those that the survey speaks, its own first."""
        return [self.language, *self.translations]

    @property
    def own_words(self) -> Words:
        """What it words itself, of its questions by ``question`` and ``question.option``."""
        return {**self.wording, **dict(chain.from_iterable(question.words for question in self.questions))}

    def standard_words(self, language: str) -> Words:
        """What it says where it words nothing itself; ``question.low`` and ``.high`` are of further scores."""
        scored = [(one.id, one.scale.name) for one in self.questions if one.scale]
        ends = {f"{id_}.{end}": standard(metric, language)[end] for id_, metric in scored for end in ENDS}
        return {**standard(self.metric, language), **ends}

    def words(self, language: str) -> Words:
        """All that the customer reads in one of its languages, with an open question by group."""
        return {**self.standard_words(language), **self.own_words, **self.translations.get(language, {})}

    def further(
        self, score: int, answers: Mapping[str, AnswerValue]
    ) -> list[tuple[Question, dict[str, AnswerValue]]]:
        """What is asked after a score, in this order, each with its answers so far: first the open question."""
        group = self.scale.group(score)
        opening = [OPEN] if self._opens(group) else []
        return [*asked([*opening, *self.questions], group, answers)]

    def most_asked(self) -> dict[str, int]:
        """How many questions the customers of each group may be asked."""
        return {group: 1 + self._opens(group) + most_asked(self.questions, group) for group in self.scale.groups}

    def _opens(self, group: str) -> bool:
        """Whether the customers of a group get an open question."""
        return self.wording.get(group) != ""
