"""A follower appends a run of batches as it would each of them, after checking all."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.record_batch import iter_batches
from raftka.storage.log import Log
from raftka.storage.replicated import check_order, read_replicated
from tests.support.logs import NOW_MS, batch, new_log, read_bytes

WHERE = TopicPartition("t", 0)
_NAMES = "max_timestamp", "max_timestamp_offset", "first_timestamp", "bytes_since_index", "size"


def leaders_batches(dice: Random) -> list[bytes]:
    """Of several epochs and producers, with gaps as a cleaning leaves them."""
    leader = new_log()
    epoch = 0
    sequences = {-1: -1, 7: 0, 8: 0}
    for number in range(120):
        epoch += dice.random() < 0.05
        producer = dice.choice([-1, -1, 7, 8])
        values = [f"{number} {'x' * dice.randrange(90)}" for _ in range(dice.randrange(1, 4))]
        sequence = sequences[producer]
        data = batch(
            *values, producer_id=producer, base_sequence=sequence, timestamp=NOW_MS + number % 9
        )
        leader.append_as_leader(data, epoch, NOW_MS)
        if producer >= 0:
            sequences[producer] += len(values)
    end = leader.log_end_offset
    found = [bytes(view) for _, view in iter_batches(read_bytes(leader.read(0, 1 << 20, end)))]
    return [each for each in found if dice.random() > 0.03]


def state(log: Log) -> object:
    """All that appending keeps in memory, and the files' bytes."""
    segments = [
        (
            segment.base_offset,
            [getattr(segment, name) for name in _NAMES],
            bytes(segment.file.read(segment.size, 0)),
        )
        for segment in log.segments
    ]
    producers = {
        id: (entry.epoch, list(entry.batches)) for id, entry in log.producer_state.producers.items()
    }
    tail = log._writer._tail
    places = list(tail.offsets), list(tail.positions)
    return segments, producers, log.epochs.entries(), log.log_end_offset, places


@pytest.mark.parametrize("seed", range(6))
def test_a_run_leaves_what_single_batches_leave(seed: int) -> None:
    dice = Random(seed)
    batches = leaders_batches(dice)
    settings: dict[str, Any] = {
        "segment_bytes": dice.choice([900, 5000, 1 << 20]),
        "index_interval_bytes": 300,
    }
    one, other = new_log(**settings), new_log(**settings)
    for each in batches:
        one.append_as_follower(each, NOW_MS)
    left = batches
    while left:
        take = dice.randrange(1, 40)
        info = other.append_as_follower(b"".join(left[:take]), NOW_MS)
        assert info.bytes == sum(map(len, left[:take]))
        left = left[take:]
    assert state(one) == state(other)
    end = one.log_end_offset
    for offset in range(0, end, 7):
        assert read_bytes(one.read(offset, 400, end)) == read_bytes(other.read(offset, 400, end))


def test_a_cut_off_batch_is_left_out_wherever_the_cut_is() -> None:
    first, second = leaders_batches(Random(1))[:2]
    for cut in range(len(second)):
        assert len(read_replicated(first + second[:cut], WHERE)) == 1
    assert len(read_replicated(first + second, WHERE)) == 2


def test_what_no_batch_can_be_is_refused() -> None:
    good = leaders_batches(Random(2))[0]
    for at, byte in ((16, 1), (30, 200), (11, 5)):
        bad = bytearray(good)
        bad[at] = byte
        if at == 11:
            bad[8:11] = bytes(3)
        with pytest.raises(KafkaError) as caught:
            read_replicated(bytes(good) + bytes(bad), WHERE)
        assert caught.value.code is ErrorCode.CORRUPT_MESSAGE


def test_offsets_go_forward() -> None:
    one, two = leaders_batches(Random(3))[:2]
    check_order(read_replicated(one + two, WHERE), 0, WHERE)
    for data, end in ((two + one, 0), (one, 1000)):
        with pytest.raises(KafkaError, match="cannot follow"):
            check_order(read_replicated(data, WHERE), end, WHERE)
