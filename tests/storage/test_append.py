"""Appending as leader and follower: accepted and refused batches, and the resulting log."""

from __future__ import annotations

import pytest
from crc32c import crc32c

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.record_batch import ATTRIBUTES_AT, HEADER, LOG_APPEND_TIME, parse_header
from raftka.model.records import Record, encode_batch, iter_batches, iter_records
from raftka.storage.config import LogConfig
from raftka.storage.log import Log
from tests.support.logs import (
    NOW_MS,
    all_records,
    append,
    batch,
    batches_in,
    new_disk,
    new_log,
    read_bytes,
    reopen,
)


def resealed(data: bytearray, **fields: int) -> bytearray:
    """`data` with header fields changed and its CRC right again."""
    header = parse_header(data)._replace(**fields)
    data[: HEADER.size] = HEADER.pack(*header)
    data[17:21] = crc32c(data[ATTRIBUTES_AT:]).to_bytes(4, "big")
    return data


def refusal(log: Log, data: bytes | bytearray) -> ErrorCode:
    """The error code of a refused batch, which must change nothing."""
    before = (log.log_end_offset, log.size)
    with pytest.raises(KafkaError) as caught:
        log.append_as_leader(data, 0, NOW_MS)
    assert (log.log_end_offset, log.size) == before
    return caught.value.code


def test_offsets_and_epochs_are_given_in_order() -> None:
    log = new_log()
    assert append(log, "a", "b", epoch=3) == 0
    info = log.append_as_leader(batch("c"), 4, NOW_MS)
    assert info == (2, 2, -1, 0, False, len(batch("c")), 1)
    headers = batches_in(log.read(0, 10_000, 3))
    assert [(h.base_offset, h.leader_epoch) for h in headers] == [(0, 3), (2, 4)]
    assert log.epochs.entries() == [(3, 0), (4, 2)]
    assert log.latest_epoch == 4
    assert list(all_records(log)) == [(0, "a"), (1, "b"), (2, "c")]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_read_only_and_writable_buffers_give_the_same_log(kind: type) -> None:
    log = new_log()
    append(log, "first")
    log.append_as_leader(kind(bytes(batch("second"))), 7, NOW_MS)
    header = batches_in(log.read(1, 1000, 2))[0]
    assert (header.base_offset, header.leader_epoch) == (1, 7)
    assert list(all_records(log)) == [(0, "first"), (1, "second")]


def test_what_a_client_may_not_send_is_refused_as_kafka_refuses_it() -> None:
    log = new_log(max_message_bytes=1000)
    good = bytes(batch("a", "b"))
    refused: dict[str, bytes | bytearray] = {
        "nothing": b"",
        "cut off": good[:-1],
        "two batches": good + good,
        "old format": good[:16] + b"\x01" + good[17:],
        "base offset": resealed(bytearray(good), base_offset=5),
        "no records": resealed(bytearray(good), record_count=0, last_offset_delta=-1),
        "count against delta": resealed(bytearray(good), record_count=3),
        "more records than fit": resealed(bytearray(good), record_count=100, last_offset_delta=99),
        "control": resealed(bytearray(good), attributes=0x20),
        "no sequence": resealed(bytearray(good), producer_id=5, producer_epoch=0),
    }
    for what, data in refused.items():
        assert refusal(log, data) is ErrorCode.INVALID_RECORD, what
    broken = bytearray(good)
    broken[-1] ^= 1
    assert refusal(log, broken) is ErrorCode.CORRUPT_MESSAGE
    assert refusal(log, good[:16] + b"\x09" + good[17:]) is ErrorCode.CORRUPT_MESSAGE
    assert refusal(log, good[:8] + bytes(4) + good[12:]) is ErrorCode.CORRUPT_MESSAGE
    assert refusal(log, resealed(bytearray(good), attributes=7)) is ErrorCode.UNKNOWN_SERVER_ERROR
    assert refusal(log, batch("x" * 2000)) is ErrorCode.MESSAGE_TOO_LARGE
    transactional = resealed(batch("a", producer_id=5, base_sequence=0), attributes=0x10)
    assert refusal(log, transactional) is ErrorCode.INVALID_TXN_STATE
    append(log, "still works")


def test_a_batch_larger_than_a_segment_is_refused() -> None:
    log = new_log(max_message_bytes=10_000, segment_bytes=1000)
    assert refusal(log, batch("x" * 2000)) is ErrorCode.RECORD_LIST_TOO_LARGE


def test_timestamps_must_be_near_now() -> None:
    log = new_log(message_timestamp_before_max_ms=1000, message_timestamp_after_max_ms=500)
    assert refusal(log, batch("a", timestamp=NOW_MS + 501)) is ErrorCode.INVALID_TIMESTAMP
    assert refusal(log, batch("a", timestamp=NOW_MS - 1001)) is ErrorCode.INVALID_TIMESTAMP
    for timestamp in (NOW_MS + 500, NOW_MS - 1000, -1):
        log.append_as_leader(batch("a", timestamp=timestamp), 0, NOW_MS)
    far_ahead = batch("a", timestamp=NOW_MS + 3_600_001)
    assert refusal(new_log(), far_ahead) is ErrorCode.INVALID_TIMESTAMP


def test_log_append_time_replaces_the_clients() -> None:
    log = new_log(message_timestamp_type=LOG_APPEND_TIME)
    info = log.append_as_leader(batch("a", timestamp=NOW_MS + 10**9), 0, NOW_MS)
    assert info.log_append_time == NOW_MS
    data = read_bytes(log.read(0, 1000, 1))
    assert parse_header(data).timestamp_type == LOG_APPEND_TIME
    assert [record.timestamp for record in iter_records(data)] == [NOW_MS]


def test_a_topic_may_have_a_compression_of_its_own() -> None:
    log = new_log(compression_type="lz4")
    for compression in ("none", "lz4", "zstd"):
        log.append_as_leader(batch("a", "b", compression=compression), 0, NOW_MS)
    assert [h.compression for h in batches_in(log.read(0, 10_000, 6))] == ["lz4"] * 3
    plain = new_log(compression_type="uncompressed")
    plain.append_as_leader(batch("a", compression="gzip"), 0, NOW_MS)
    assert batches_in(plain.read(0, 1000, 1))[0].compression == "none"
    assert list(all_records(log))[-1] == (5, "b")


def test_compacted_topics_need_keys() -> None:
    log = new_log(cleanup_policy=("compact",))
    log.append_as_leader(batch("a"), 0, NOW_MS)
    assert refusal(log, batch("a", key=None)) is ErrorCode.INVALID_RECORD


def test_a_leader_of_an_older_epoch_is_fenced() -> None:
    log = new_log()
    append(log, "a", epoch=5)
    with pytest.raises(KafkaError) as caught:
        append(log, "b", epoch=4)
    assert caught.value.code is ErrorCode.FENCED_LEADER_EPOCH


def test_a_follower_keeps_its_leaders_offsets_and_epochs() -> None:
    leader = new_log()
    for epoch, value in ((1, "a"), (1, "b"), (4, "c")):
        append(leader, value, epoch=epoch)
    follower = new_log()
    data = read_bytes(leader.read(0, 10_000, 3))
    info = follower.append_as_follower(data + data[:30])
    assert (info.base_offset, info.last_offset, info.records) == (0, 2, 3)
    assert follower.epochs.entries() == [(1, 0), (4, 2)]
    assert read_bytes(follower.read(0, 10_000, 3)) == data
    assert follower.append_as_follower(data[:30]).bytes == 0


def test_a_follower_takes_no_step_back_and_no_corrupt_batch() -> None:
    leader, follower = new_log(), new_log()
    append(leader, "a")
    data = read_bytes(leader.read(0, 10_000, 1))
    follower.append_as_follower(data)
    with pytest.raises(KafkaError, match="cannot follow"):
        follower.append_as_follower(data)
    append(leader, "b")
    broken = bytearray(read_bytes(leader.read(1, 10_000, 2)))
    broken[-1] ^= 1
    with pytest.raises(KafkaError) as caught:
        follower.append_as_follower(broken)
    assert caught.value.code is ErrorCode.CORRUPT_MESSAGE
    assert follower.log_end_offset == 1


def test_a_follower_rolls_within_one_fetch_and_over_gaps() -> None:
    leader = new_log()
    for value in range(40):
        append(leader, f"value {value}")
    data = read_bytes(leader.read(0, 100_000, 40))
    kept = b"".join(bytes(v) for h, v in iter_batches(data) if h.base_offset % 3)
    follower = new_log(segment_bytes=300)
    follower.append_as_follower(kept, NOW_MS)
    assert follower.log_end_offset == 39
    assert len(follower.segments) > 3
    wanted = [(n, f"value {n}") for n in range(40) if n % 3]
    got = []
    offset = 1
    while offset < follower.log_end_offset:
        found = read_bytes(follower.read(offset, 1, follower.log_end_offset))
        got += [(r.offset, (r.value or b"").decode()) for r in iter_records(found)]
        offset = got[-1][0] + 1
    assert got == wanted


def test_a_follower_may_begin_inside_a_batch() -> None:
    """DeleteRecords left the leader's start there; the batch can only come whole."""
    leader = new_log()
    append(leader, *"abcde")
    append(leader, "f")
    follower = new_log()
    follower.truncate_fully_and_start_at(3)
    follower.append_as_follower(read_bytes(leader.read(3, 10_000, 6)), NOW_MS)
    assert (follower.log_start_offset, follower.log_end_offset) == (3, 6)
    assert list(all_records(follower)) == [(3, "d"), (4, "e"), (5, "f")]


def test_a_failed_write_ends_the_log() -> None:
    disk = new_disk()
    log = new_log(disk)
    append(log, "a")
    disk.medium.faults.full = True
    with pytest.raises(KafkaError) as caught:
        append(log, "b")
    assert caught.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    disk.medium.faults.full = False
    for use in (
        lambda: append(log, "c"),
        lambda: log.read(0, 100, 1),
        lambda: log.truncate_to(0),
        lambda: log.flush(),
        lambda: log.append_as_follower(batch("d")),
    ):
        with pytest.raises(KafkaError) as caught:
            use()
        assert caught.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    assert list(all_records(reopen(disk)[0])) in ([(0, "a")], [(0, "a"), (1, "b")])


def test_segments_roll_by_size_time_and_a_full_index() -> None:
    by_size = new_log(segment_bytes=200)
    by_time = new_log(segment_ms=1000)
    by_index = new_log(segment_index_bytes=24, index_interval_bytes=1)
    for step in range(10):
        append(by_size, "x" * 50)
        by_time.append_as_leader(batch("x", timestamp=NOW_MS + step * 400), 0, NOW_MS)
        append(by_index, "x")
    assert len(by_size.segments) == 10
    assert [s.base_offset for s in by_time.segments] == [0, 3, 6, 9]
    assert [s.base_offset for s in by_index.segments] == [0, 4, 8]
    for log in (by_size, by_time, by_index):
        assert [offset for offset, _ in all_records(log)] == list(range(10))


def test_records_without_time_roll_by_the_brokers_clock() -> None:
    log = new_log(segment_ms=1000)
    for now_ms in (NOW_MS, NOW_MS + 999, NOW_MS + 1001):
        log.append_as_leader(batch("x", timestamp=-1), 0, now_ms)
    assert [segment.base_offset for segment in log.segments] == [0, 2]


def test_settings_take_effect_at_once() -> None:
    log = new_log()
    append(log, "x" * 100)
    log.config = LogConfig(segment_bytes=200, max_message_bytes=190)
    assert refusal(log, batch("x" * 150)) is ErrorCode.MESSAGE_TOO_LARGE
    append(log, "x" * 100)
    assert len(log.segments) == 2


def test_a_coordinator_may_write_markers() -> None:
    log = new_log()
    log.append_as_leader(batch("a", producer_id=7, base_sequence=0), 0, NOW_MS)
    marker = encode_batch(
        [Record(0, NOW_MS, bytes(4), bytes([0, 0, 0, 0, 0, 9]))],
        producer_id=7,
        producer_epoch=0,
        is_transactional=True,
        is_control=True,
    )
    log.append_as_leader(marker, 0, NOW_MS, from_client=False)
    entry = log.producer_state.producers[7]
    assert (entry.coordinator_epoch, len(entry.batches)) == (9, 1)
