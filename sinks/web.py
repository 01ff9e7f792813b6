"""The operator's own site and app as a channel: a survey waits there until its customer comes by."""

from __future__ import annotations

from sinks.redis.requests import RequestsStore
from streams.delivery import Invitation
from streams.errors import DeliveryDelayed, LivenpsError


class WebSender:
    """Offers a request. That it is offered twice does no harm, so no try of it is ever unknown."""

    def __init__(self, requests: RequestsStore) -> None:
        self._requests = requests

    async def send(self, invitation: Invitation) -> None:
        """Raise DeliveryDelayed while Redis is away."""
        try:
            await self._requests.offer(invitation.request)
        except LivenpsError as error:
            if not error.retriable:
                raise
            raise DeliveryDelayed(str(error), gateway_away=True) from error
