"""A real SMTP receiver that keeps what it is sent."""

import email
import email.policy
from email.message import EmailMessage
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.real.ports import free_port


class Mailbox:
    """A receiver on loopback; `messages` holds the mails it accepted, `reply` is what it says to a mail's content.

    A reply such as "451 try later" or "550 no such user" refuses it. `recipients` and `raw`, the mails as
    they came, run parallel to `messages`.
    """

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.raw: list[bytes] = []
        self.reply = "250 OK"
        self._controller: Controller | None = None

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep a mail unless the reply is a refusal (the name is aiosmtpd's)."""
        if self.reply.startswith("2"):
            content = envelope.content or b""
            raw = content if isinstance(content, bytes) else content.encode()
            self.recipients.append(envelope.rcpt_tos)
            self.raw.append(raw)
            self.messages.append(email.message_from_bytes(raw, policy=email.policy.default))
        return self.reply

    def start(self) -> Self:
        """Receive from now on; returns when the port answers."""
        self._controller = Controller(self, hostname=self.host, port=self.port)
        self._controller.start()
        return self

    def stop(self) -> None:
        """Refuse connections from now on; the messages stay."""
        if self._controller:
            self._controller.stop()
            self._controller = None
