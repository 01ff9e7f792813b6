"""Sticky sampling: the same person gets the same draw for a whole period, at a rate that is set or steered.

A steered rate shall bring each segment as many answers in a period as its score needs for a wanted margin of
error: small segments are asked at a high rate, large ones at a low rate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Annotated

from msgspec import Meta, Struct

from scoring.intervals import Z95
from scoring.moments import NONE, Moments
from scoring.scales import Scale
from streams.times import DAY, Duration

PERIOD = 90 * DAY
LEAST = 1e-6  # of all rates but 0: an answer weighs one over the rate at which its customer was asked

# What is supposed before there is evidence, and how many answers, or invitations, that counts as.
RESPONSE, INVITATIONS = 0.2, 20
ANSWERS = 10  # of the largest variance that there can be
MEMORY = 0.25  # of a period, which the one before counts as in what is expected of this one
INSTANT = 1e-6  # of a period that has just begun


class Sampling(Struct, frozen=True, forbid_unknown_fields=True):
    """In each period each segment of a dimension, or the survey as a whole, shall reach a margin of error."""

    margin: Annotated[float, Meta(gt=0)]  # half of the 95 % interval, in points of the survey's scale
    dimension: str = ""
    period: Duration = Duration(30 * DAY)
    at_least: Annotated[float, Meta(ge=0.001, le=1)] = 0.01  # the lowest rate


@dataclass(frozen=True, slots=True)
class Counts:
    """Of a segment in one period: customers who could be asked, invitations, answers, and the answers' values."""

    eligible: int = 0
    drawn: int = 0
    answered: int = 0
    values: Moments = field(default=NONE)


def sampled(customer_id: str, survey_id: str, rate: float, now: int, period: int = PERIOD) -> bool:
    """Whether this customer is in the sample of this survey in the period around ``now`` (ms).

    Drawing again at every trigger would turn 1 % into 100 % for who comes often; so the draw is a hash of
    customer, survey and period. A rate that rises adds customers.
    """
    if rate >= 1:
        return True
    digest = blake2b(f"{now // period}\0{survey_id}\0{customer_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < rate * 2**64


def wanted(sampling: Sampling, scale: Scale, values: Moments) -> float:
    """How many answers make half of the 95 % interval as small as the margin: n = z^2 v / m^2.

    The variance v is that of the answers so far and of some with the largest there can be: at first it is
    conservative.
    """
    largest = ((scale.values[-1] - scale.values[0]) / 2) ** 2
    known = values.n * values.variance if values.n else 0.0
    variance = (ANSWERS * largest + known) / (ANSWERS + values.n)
    return (Z95 * scale.unit / sampling.margin) ** 2 * variance


def rate(sampling: Sampling, scale: Scale, now: Counts, before: Counts, elapsed: float, parts: int = 1) -> float:
    """At which rate customers of a segment are asked, from ``at_least`` to 1.

    ``now`` is this period, of which a share ``elapsed`` is over, ``before`` the last one, of one of ``parts`` that
    together shall have the answers wanted. The invitations still needed are held against the customers still
    expected; where none was ever met, nobody knows whether few or many will come, and the rate is the lowest.
    """
    if not (now.eligible or before.eligible):
        return sampling.at_least
    values = now.values + before.values
    answered, drawn = now.answered + before.answered, now.drawn + before.drawn
    response = min(1.0, (answered + RESPONSE * INVITATIONS) / (drawn + INVITATIONS))
    coming = max(now.answered, now.drawn * response)
    needed = (wanted(sampling, scale, values) / parts - coming) / response
    memory = MEMORY if before.eligible else 0.0
    met = (now.eligible + memory * before.eligible) / max(elapsed + memory, INSTANT)
    return min(1.0, max(sampling.at_least, needed / (met * (1 - elapsed))))
