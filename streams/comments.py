"""The comments lane's rule: a projection of the newest answers with words, for people to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import Struct

from scoring.scales import Scale
from scoring.segments import Dimensions
from streams.events import Event, Response, Time
from streams.store import Batch, Plan, misdated
from streams.times import rfc3339, to_ms


class Comment(Struct, frozen=True):
    """One answer with words, as pages show it."""

    response_id: str
    survey: str
    score: int
    group: str
    comment: str
    answered_at: str
    segments: dict[str, str]


class Kept(NamedTuple):
    """One version of one answer: ``version`` and ``at`` (answered) in ms; no comment where it has no words."""

    version: int
    at: int
    comment: Comment | None


@dataclass(slots=True)
class CommentsPlan(Plan):
    """Per response id the newest version of a batch."""

    comments: dict[str, Kept] = field(default_factory=dict)


class KeepComments:
    """Pure: the newest version of each answer of a batch."""

    types = (Response,)
    max_records = 2_000

    def __init__(self, scales: Mapping[str, Scale], dimensions: Dimensions) -> None:
        self._scales = scales
        self._dimensions = dimensions

    def key(self, event: Event) -> str:
        return event.response_id  # type: ignore[attr-defined, no-any-return]

    def decide(self, batch: Batch, known: None, now: int) -> CommentsPlan:
        plan = CommentsPlan()
        # The answers lane reads the same records: it writes their dead letters and forwards them.
        batch.letters.clear()
        batch.misplaced.clear()
        for item in batch.items:
            response: Response = item.event  # type: ignore[assignment]
            scale = self._scales.get(response.survey_id)
            if scale is None or response.score not in scale.scores or misdated(item, now):
                continue
            at = min(_time(response.answered_at, item.timestamp), item.timestamp)
            kept = Kept(_time(response.updated_at, item.timestamp), at, self._comment(response, scale, at))
            before = plan.comments.get(response.response_id)
            if before is None or kept.version >= before.version:
                plan.comments[response.response_id] = kept
        return plan

    def _comment(self, response: Response, scale: Scale, at: int) -> Comment | None:
        if not response.comment.strip():
            return None
        return Comment(
            response_id=response.response_id,
            survey=response.survey_id,
            score=response.score,
            group=scale.group(response.score),
            comment=response.comment,
            answered_at=rfc3339(at),
            segments=self._dimensions.segments(response.attributes),
        )


def _time(time: Time | None, timestamp: int) -> int:
    try:
        return timestamp if time is None else to_ms(time)
    except (ValueError, OverflowError):
        return timestamp
