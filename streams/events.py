"""The events on the topics: what each type carries, and nothing else.

Every type is a versioned Struct with a JSON Schema (``livenps schema``). ``version`` is the major version:
fields may be added within one, unknown fields are tolerated, an unknown major version is refused.
Times are RFC 3339 or Unix seconds. Texts are bounded, because an event is input from outside.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Label = Annotated[str, Meta(max_length=200)]
Text = Annotated[str, Meta(max_length=10_000)]
Scalar = Label | int | float | bool | None
Attributes = Annotated[dict[Name, Scalar], Meta(max_length=100)]
# What was answered to a further question: a rating, an option's id, several of them, or words.
AnswerValue = (
    Annotated[str, Meta(max_length=2_000)] | int | float | bool | Annotated[list[Id], Meta(max_length=50)] | None
)
Answers = Annotated[dict[Name, AnswerValue], Meta(max_length=100)]
Time = Annotated[datetime, Meta(tz=True)] | float
Score = Annotated[
    int, Meta(ge=0, le=10, description="on its survey's scale: NPS 0-10, CSAT 1-5, CES 1-7; more is better")
]
Weight = Annotated[
    float,
    Meta(ge=1, le=1e9, description="how many customers this one stands for: one over the rate of the sample"),
]
Times = Annotated[dict[Name, Time], Meta(max_length=100)]
Version = Literal[1]

Decision = Literal["asked", "scheduled", "not_asked", "reminded", "not_reminded"]
SENT_OFF: frozenset[Decision] = frozenset(("asked", "reminded"))
Channel = Literal["mail", "sms", "webhook", "web", "link", "log"]
Outcome = Literal["attempted", "delayed", "sent", "failed", "unknown"]


class Event(Struct, kw_only=True, omit_defaults=True, tag_field="type", gc=False):
    """What all events share. ``type`` names the event's type, ``version`` its major version."""

    version: Version = 1


class Contact(Struct, kw_only=True, omit_defaults=True, gc=False):
    """How a customer can be reached, and what is known of them. Missing fields leave what is known.

    ``channel`` is the one that the customer prefers, ``consent`` what they said, by channel.
    """

    email: Label | None = None
    phone: Label | None = None
    name: Label | None = None
    locale: Label | None = None
    timezone: Label | None = None
    account_id: Label | None = None  # of the company that a business customer belongs to
    role: Label | None = None  # there: such as decision_maker, or user
    channel: Channel | None = None
    consent: dict[Channel, bool] = field(default_factory=dict)
    attributes: Attributes = field(default_factory=dict)

    @property
    def traits(self) -> dict[str, Scalar]:
        """What scores are split by, and conditions and words may use: attributes, account and role."""
        if not (self.account_id or self.role):
            return self.attributes
        own = {"account_id": self.account_id, "role": self.role}
        return {**self.attributes, **{name: value for name, value in own.items() if value}}


# touchpoints: whatever concerns one customer, keyed by customer_id


class Touchpoint(Event, tag="touchpoint"):
    """Something happened between a customer and the product: an order was delivered, a ticket solved."""

    event_id: Id
    event: Name
    customer_id: Id
    occurred_at: Time
    properties: Attributes = field(default_factory=dict)
    contact: Contact | None = None


class Identify(Event, tag="identify"):
    """What is newly known of a customer, without an occasion to ask."""

    event_id: Id
    customer_id: Id
    occurred_at: Time
    contact: Contact


class Answered(Event, tag="answered"):
    """A customer answered a survey for the first time; the answer itself is on ``survey.responses``.

    ``segments`` are those that the answer counts in, by dimension; ``score`` is the first version's.
    """

    event_id: Annotated[str, Meta(min_length=1, max_length=220)]  # made of a response id
    customer_id: Id
    survey_id: Id
    occurred_at: Time
    segments: Annotated[dict[Name, str], Meta(max_length=100)] = field(default_factory=dict)
    score: Score | None = None


class Declined(Event, tag="declined"):
    """A customer declined one invitation."""

    event_id: Id
    customer_id: Id
    survey_id: Id
    occurred_at: Time


class Unsubscribed(Event, tag="unsubscribed"):
    """A customer does not want to be asked again, by any survey."""

    event_id: Id
    customer_id: Id
    occurred_at: Time


class Bounced(Event, tag="bounced"):
    """Mail to this address comes back; a new address in a contact lifts it."""

    event_id: Id
    customer_id: Id
    occurred_at: Time
    email: Label


class Ask(Event, tag="ask"):
    """Ask this customer this survey, on somebody's word or a schedule; every limit still holds."""

    event_id: Id
    customer_id: Id
    survey_id: Id
    occurred_at: Time


class Merge(Event, tag="merge"):
    """This customer id, such as a visitor's, is the same person as ``into``: from here on that one counts."""

    event_id: Id
    customer_id: Id
    into: Id
    occurred_at: Time


class Merged(Event, tag="merged"):
    """What a merged id leaves to the one that it is merged into; returned by the customer lane.

    ``path`` are the ids that it comes from and went through.
    """

    event_id: Id
    customer_id: Id
    occurred_at: Time
    path: Annotated[list[Id], Meta(min_length=1, max_length=100)]
    contact: Contact = field(default_factory=Contact)
    unsubscribed: bool = False
    bounced: Label = ""
    asked: Times = field(default_factory=dict)  # when, by survey
    recent: Times = field(default_factory=dict)  # when, by request
    answered: Times = field(default_factory=dict)
    declined: Times = field(default_factory=dict)
    merged: Times = field(default_factory=dict)  # when, by customer id


CustomerEvent = Touchpoint | Identify | Answered | Declined | Unsubscribed | Bounced | Ask | Merge | Merged


# what the customer lane returns


class SurveyRequest(Event, tag="survey_request"):
    """Who is to be asked what and where. ``state`` is ``due`` when delivery may send it.

    ``reminds`` is the request of the invitation that a reminder repeats; it was sent at ``decided_at``.
    Where the channel fails for good the first of ``fallback`` is tried, by a request of the same id; ``tried`` are
    those that failed.
    """

    request_id: Id
    survey_id: Id
    customer_id: Id
    channel: Channel
    state: Literal["scheduled", "due", "cancelled"]
    decided_at: Time
    due_at: Time
    contact: Contact
    properties: Attributes = field(default_factory=dict)
    weight: Weight = 1.0
    reminds: Id | None = None
    fallback: list[Channel] = field(default_factory=list)
    tried: list[Channel] = field(default_factory=list)


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one survey decided about one touchpoint, and the rule that said so.

    ``channels`` are in the order in which they are tried; ``remind_at`` is when the one reminder is due.
    """

    survey_id: Id
    decision: Decision
    reason: Name
    request_id: Id | None = None
    due_at: Time | None = None
    weight: Weight = 1.0
    remind_at: Time | None = None
    channels: tuple[Channel, ...] = ()


class DecisionRecord(Event, tag="decision"):
    """One for every touchpoint, with a verdict per survey.

    One more, with ``settles``, for each scheduled one and each reminder.
    """

    decision_id: Id
    customer_id: Id
    event_id: Id
    event: Name
    decided_at: Time
    verdicts: list[Verdict]
    settles: Id | None = None


class ContactRecord(Event, tag="contact"):
    """The newest of what is known of a customer; the topic is compacted.

    Who was asked what it tells only where ids were merged: else the requests do.
    """

    customer_id: Id
    updated_at: Time
    contact: Contact
    older: dict[Annotated[str, Meta(max_length=220)], Time] = field(
        default_factory=dict
    )  # fields told before that
    unsubscribed: bool = False
    bounced: Label = ""
    answered: dict[Name, Time] = field(default_factory=dict)  # when, by survey
    declined: dict[Name, Time] = field(default_factory=dict)
    asked: Times = field(default_factory=dict)
    recent: Times = field(default_factory=dict)  # when, by request
    merged: Times = field(default_factory=dict)  # ids that were merged into this one, and when
    merged_into: Label = ""
    merged_at: Time | None = None


# delivery


class Attempt(Event, tag="attempt"):
    """Written before each try to send a survey (``attempted``) and after: the memory of who was asked.

    ``delayed`` is a try that certainly sent nothing, after which there is another one.
    """

    request_id: Id
    survey_id: Id
    customer_id: Id
    channel: Channel
    outcome: Outcome
    at: Time
    reason: Label = ""
    reminds: Id | None = None  # as in the request


# survey.responses, keyed by response_id


class Response(Event, tag="response"):
    """One version of one answer, complete: all the customer said so far. The newest version counts.

    ``answers`` are those to further questions, by question id, of ratings by ``question.item``.
    """

    response_id: Id
    survey_id: Id
    score: Score
    customer_id: Id | None = None
    comment: Text = ""
    answers: Answers = field(default_factory=dict)
    attributes: Attributes = field(default_factory=dict)
    answered_at: Time | None = None
    updated_at: Time | None = None
    channel: Label = ""
    weight: Weight = 1.0


# incentives, keyed by customer_id


class Claim(Event, tag="incentive_claim"):
    """A customer has finished a survey that thanks with a code."""

    response_id: Id
    survey_id: Id
    customer_id: Id


class Grant(Event, tag="incentive_grant"):
    """The code that a claim was given. It is shown once this stands on the log."""

    response_id: Id
    survey_id: Id
    customer_id: Id
    code: Name
    at: Time


# what is watched, and what follows


class Increment(Event, kw_only=True, tag="increment"):
    """Answers of one watched series that one batch accepted first, in order: steps of the drop detector.

    ``source`` (topic and partition) and ``offsets`` tell a repeat.
    """

    survey_id: Id
    dimension: Label = ""
    segment: Label = ""
    source: Annotated[str, Meta(min_length=1, max_length=300)]
    scores: Annotated[list[Score], Meta(max_length=10_000)]
    offsets: Annotated[list[int], Meta(max_length=10_000)]


class Baseline(Event, kw_only=True, tag="baseline"):
    """What a watched series is held against: some answers, with who set it, when and why.

    ``answers`` are counts by score, as many as come in ``days``; ``covered_days`` lie between the oldest and the
    newest of them, where that is told apart. No answers: the baseline is forgotten, and learned anew.
    """

    survey_id: Id
    dimension: Label = ""
    segment: Label = ""
    answers: Annotated[list[Annotated[int, Meta(ge=0)]], Meta(max_length=11)] = field(default_factory=list)
    days: Annotated[float, Meta(gt=0, le=36_500)] = 1.0
    covered_days: Annotated[float, Meta(gt=0, le=36_500)] | None = None
    set_at: Time
    set_by: Label
    reason: Annotated[str, Meta(min_length=1, max_length=1_000)]


class FollowUp(Event, kw_only=True, tag="follow_up"):
    """Something to do because of an answer: call back an unhappy customer, thank a happy one."""

    response_id: Id
    survey_id: Id
    customer_id: Id | None = None
    action: Name
    at: Time


class SegmentChange(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Points that a segment adds to the change of its survey's score, by its own score and by its share."""

    dimension: Label
    segment: Label
    within: float
    mix: float
    score: float | None = None
    n: Annotated[int, Meta(ge=0)] = 0


class Remark(Struct, frozen=True, kw_only=True, gc=False):
    """What a customer wrote, with the score."""

    response_id: Id
    score: int
    comment: Text
    answered_at: Time


class Explanation(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What was known when an alert fired: the score of a window, what it was before in a longer one, and why.

    ``segments``: those first whose scores changed it most. ``mix_moved``: dimensions whose shares changed it more.
    """

    metric: Label = "nps"
    as_of: Time
    window: Name
    score: float | None
    n: Annotated[int, Meta(ge=0)]
    reference_window: Name
    reference: float | None
    segments: Annotated[list[SegmentChange], Meta(max_length=20)] = field(default_factory=list)
    mix_moved: Annotated[list[Label], Meta(max_length=100)] = field(default_factory=list)
    comments: Annotated[list[Remark], Meta(max_length=20)] = field(default_factory=list)


class Alert(Event, tag="alert"):
    """An alert that fired or was resolved, with Alertmanager's labels and annotations."""

    alert_id: Id
    status: Literal["firing", "resolved"]
    labels: Annotated[dict[Name, Text], Meta(max_length=100)]
    annotations: Annotated[dict[Name, Text], Meta(max_length=100)]
    starts_at: Time
    ends_at: Time | None = None
    explanation: Explanation | None = None


class Marker(Event, tag="marker"):
    """Something that people did and scores may follow: a release, a campaign, a new price."""

    marker_id: Id
    title: Name
    at: Time
    survey_id: Id | None = None  # None: all of them
    url: Annotated[str, Meta(max_length=1_000, pattern="^(https?://|$)")] = ""


# dead-letters


class DeadLetter(Event, tag="dead_letter"):
    """A record that could not be processed, with where it stood and why. Bytes are Base64.

    ``payload`` is the beginning of a value of ``size`` bytes; ``headers`` are those that say how to read it.
    """

    topic: Name
    partition: int
    offset: int
    reason: Name
    detail: Text
    payload: bytes
    at: Time
    key: bytes = b""
    headers: Annotated[dict[Name, bytes], Meta(max_length=20)] = field(default_factory=dict)
    size: Annotated[int, Meta(ge=0)] | None = None  # None in letters from before it was kept


class Replayed(Event, tag="replayed"):
    """A dead letter's record is put back on its topic: written before, and after with its new ``offset``."""

    letter: Annotated[str, Meta(min_length=1, max_length=300)]  # topic:partition:offset
    at: Time
    offset: int | None = None


CUSTOMER_EVENTS: tuple[type[Event], ...] = (
    Touchpoint,
    Identify,
    Answered,
    Declined,
    Unsubscribed,
    Bounced,
    Ask,
    Merge,
    Merged,
)
EVENTS: tuple[type[Event], ...] = (
    *CUSTOMER_EVENTS,
    SurveyRequest,
    DecisionRecord,
    ContactRecord,
    Attempt,
    Response,
    Claim,
    Grant,
    Increment,
    Baseline,
    FollowUp,
    Alert,
    Marker,
    DeadLetter,
    Replayed,
)


def tag(kind: type[Event]) -> str:
    """The value of ``type`` that marks an event of this kind."""
    return str(kind.__struct_config__.tag)


def encode(event: Event) -> bytes:
    """One event as it stands on a topic."""
    return _encoder.encode(event)


def schema(kind: type[Event]) -> dict[str, object]:
    """The JSON Schema (2020-12) of one event type."""
    body: dict[str, object] = msgspec.json.schema(kind)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": tag(kind), **body}


_encoder = msgspec.json.Encoder()
