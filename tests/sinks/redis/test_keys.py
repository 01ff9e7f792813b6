"""The names of keys, and where an id stands in an index."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.redis import keys


def test_all_keys_of_a_partition_share_a_hash_tag() -> None:
    assert keys.base("livenps", "a", 3) == "livenps:{a3}"
    assert "livenps:{c1}" in keys.bases("livenps", 2)
    assert len(keys.bases("livenps", 2)) == len("acgimw") * 2 + keys.DELIVERY_SHARDS


def test_a_requests_delivery_state_is_always_in_the_same_shard() -> None:
    shards = {keys.delivery("livenps", f"request-{n}") for n in range(1_000)}
    assert shards == {keys.base("livenps", "d", shard) for shard in range(keys.DELIVERY_SHARDS)}
    assert keys.delivery("livenps", "request-1") == keys.delivery("livenps", "request-1")


Id = tuple[str, str]


def place(one: str, two: str) -> bytes:
    return keys.places(((one, two),))


@given(st.lists(st.tuples(st.text(), st.text())))
def test_an_index_entry_is_small_and_the_same_every_time(ids: list[Id]) -> None:
    places = keys.places(tuple(ids))
    assert places == b"".join(place(*id_) for id_ in ids)
    assert len(places) == 15 * len(ids)
    assert places.isascii()
    assert all(int(places[at : at + 4], 16) < keys.INDEX_BUCKETS for at in range(0, len(places), 15))


@pytest.mark.parametrize(
    ("id_", "expected"),
    [(("c1", "e1"), "3176ZIzsidofZnw"), (("zoë {a1} \n", ""), "166bjtoNEzqAZSA")],
)
def test_an_id_stands_where_it_always_stood(id_: Id, expected: str) -> None:
    """What a state has seen has to be found in it again, whichever version looks."""
    assert place(*id_).decode() == expected


def test_ids_have_places_of_their_own_evenly_spread() -> None:
    many = 100_000
    found = keys.places(tuple(("customer", f"event-{n}") for n in range(many))).decode()
    places = [found[at : at + 15] for at in range(0, len(found), 15)]
    assert len(set(places)) == many
    sizes = Counter(place[:4] for place in places)
    assert max(sizes.values()) < 6 * many / keys.INDEX_BUCKETS


@pytest.mark.parametrize("other", [("a", "bc"), ("abc", ""), ("ab", "C"), ("ab ", "c"), ("c", "ab")])
def test_the_parts_of_an_id_are_told_apart(other: Id) -> None:
    assert place("ab", "c") != place(*other)
