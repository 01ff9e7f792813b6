"""The channel that only writes a log line: for a first try, before a mail server is at hand."""

from __future__ import annotations

import structlog

from streams.delivery import Invitation

log = structlog.get_logger(__name__)


class LogSender:
    """Logs the personal link. Whoever reads the log can answer, so this is no channel for production."""

    async def send(self, invitation: Invitation) -> None:
        request = invitation.request
        what = "reminder" if request.reminds else "survey"
        log.info(what, survey=invitation.survey.id, customer=request.customer_id, link=invitation.link)
