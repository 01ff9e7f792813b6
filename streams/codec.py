"""Records to events: plain JSON, and CloudEvents in binary and structured mode.

A CloudEvent's ``type`` is ``livenps.<event type>.v<major>``, its ``data`` the event's fields; ``id`` and ``time``
fill the event's own id and time where the data leaves them out.
Source: the Kafka protocol binding of CloudEvents 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

import msgspec
from msgspec import Struct

from streams.errors import BadRecord
from streams.events import Event, tag

Headers = Sequence[tuple[str, bytes | None]]  # Kafka allows a header without a value

MAX_BYTES = 1 << 20
_CE_TYPE = re.compile(r"livenps\.([a-z_]+)\.v(\d{1,4})")
_STRUCTURED = b"application/cloudevents+json"


class _Head(Struct):
    type: str = ""
    version: int = 1


class _CloudEvent(Struct):
    specversion: str
    type: str
    id: str = ""
    time: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class Codec:
    """Decodes the records of one topic, which carries the event types given; the first is the default."""

    def __init__(self, types: Iterable[type[Event]]) -> None:
        kinds = list(types)
        self._decoders = {tag(kind): msgspec.json.Decoder(kind) for kind in kinds}
        self._fields = {tag(kind): frozenset(kind.__struct_fields__) for kind in kinds}
        self._default = tag(kinds[0])
        # Nearly every record is plain JSON that names its type: one decode, and a second look where that fails.
        self._plain: Any = msgspec.json.Decoder(Union[tuple(kinds)])  # noqa: UP007 - of a list

    def decode(self, value: bytes | None, headers: Headers = ()) -> Event:
        """The event of one record.

        Raises BadRecord with the reason ``empty``, ``too_large``, ``malformed``, ``invalid``, ``unknown_type`` or
        ``unknown_version``.
        """
        if value is None:
            raise BadRecord("empty", "the record has no value")
        if len(value) > MAX_BYTES:
            raise BadRecord("too_large", f"the record has {len(value)} bytes, {MAX_BYTES} are allowed")
        if not headers:
            try:
                event: Event = self._plain.decode(value)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass  # why is told below
            else:
                return event
        try:
            if headers:
                return self._decode_with_headers(value, {name.lower(): text or b"" for name, text in headers})
            return self._decode_plain(value)
        except msgspec.ValidationError as error:
            raise BadRecord("invalid", str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRecord("malformed", str(error)) from error

    def _decode_plain(self, value: bytes) -> Event:
        head = _head.decode(value)
        return self._decode_as(head.type or self._default, value)

    def _decode_with_headers(self, value: bytes, headers: Mapping[str, bytes]) -> Event:
        if headers.get("content-type", b"").startswith(_STRUCTURED):
            cloud = _cloud_event.decode(value)
            return self._decode_cloud(cloud.type, bytes(cloud.data), cloud.id, cloud.time)
        if headers.get("ce_type"):
            kind, id_, time = (headers.get(name, b"").decode() for name in ("ce_type", "ce_id", "ce_time"))
            return self._decode_cloud(kind, value, id_, time)
        return self._decode_plain(value)

    def _decode_cloud(self, cloud_type: str, data: bytes, id_: str, time: str) -> Event:
        match = _CE_TYPE.fullmatch(cloud_type)
        if not match:
            raise BadRecord("unknown_type", f"the CloudEvent's type is {cloud_type!r:.100}")
        if match[2] != "1":
            raise BadRecord("unknown_version", f"the CloudEvent's type is {cloud_type!r:.100}")
        kind = match[1]
        fields: dict[str, msgspec.Raw | str] = {**_object.decode(data), "type": kind}
        for name, value in (
            ("event_id", id_),
            ("response_id", id_),
            ("occurred_at", time),
            ("answered_at", time),
        ):
            if value and name in self._fields.get(kind, ()):
                fields.setdefault(name, value)
        return self._decode_as(kind, msgspec.json.encode(fields))

    def _decode_as(self, kind: str, value: bytes) -> Event:
        decoder = self._decoders.get(kind)
        if decoder is None:
            raise BadRecord("unknown_type", f"this topic carries no events of type {kind!r:.100}")
        try:
            event: Event = decoder.decode(value)
        except msgspec.ValidationError as error:
            raise BadRecord(self._reason(value), str(error)) from error
        return event

    def _reason(self, value: bytes) -> str:
        """Which kind of invalid: told after the fact, so that the good path decodes only once."""
        try:
            head = _head.decode(value)
        except msgspec.ValidationError:
            return "invalid"
        if head.version != 1:
            return "unknown_version"
        return "unknown_type" if head.type and head.type not in self._decoders else "invalid"


_head = msgspec.json.Decoder(_Head)
_cloud_event = msgspec.json.Decoder(_CloudEvent)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
