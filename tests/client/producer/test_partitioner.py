"""Where records go."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as reference

from raftka.client.producer.partitioner import StickyPartitioner, murmur2, partition_for_key


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_the_java_clients(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF


@given(st.binary(max_size=40), st.integers(1, 50))
def test_keys_go_where_other_clients_send_them(key: bytes, partitions: int) -> None:
    assert partition_for_key(key, partitions) == (reference(key) & 0x7FFFFFFF) % partitions


def chosen(partitioner: StickyPartitioner, size: int, queued: list[int]) -> int:
    stays = partitioner.stay("t", size)
    return partitioner.draw("t", size, range(len(queued)), queued) if stays is None else stays


def test_records_without_a_key_stay_together_for_a_batch() -> None:
    partitioner = StickyPartitioner(random.Random(1), batch_size=1000)
    places = [chosen(partitioner, 100, [0] * 8) for _ in range(200)]
    runs = [places[start : start + 10] for start in range(0, 200, 10)]
    assert all(len(set(run)) == 1 for run in runs)
    assert len(set(places)) > 4


def test_long_queues_get_fewer_records() -> None:
    partitioner = StickyPartitioner(random.Random(1), batch_size=1)
    counts = Counter(chosen(partitioner, 1, [0, 0, 9]) for _ in range(2100))
    assert 0 < counts[2] < 200
    assert 800 < counts[0] < 1200
