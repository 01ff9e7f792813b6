"""The operator's own site and app as a channel: a survey waits there until its customer comes by."""

from __future__ import annotations

from sinks.redis.requests import RequestsStore
from streams.delivery import Invitation, insist


class WebSender:
    """Offers a request. That it is offered twice does no harm, so a Redis that is away is waited for."""

    def __init__(self, requests: RequestsStore) -> None:
        self._requests = requests

    async def send(self, invitation: Invitation) -> None:
        await insist(lambda: self._requests.offer(invitation.request))
