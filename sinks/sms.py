"""Text messages through the HTTP interface of a gateway, whose body and headers the configuration describes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import httpx

from sinks.reply import replied
from streams.delivery import Invitation
from streams.errors import DeliveryDelayed, DeliveryFailed, DeliveryUnknown
from surveys.phone import e164
from surveys.wording import filled

TIMEOUT_S = 10.0
_PLACE = re.compile(r"\{(to|text|request_id)\}")
# For everybody: it does not know us, or is not paid. 502 and 504 leave open whether the message is on its way.
_AWAY = {401, 402, 429, 503}
_NOT_TAKEN = {408, 425} | _AWAY
# What fails before a message is on its way.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_UNUSABLE = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)


class SmsSender:
    """Sends invitations as text messages. ``{to}``, ``{text}`` and ``{request_id}`` are put into the texts of
    ``body``, and ``{secret}`` into those of ``headers``."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        method: Literal["POST", "PUT"],
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        brand: str,
    ) -> None:
        self._client, self._url, self._method, self._body = client, url, method, body
        self._headers, self._brand = headers, brand

    async def send(self, invitation: Invitation) -> None:
        """Raise DeliveryFailed where there is no usable number or the gateway refuses for good, DeliveryDelayed
        where it took nothing, and DeliveryUnknown where it may have."""
        request = invitation.request
        to = e164(request.contact.phone)
        if to is None:
            raise DeliveryFailed("no usable telephone number")
        body = _put_in(self._body, to=to, text=message(invitation, self._brand), request_id=request.request_id)
        try:
            headers = {**self._headers, "idempotency-key": request.request_id}
            reply = await replied(
                self._client, self._method, self._url, json=body, headers=headers, timeout=TIMEOUT_S
            )
        except _UNUSABLE as error:
            raise DeliveryFailed(f"the gateway cannot be asked: {type(error).__name__}") from error
        except _NOT_SENT as error:
            raise DeliveryDelayed(f"{type(error).__name__}: {error}", gateway_away=True) from error
        except httpx.HTTPError as error:
            raise DeliveryUnknown(f"{type(error).__name__}: {error}") from error
        if reply.status_code in _NOT_TAKEN:
            raise DeliveryDelayed(f"HTTP {reply.status_code}", gateway_away=reply.status_code in _AWAY)
        if reply.is_server_error:
            raise DeliveryUnknown(f"HTTP {reply.status_code}")
        if not reply.is_success:
            raise DeliveryFailed(f"HTTP {reply.status_code}")


def message(invitation: Invitation, brand: str) -> str:
    """The text of an invitation's message."""
    return filled(invitation.edition.words["sms"], brand=brand, link=invitation.link)


def _put_in(template: Any, **values: str) -> Any:
    """The template with the values put into its texts."""
    match template:
        case str():
            # At once: the words of a survey may have braces, too.
            return _PLACE.sub(lambda found: values[found[1]], template)
        case Mapping():
            return {name: _put_in(one, **values) for name, one in template.items()}
        case list():
            return [_put_in(one, **values) for one in template]
        case _:
            return template
