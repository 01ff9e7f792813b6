"""Survey links are signed, and good for their time only."""

import pytest

from streams.times import DAY
from web.links import BadLink, ExpiredLink, Links

SECRET = "s" * 32


def links(*, secret: str = SECRET, valid: int = DAY) -> Links:
    return Links(secret, "https://feedback.example.com/nps/", valid)


def token(link: str) -> str:
    return link.rpartition("/")[2]


def test_a_link_leads_back_to_its_request_and_shows_nothing_personal() -> None:
    link = links().link("request-1")
    assert link.startswith("https://feedback.example.com/nps/s/")
    assert links().request_id(token(link)) == "request-1"


def test_another_secret_signs_nothing_here() -> None:
    with pytest.raises(BadLink):
        links().request_id(token(links(secret="t" * 32).link("request-1")))


def test_a_link_ends() -> None:
    with pytest.raises(ExpiredLink):
        links(valid=-DAY).request_id(token(links().link("request-1")))
