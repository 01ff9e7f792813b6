"""The wiring."""

import pytest

from livenps.config import load
from livenps.errors import UsageError
from livenps.program import Address


@pytest.mark.parametrize(
    ("host", "reached"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]")]
)
def test_pages_are_reached_under_an_address_that_answers(host: str, reached: str) -> None:
    address = Address.of(load(None, {}), host, 0)
    with address.listener:
        assert address.url == address.public_url == f"http://{reached}:{address.listener.getsockname()[1]}"


def test_links_begin_with_the_public_address() -> None:
    config = load(None, {"LIVENPS_PUBLIC_URL": "https://feedback.example.com"})
    address = Address.of(config, "127.0.0.1", 0)
    with address.listener:
        assert address.public_url == "https://feedback.example.com"


def test_a_port_in_use_is_refused_by_name() -> None:
    first = Address.of(load(None, {}), "127.0.0.1", 0)
    with (
        first.listener,
        pytest.raises(UsageError, match=r"cannot listen on 127\.0\.0\.1:.*choose with --host and --port"),
    ):
        Address.of(load(None, {}), "127.0.0.1", first.listener.getsockname()[1])
