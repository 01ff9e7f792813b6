"""JSON to a URL of the operator's, signed as Standard Webhooks where there is a secret."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from standardwebhooks import Webhook

from sinks.reply import replied
from streams.delivery import Invitation
from streams.errors import DeliveryDelayed, DeliveryFailed

TIMEOUT_S = 5.0
_RETRIABLE = {408, 425, 429}


class WebhookSender:
    """Posts JSON."""

    def __init__(self, client: httpx.AsyncClient, secret: str | None) -> None:
        self._client = client
        self._signer = Webhook(base64.b64encode(secret.encode()).decode()) if secret else None

    async def send(self, invitation: Invitation) -> None:
        """Post an invitation to its survey's address; raises what `post` does."""
        request, survey, words = invitation.request, invitation.survey, invitation.edition.words
        body = {
            "request_id": request.request_id,
            "survey_id": request.survey_id,
            "customer_id": request.customer_id,
            "language": invitation.edition.language,
            "reminds": request.reminds,
            "subject": invitation.subject,
            "question": words["question"],
            "link": invitation.link,
        }
        await self.post(survey.webhook_url or "", request.request_id, body)

    async def post(self, url: str, id_: str, content: Mapping[str, Any]) -> None:
        """Raise DeliveryDelayed on network errors, 408, 425, 429 and 5xx; DeliveryFailed on other refusals."""
        body = json.dumps(content)
        headers = {"content-type": "application/json", **self._signature(id_, body)}
        try:
            reply = await replied(self._client, "POST", url, content=body, headers=headers, timeout=TIMEOUT_S)
        except httpx.InvalidURL as error:
            raise DeliveryFailed(f"the address cannot be used: {error}") from error
        except httpx.HTTPError as error:
            raise DeliveryDelayed(f"{type(error).__name__}: {error}") from error
        if reply.status_code in _RETRIABLE or reply.status_code >= 500:
            raise DeliveryDelayed(f"HTTP {reply.status_code}")
        if not reply.is_success:
            raise DeliveryFailed(f"HTTP {reply.status_code}")

    def _signature(self, message_id: str, body: str) -> dict[str, str]:
        if self._signer is None:
            return {}
        now = datetime.now(UTC)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message_id, now, body),
        }
