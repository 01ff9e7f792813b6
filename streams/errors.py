"""The project's exceptions. Each knows whether trying again can help.

A permanent error of a record becomes a dead letter; a transient one waits and tries again.
"""

from __future__ import annotations


class LivenpsError(Exception):
    """The root of the tree."""

    retriable = False


class BadRecord(LivenpsError):
    """A record that no repetition will make readable. ``reason`` is a metric label, ``detail`` a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class TopicMismatch(LivenpsError):
    """A topic of the cluster that differs from the configuration in what cannot be changed."""


class BrokerUnavailable(LivenpsError):
    """Kafka does not answer, or not yet."""

    retriable = True


class PublishRefused(LivenpsError):
    """Kafka will never take these events from this producer; only a restart or an operator helps."""


class DeliveryUnknown(LivenpsError):
    """A survey that may or may not have arrived. It is not sent again: not asking beats asking twice."""


class DeliveryFailed(LivenpsError):
    """A survey that this channel will never deliver to this contact: no repetition helps."""


class DeliveryDelayed(LivenpsError):
    """A channel that does not take a survey now; it certainly sent nothing.

    With ``gateway_away`` it would have taken no other one either.
    """

    retriable = True

    def __init__(self, reason: str, *, gateway_away: bool = False) -> None:
        super().__init__(reason)
        self.gateway_away = gateway_away
