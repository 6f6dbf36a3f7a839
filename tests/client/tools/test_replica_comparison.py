"""kafka-replica-verification: its report about replicas, without a cluster."""

from __future__ import annotations

import pytest

from raftka.client.admin import ReplicaRecords
from raftka.client.tools.replica_comparison import Comparison
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.records import Record, encode_batch

TARGET = TopicPartition("t", 0)


def batch(base_offset: int, value: bytes = b"v") -> bytes:
    """A batch of two records."""
    return encode_batch([Record(0, -1, None, value)] * 2, base_offset=base_offset)


def replica(*batches: bytes, high: int) -> ReplicaRecords:
    return ReplicaRecords(high, b"".join(batches))


def test_equal_replicas_are_compared_up_to_the_high_watermark() -> None:
    comparison = Comparison({TARGET: 0})
    behind = replica(batch(0), batch(2), high=2)
    assert comparison.compare(TARGET, {1: replica(batch(0), batch(2), high=4), 2: behind}) == []
    assert comparison.offsets == {TARGET: 2}
    assert comparison.worst() == (2, TARGET, 2)


def test_a_piece_of_a_batch_is_compared_when_it_is_whole() -> None:
    comparison = Comparison({TARGET: 0})
    cut = batch(0) + batch(2)[:-1]
    replicas = {1: replica(cut, high=4), 2: replica(batch(0), batch(2), high=4)}
    assert comparison.compare(TARGET, replicas) == []
    assert comparison.offsets == {TARGET: 2}


def test_other_contents_are_named_and_the_comparison_goes_on() -> None:
    comparison = Comparison({TARGET: 0})
    replicas = {
        2: replica(batch(0), batch(2, b"other"), batch(4), high=6),
        1: replica(batch(0), batch(2), batch(4), high=6),
    }
    (found,) = comparison.compare(TARGET, replicas)
    assert found.words.startswith("partition t-0 has unmatched checksum at offset 3; replica 1's")
    assert not found.fatal
    assert comparison.offsets == {TARGET: 6}


def test_other_offsets_end_the_comparison() -> None:
    comparison = Comparison({TARGET: 0})
    replicas = {1: replica(batch(0), high=9), 2: replica(batch(5), high=9)}
    assert comparison.compare(TARGET, replicas) == [
        ("partition t-0: replica 1's offset 1 doesn't match replica 2's offset 6", True)
    ]
    assert comparison.offsets == {TARGET: 0}


def test_the_comparison_goes_on_where_logs_begin_now_and_never_back() -> None:
    comparison = Comparison({TARGET: 5})
    comparison.skip_to(TARGET, 8)
    comparison.skip_to(TARGET, 6)
    assert comparison.offsets == {TARGET: 8}


def test_nothing_is_said_to_be_behind_before_the_first_answer() -> None:
    assert Comparison({TARGET: 5}).worst() == (-1, ("", -1), -1)


def test_what_is_no_batch_is_an_error() -> None:
    with pytest.raises(KafkaError, match="fewer than its header"):
        Comparison({TARGET: 0}).compare(TARGET, {1: replica(bytes(70), high=9)})
