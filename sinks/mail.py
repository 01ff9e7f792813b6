"""Mail by SMTP: text and HTML, with the personal link."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import policy
from email.header import Header
from email.headerregistry import HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import Policy
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote, urlsplit

import aiosmtplib
from jinja2 import Environment, PackageLoader, select_autoescape

from sinks.address import usable
from streams.delivery import Invitation
from streams.errors import DeliveryDelayed, DeliveryFailed, DeliveryUnknown
from surveys.wording import filled

TIMEOUT_S = 20.0
_PERMANENT = 500
_AWAY = {421, 530, 535}  # of all mails, not of one: it closes, or does not know us (RFC 4954, 6)
_DOMAIN = "livenps.invalid"  # of message ids


class _OneLine(UnstructuredHeader):
    """A header that stays whole: Python would encode a word of more than 78 characters, in which no mail program
    finds an address."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined]


class _Subject(UnstructuredHeader):
    """A subject as it is written: Python would decode what a customer's name has in the shape of RFC 2047, line
    breaks included, and write them out as they are."""

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        super().parse("", kwds)
        kwds["decoded"] = value

    def fold(self, *, policy: Policy) -> str:
        text = str(self)
        charset = "us-ascii" if text.isascii() and "=?" not in text else "utf-8"
        encoded = Header(text, charset, header_name="Subject").encode(linesep=policy.linesep)
        return f"Subject: {encoded}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("subject", _Subject)  # type: ignore[arg-type]
_HEADERS.map_to_type("list-unsubscribe", _OneLine)  # type: ignore[arg-type]
_POLICY = policy.default.clone(header_factory=_HEADERS)


@dataclass(frozen=True, slots=True)
class MailServer:
    """An SMTP server. ``smtps`` speaks TLS from the start; ``smtp`` upgrades where the server offers it.

    A password is sent over TLS only, whatever a server offers, or somebody between us and it.
    """

    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str) -> MailServer:
        """Read ``smtp[s]://[user:password@]host[:port]``."""
        parts = urlsplit(url)
        tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or (465 if tls else 25),
            tls=tls,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )

    async def send(self, message: EmailMessage) -> None:
        """Raise DeliveryFailed where the server refuses for good, DeliveryDelayed where it may take it later.

        A connection that ends, or hangs, once the mail has begun raises DeliveryUnknown: the server may have it.
        """
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.tls,
            start_tls=True if self.username and not self.tls else None,
            username=self.username,
            password=self.password,
            timeout=TIMEOUT_S,
        )
        begun = False
        try:
            async with client:
                begun = True
                await client.send_message(message)
        except (aiosmtplib.SMTPException, OSError) as error:
            reason = _unnamed(f"{self.host}:{self.port}: {error}", message)
            if not begun:  # no connection, a greeting or a login that was refused, or nothing was said
                raise DeliveryDelayed(reason, gateway_away=True) from error
            match error:
                case aiosmtplib.SMTPRecipientsRefused(recipients=[refusal]):
                    raise _refused(refusal.code, _unnamed(refusal.message, message)) from error
                case aiosmtplib.SMTPResponseException():
                    raise _refused(error.code, _unnamed(error.message, message)) from error
                case aiosmtplib.SMTPNotSupported():
                    raise DeliveryDelayed(reason) from error
                case _:
                    raise DeliveryUnknown(reason) from error


class MailSender:
    """Sends invitations as mail."""

    def __init__(self, server: MailServer, sender: str, brand: str, logo: str = "") -> None:
        self._server, self._sender, self._brand, self._logo = server, sender, brand, logo
        loader = PackageLoader("sinks", "templates")
        self._templates = Environment(loader=loader, autoescape=select_autoescape(["html"]), trim_blocks=True)

    async def send(self, invitation: Invitation) -> None:
        """Raise what the server's `send` does, and DeliveryFailed where there is no usable address."""
        await self._server.send(self.compose(invitation))

    def compose(self, invitation: Invitation) -> EmailMessage:
        """The mail of an invitation. Raises DeliveryFailed where there is no usable address."""
        request, scale, words = invitation.request, invitation.survey.scale, invitation.edition.words
        facts = {
            "brand": self._brand,
            "logo": self._logo,
            "edition": invitation.edition,
            "words": words,
            "scores": scale.scores,
            "link": invitation.link,
            "subject": invitation.subject,
            "reminder": words["reminder"] if request.reminds else "",
            "greeting": filled(words["greeting"], name=request.contact.name) if request.contact.name else "",
            "instruction": filled(
                words["instruction"],
                lowest=scale.lowest,
                highest=scale.highest,
                low=words["low"],
                high=words["high"],
            ),
            "buttons": {
                score: filled(words["button"], score=score, highest=scale.highest) for score in scale.scores
            },
        }
        message = mail(
            request.request_id,
            sender=self._sender,
            to=request.contact.email or "",
            subject=invitation.subject,
            text=self._templates.get_template("invitation.txt").render(facts),
            html=self._templates.get_template("invitation.html").render(facts),
        )
        if invitation.link.startswith("https:"):  # RFC 8058, 3.1
            message["List-Unsubscribe"] = f"<{invitation.link}/unsubscribe>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return message


def mail(id_: str, *, sender: str, to: str, subject: str, text: str, html: str) -> EmailMessage:
    """A mail to one address, told from others by its id. Raises DeliveryFailed where the address is unusable."""
    if not usable(to):
        raise DeliveryFailed("no usable address")
    message = EmailMessage(_POLICY)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = " ".join(subject.split())
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{id_}@{_DOMAIN}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def request_id_of(message_id: str) -> str | None:
    """The request that a mail of ours was sent for, by its Message-ID; with or without angle brackets."""
    id_, _, domain = message_id.strip().removeprefix("<").removesuffix(">").rpartition("@")
    return id_ if id_ and domain == _DOMAIN else None


def _unnamed(told: str, message: EmailMessage) -> str:
    """What a server says of a mail, for logs: without the address that it likes to repeat."""
    return re.sub(re.escape(str(message["To"])), "…", told, flags=re.IGNORECASE)


def _refused(code: int, message: str) -> DeliveryFailed | DeliveryDelayed:
    text = f"{code} {message}"
    if code in _AWAY:
        return DeliveryDelayed(text, gateway_away=True)
    return DeliveryFailed(text) if code >= _PERMANENT else DeliveryDelayed(text)
