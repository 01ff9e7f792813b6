"""What stops an import; a row that cannot be used is a Refusal and stops nothing."""

from __future__ import annotations

from streams.errors import LivenpsError


class BadSource(LivenpsError):
    """A file that cannot be read as asked, or columns that it does not have."""


class SendFailed(LivenpsError):
    """The collector or Kafka does not take answers; the message says what to do."""
