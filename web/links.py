"""Signed survey links. The token carries a request id and when it was signed, and nothing personal."""

from __future__ import annotations

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from streams.errors import LivenpsError
from streams.times import SECOND


class BadLink(LivenpsError):
    """A link that nobody here signed."""


class ExpiredLink(BadLink):
    """A link that was signed too long ago."""


class Links:
    """Makes and reads links; ``valid`` is in ms."""

    def __init__(self, secret: str, public_url: str, valid: int) -> None:
        self._url = public_url.rstrip("/")
        self._valid = valid // SECOND
        self._tokens = URLSafeTimedSerializer(secret, salt="survey-link")

    def link(self, request_id: str) -> str:
        return f"{self._url}/s/{self.token(request_id)}"

    def token(self, request_id: str) -> str:
        """What leads to a request: the last part of its link."""
        return str(self._tokens.dumps(request_id))

    def request_id(self, token: str, *, whenever: bool = False) -> str:
        """Raises BadLink, or ExpiredLink unless it may have been signed ``whenever``."""
        try:
            return str(self._tokens.loads(token, max_age=None if whenever else self._valid))
        except SignatureExpired as error:
            raise ExpiredLink("the link has expired") from error
        except BadSignature as error:
            raise BadLink("the link is not valid") from error
