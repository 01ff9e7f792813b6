"""A real SMTP receiver that keeps what it is sent."""

import email
import email.policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.real.ports import free_port


class Mailbox:
    """A receiver on loopback; `messages` holds the mails it accepted, `reply` is what it says to a mail's content.

    A reply such as "451 try later" or "550 no such user" refuses it. `recipients`, `raw`, the mails as
    they came, and `encrypted`, whether by TLS, run parallel to `messages`.
    """

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.raw: list[bytes] = []
        self.encrypted: list[bool] = []
        self.reply = "250 OK"
        self._controller: Controller | None = None

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep a mail unless the reply is a refusal (the name is aiosmtpd's)."""
        if self.reply.startswith("2"):
            content = envelope.content or b""
            raw = content if isinstance(content, bytes) else content.encode()
            self.recipients.append(envelope.rcpt_tos)
            self.raw.append(raw)
            self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
            self.messages.append(email.message_from_bytes(raw, policy=email.policy.default))
        return self.reply

    def start(self, **server: Any) -> Self:
        """Receive from now on, as a `Controller` does with these arguments; returns when the port answers."""
        self._controller = Controller(self, hostname=self.host, port=self.port, **server)
        self._controller.start()
        return self

    def stop(self) -> None:
        """Refuse connections from now on; the messages stay."""
        if self._controller:
            self._controller.stop()
            self._controller = None
