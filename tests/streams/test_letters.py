"""What a letter keeps of its record."""

from typing import Any

import pytest

from streams.codec import Codec
from streams.events import DeadLetter, encode
from streams.letters import MAX_DETAIL, MAX_HEADER, MAX_KEY, MAX_PAYLOAD, dead_letter
from tests.make import NOW


def letter(payload: bytes | None = b"{", **fields: Any) -> DeadLetter:
    return dead_letter("t", 1, 2, "malformed", "d" * 10_000, payload, NOW, **fields)


@pytest.mark.parametrize("size", [0, 1, MAX_PAYLOAD, MAX_PAYLOAD + 1])
def test_the_beginning_of_a_payload_and_its_size(size: int) -> None:
    kept = letter(b"x" * size)
    assert (len(kept.payload), kept.size) == (min(size, MAX_PAYLOAD), size)
    assert len(kept.detail) == MAX_DETAIL


def test_no_value_and_no_key() -> None:
    kept = letter(None)
    assert (kept.payload, kept.size, kept.key, kept.headers) == (b"", 0, b"", {})


def test_a_key_is_kept_whole_or_not() -> None:
    assert letter(key=b"k" * MAX_KEY).key == b"k" * MAX_KEY
    assert letter(key=b"k" * (MAX_KEY + 1)).key == b""


def test_a_cloud_events_headers_are_kept_and_others_are_not() -> None:
    headers = [("CE_Type", b"livenps.response.v1"), ("ce_id", None), ("traceparent", b"00-1"), ("ce_id", b"\xff")]
    assert letter(headers=headers).headers == {"ce_type": b"livenps.response.v1", "ce_id": b"\xff"}


def test_a_record_of_nothing_but_headers_and_key_fits_a_broker() -> None:
    huge = b"x" * 900_000
    headers = [(name, huge) for name in ("content-type", "ce_type", "ce_id", "ce_time", "ce_source")] * 50
    kept = letter(b"x" * 1_000_000, key=b"k" * MAX_KEY, headers=headers)
    assert set(map(len, kept.headers.values())) == {MAX_HEADER}
    assert len(encode(kept)) < 500_000
    assert Codec([DeadLetter]).decode(encode(kept)) == kept
