"""Mail by SMTP: text and HTML, with the personal link."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

import aiosmtplib
from jinja2 import Environment, PackageLoader, select_autoescape

from streams.delivery import Invitation
from streams.errors import DeliveryDelayed, DeliveryFailed, DeliveryUnknown
from surveys.wording import filled

TIMEOUT_S = 20.0
_PERMANENT = 500
# Narrower than the standard: Python's header parser fails on quotes, comments and groups that are not whole.
_WORD = r"[^\s.@<>()\[\]\\,;:\"\x00-\x1f\x7f]+"
_DOTTED = rf"{_WORD}(?:\.{_WORD})*"
_ADDRESS = re.compile(rf"(?!.*=\?){_DOTTED}@{_DOTTED}")


@dataclass(frozen=True, slots=True)
class MailServer:
    """An SMTP server. ``smtps`` speaks TLS from the start; ``smtp`` upgrades where the server offers it."""

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


class MailSender:
    """Sends invitations as mail."""

    def __init__(self, server: MailServer, sender: str, brand: str, logo: str = "") -> None:
        self._server, self._sender, self._brand, self._logo = server, sender, brand, logo
        loader = PackageLoader("sinks", "templates")
        self._templates = Environment(loader=loader, autoescape=select_autoescape(["html"]), trim_blocks=True)

    async def send(self, invitation: Invitation) -> None:
        """Raise DeliveryFailed where the server refuses for good, DeliveryDelayed where it may take it later.

        A connection that ends in between raises DeliveryUnknown: the server may have taken the mail.
        """
        message = self.compose(invitation)
        server = self._server
        try:
            await aiosmtplib.send(
                message,
                hostname=server.host,
                port=server.port,
                use_tls=server.tls,
                username=server.username,
                password=server.password,
                timeout=TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            refusal = error.recipients[0]
            raise _refused(refusal.code, refusal.message) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error.code, error.message) from error
        except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPNotSupported, ssl.SSLError) as error:
            raise DeliveryDelayed(f"{server.host}:{server.port}: {error}") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryUnknown(f"{server.host}:{server.port}: {error}") from error

    def compose(self, invitation: Invitation) -> EmailMessage:
        """The mail of an invitation. Raises DeliveryFailed where there is no usable address."""
        scale, contact, words = invitation.survey.scale, invitation.request.contact, invitation.edition.words
        if not _ADDRESS.fullmatch(contact.email or ""):
            raise DeliveryFailed("no usable address")
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = contact.email
        message["Subject"] = words["subject"]
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{invitation.request.request_id}@livenps.invalid>"
        message["Auto-Submitted"] = "auto-generated"
        facts = {
            "brand": self._brand,
            "logo": self._logo,
            "edition": invitation.edition,
            "words": words,
            "scores": scale.scores,
            "link": invitation.link,
            "greeting": filled(words["greeting"], name=contact.name) if contact.name else "",
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
        message.set_content(self._templates.get_template("invitation.txt").render(facts))
        message.add_alternative(self._templates.get_template("invitation.html").render(facts), subtype="html")
        return message


def _refused(code: int, message: str) -> DeliveryFailed | DeliveryDelayed:
    text = f"{code} {message}"
    return DeliveryFailed(text) if code >= _PERMANENT else DeliveryDelayed(text)
