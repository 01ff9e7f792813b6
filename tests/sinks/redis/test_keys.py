"""The names of keys, and where an id stands in an index."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.redis import keys


def test_all_keys_of_a_partition_share_a_hash_tag() -> None:
    assert keys.base("livenps", "a", 3) == "livenps:{a3}"
    assert "livenps:{c1}" in keys.bases("livenps", 2)
    assert len(keys.bases("livenps", 2)) == 3 * 2 + keys.DELIVERY_SHARDS


def test_a_requests_delivery_state_is_always_in_the_same_shard() -> None:
    shards = {keys.delivery("livenps", f"request-{n}") for n in range(1_000)}
    assert shards == {keys.base("livenps", "d", shard) for shard in range(keys.DELIVERY_SHARDS)}
    assert keys.delivery("livenps", "request-1") == keys.delivery("livenps", "request-1")


@given(st.lists(st.text(), min_size=1, max_size=2))
def test_an_index_entry_is_small_and_the_same_every_time(parts: list[str]) -> None:
    place = keys.place(*parts)
    assert place == keys.place(*parts)
    assert 0 <= int(place[:4], 16) < keys.INDEX_BUCKETS
    assert len(place) == 15
    assert place.isascii()


def test_ids_have_places_of_their_own_evenly_spread() -> None:
    many = 100_000
    places = [keys.place(f"response-{n}") for n in range(many)]
    assert len(set(places)) == many
    sizes = Counter(place[:4] for place in places)
    assert max(sizes.values()) < 6 * many / keys.INDEX_BUCKETS


@pytest.mark.parametrize("other", [("a", "bc"), ("abc",), ("ab", "C"), ("ab ", "c"), ("c", "ab")])
def test_the_parts_of_an_id_are_told_apart(other: tuple[str, ...]) -> None:
    assert keys.place("ab", "c") != keys.place(*other)
