"""Signed survey links. The token carries a request id and when it was signed, and nothing personal."""

from __future__ import annotations

from dataclasses import dataclass

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from streams.errors import LivenpsError
from streams.times import SECOND


class BadLink(LivenpsError):
    """A link that nobody here signed."""


class ExpiredLink(BadLink):
    """A link that was signed too long ago."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the comment page has to carry of the answer just given. ``answered_at`` in ms."""

    request_id: str
    score: int
    answered_at: int


class Links:
    """Makes and reads links and receipts; ``valid`` is in ms."""

    def __init__(self, secret: str, public_url: str, valid: int) -> None:
        self._url = public_url.rstrip("/")
        self._valid = valid // SECOND
        self._tokens = URLSafeTimedSerializer(secret, salt="survey-link")
        self._receipts = URLSafeTimedSerializer(secret, salt="receipt")

    def link(self, request_id: str) -> str:
        return f"{self._url}/s/{self._tokens.dumps(request_id)}"

    def request_id(self, token: str) -> str:
        """Raises BadLink or ExpiredLink."""
        return str(self._read(self._tokens, token))

    def receipt(self, receipt: Receipt) -> str:
        return str(self._receipts.dumps([receipt.request_id, receipt.score, receipt.answered_at]))

    def read_receipt(self, text: str) -> Receipt:
        """Raises BadLink or ExpiredLink."""
        return Receipt(*self._read(self._receipts, text))  # type: ignore[misc]

    def _read(self, serializer: URLSafeTimedSerializer, text: str) -> object:
        try:
            value: object = serializer.loads(text, max_age=self._valid)
        except SignatureExpired as error:
            raise ExpiredLink("the link has expired") from error
        except BadSignature as error:
            raise BadLink("the link is not valid") from error
        return value
