"""Keys belong where Kafka's own clients put them."""

import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from streams.partitions import partition_of, partitions_of

KEYS = st.text(max_size=70)


# The values of Kafka's own UtilsTest.testMurmur2.
@pytest.mark.parametrize(
    ("key", "number"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_kafkas_own_examples(key: str, number: int) -> None:
    many = 0x7FFFFFFF
    assert partition_of(key, many) == (number & 0x7FFFFFFF) % many
    assert list(partitions_of([key], many)) == [(number & 0x7FFFFFFF) % many]


@given(st.lists(KEYS, max_size=30), st.integers(1, 1_000))
def test_many_keys_side_by_side_stand_where_each_stands_alone(keys: list[str], partitions: int) -> None:
    found = [int(number) for number in partitions_of(keys, partitions)]
    assert found == [(murmur2(key.encode()) & 0x7FFFFFFF) % partitions for key in keys]


def test_bytes_of_zero_at_a_keys_end_are_part_of_it() -> None:
    keys = ["a", "a\0", "a\0\0\0", "a\0\0\0\0", "\0", ""]
    assert [int(number) for number in partitions_of(keys, 997)] == [partition_of(key, 997) for key in keys]
