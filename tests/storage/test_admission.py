"""The batches that a leader accepts: Apache Kafka's answers, and the stored bytes."""

from __future__ import annotations

from random import Random

import pytest

from raftka.model import record_check
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.record_batch import (
    CREATE_TIME,
    HEADER_BYTES,
    LOG_APPEND_TIME,
    parse_header,
    validate,
)
from raftka.model.records import Record, encode_batch, iter_batches, iter_records
from raftka.storage.admission import RecordsRefused
from raftka.storage.config import LogConfig
from raftka.storage.leader_checks import LeaderChecks
from raftka.storage.log import Log
from tests.support.logs import NOW_MS, new_log, read_bytes
from tests.support.raw_batches import CASES, STRICTER, batch, mutate, octets, packed, record, three


@pytest.fixture(params=["compiled", "python"], autouse=True)
def either_pass(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the compiled pass over records, if there is one, and without it."""
    if request.param == "python":
        monkeypatch.setattr(record_check, "compiled_walk", lambda: None)


def answer(log: Log, data: bytes) -> int:
    """The error code for a batch; a refused one leaves nothing behind. A transactional one without
    a transactional.id is refused before the log sees it.
    """
    before = (log.log_end_offset, log.size)
    if len(data) >= HEADER_BYTES and parse_header(data).is_transactional:
        return int(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    try:
        log.append_as_leader(bytearray(data), 0, NOW_MS)
    except KafkaError as error:
        assert (log.log_end_offset, log.size) == before
        return int(error.code)
    return 0


def stored(log: Log) -> bytes:
    return read_bytes(log.read(0, 1 << 30, log.log_end_offset))


def test_answers_are_those_of_kafka() -> None:
    differs = {}
    for name, (data, code) in CASES.items():
        found = answer(new_log(), data)
        if found != STRICTER.get(name, code):
            differs[name] = (code, found)
    assert differs == {}
    assert STRICTER.keys() <= CASES.keys()


@pytest.mark.parametrize(
    "good", [record(), record(key=octets(None)), record(value=octets(bytes(70)))]
)
def test_each_byte_of_a_record_is_looked_at_when_its_shape_is_known(good: bytes) -> None:
    """A batch of one record is compared with the shape of an earlier one, for every value of each
    byte.
    """
    checks = LeaderChecks(TopicPartition("t", 0), LogConfig())
    whole = memoryview(bytearray(batch(good)))
    refused = 0
    for place in range(len(good)):
        for value in range(256):
            changed = bytearray(good)
            changed[place] = value
            checks.accept(whole, NOW_MS, True)
            try:
                list(record_check.record_heads(bytes(changed), 1))
            except KafkaError:
                refused += 1
                with pytest.raises(KafkaError) as refusal:
                    checks.accept(memoryview(bytearray(batch(bytes(changed)))), NOW_MS, True)
                assert refusal.value.code is ErrorCode.INVALID_RECORD
            else:
                checks.accept(memoryview(bytearray(batch(bytes(changed)))), NOW_MS, True)
    assert refused > 1000


def test_what_is_stored_is_read_by_a_consumer() -> None:
    """All accepted batches, in order; the header has the largest timestamp."""
    log = new_log()
    for data, _ in CASES.values():
        answer(log, data)
    dice = Random(1)
    for _ in range(300):
        answer(log, mutate(dice))
    assert log.log_end_offset > 150
    expected = 0
    for header, view in iter_batches(stored(log)):
        validate(view)
        found = list(iter_records(view))
        assert [each.offset for each in found] == list(range(expected, header.next_offset))
        assert header.max_timestamp == max(-1, *(each.timestamp for each in found))
        assert header.timestamp_type == CREATE_TIME
        expected = header.next_offset


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("claimed", [-1, 5, NOW_MS + 10**12])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_the_largest_timestamp_is_that_of_the_records(codec: str, claimed: int, kind: type) -> None:
    log = new_log()
    data = (
        batch(three(), 3, max_time=claimed)
        if codec == "none"
        else packed(codec, three(), 3, max_time=claimed)
    )
    log.append_as_leader(kind(data), 0, NOW_MS)
    assert validate(stored(log)).max_timestamp == NOW_MS + 20
    assert log.max_timestamp_offset() == (NOW_MS + 20, 2, 0)
    assert log.offset_for_timestamp(NOW_MS + 5) == (NOW_MS + 10, 1, 0)
    assert log.offset_for_timestamp(NOW_MS + 21) is None


def test_retention_goes_by_the_records() -> None:
    for claimed in (NOW_MS - 10**10, NOW_MS + 10**10):
        log = new_log(retention_ms=1000, segment_bytes=200)
        for _ in range(4):
            log.append_as_leader(batch(three(), 3, max_time=claimed), 0, NOW_MS)
        assert log.delete_old_segments(NOW_MS + 1000, log.log_end_offset) == 0
        assert log.delete_old_segments(NOW_MS + 2000, log.log_end_offset) > 0


def test_rolling_goes_by_the_records() -> None:
    log = new_log(segment_ms=1000)
    log.append_as_leader(batch(record(), max_time=NOW_MS - 10**10), 0, NOW_MS)
    log.append_as_leader(batch(record(delta=900), max_time=NOW_MS + 10**10), 0, NOW_MS)
    assert len(log.segments) == 1
    log.append_as_leader(batch(record(delta=1100), max_time=NOW_MS), 0, NOW_MS)
    assert len(log.segments) == 2


def test_a_producers_last_time_is_that_of_the_records() -> None:
    log = new_log()
    log.append_as_leader(batch(three(), 3, max_time=5, producer=(7, 0, 0)), 0, NOW_MS)
    assert log.producer_state.producers[7].last_timestamp == NOW_MS + 20


def refused(log: Log, data: bytes) -> RecordsRefused:
    with pytest.raises(RecordsRefused) as caught:
        log.append_as_leader(data, 0, NOW_MS)
    return caught.value


def test_records_that_are_the_reason_are_named() -> None:
    log = new_log(message_timestamp_before_max_ms=1000, message_timestamp_after_max_ms=500)
    data = record() + record(1, delta=-1001) + record(2, delta=-1000) + record(3, delta=501)
    error = refused(log, batch(data, 4))
    assert error.code is ErrorCode.INVALID_TIMESTAMP
    assert [index for index, _ in error.records] == [1, 3]
    window = f"[{NOW_MS - 1000}, {NOW_MS + 500}]"
    assert error.records[0][1] == (
        f"Timestamp {NOW_MS - 1001} is out of range. It should be within {window}"
    )
    assert error.message.startswith("The batch was refused for record 1 and 1 more: Timestamp")


def test_a_record_without_a_timestamp_is_always_timely() -> None:
    log = new_log(message_timestamp_before_max_ms=1000)
    assert answer(log, batch(record(), base_time=-1, max_time=-1)) == 0
    mixed = record() + record(1, delta=NOW_MS)
    assert answer(log, batch(mixed, 2, base_time=-1, max_time=-1)) == 0
    assert log.max_timestamp_offset() == (NOW_MS - 1, 2, 0)


def test_compacted_topics_want_keys() -> None:
    log = new_log(cleanup_policy=("compact",))
    without = record(1, key=b"\x01")
    for data in (batch(record() + without, 2), packed("gzip", record() + without, 2)):
        error = refused(log, data)
        assert error.code is ErrorCode.INVALID_RECORD
        assert [index for index, _ in error.records] == [1]
    assert answer(log, batch(record(key=b"\x01"))) == ErrorCode.INVALID_RECORD
    assert answer(log, batch(record())) == 0


def test_log_append_time_hides_what_records_say() -> None:
    log = new_log(message_timestamp_type=LOG_APPEND_TIME, message_timestamp_before_max_ms=1)
    info = log.append_as_leader(batch(three(), 3, max_time=NOW_MS + 10**12), 0, NOW_MS + 77)
    assert info.log_append_time == NOW_MS + 77
    assert {each.timestamp for each in iter_records(stored(log))} == {NOW_MS + 77}
    assert log.max_timestamp_offset() == (NOW_MS + 77, 0, 0)
    marked = refused(log, batch(three(), 3, attributes=8))
    assert marked.code is ErrorCode.INVALID_TIMESTAMP
    assert len(marked.records) == 3


def test_a_mark_of_log_append_time_is_taken_off() -> None:
    log = new_log()
    log.append_as_leader(batch(three(), 3, attributes=8, max_time=NOW_MS + 5), 0, NOW_MS)
    header = validate(stored(log))
    assert (header.timestamp_type, header.max_timestamp) == (CREATE_TIME, NOW_MS + 20)


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("wanted", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
def test_a_topics_compression_keeps_the_records(codec: str, wanted: str) -> None:
    written = [Record(n, NOW_MS + n, b"key", b"value" * 100) for n in range(50)]
    log = new_log(compression_type=wanted)
    log.append_as_leader(encode_batch(written, compression=codec), 0, NOW_MS)
    assert list(iter_records(stored(log))) == written
    found = parse_header(stored(log)).compression
    assert found == ("none" if wanted == "uncompressed" else wanted)


@pytest.mark.parametrize("codec", ["gzip", "zstd", "lz4", "snappy"])
def test_a_bomb_is_refused(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A producer splits a batch that is too large and sends the halves."""
    bomb = encode_batch([Record(0, NOW_MS, None, bytes(3 << 20))], compression=codec)
    assert len(bomb) < 1 << 20
    assert answer(new_log(), bomb) == 0
    monkeypatch.setattr("raftka.storage.admission.MOST_BYTES", 1 << 20)
    assert answer(new_log(), bomb) == ErrorCode.MESSAGE_TOO_LARGE


@pytest.mark.parametrize("codec", ["gzip", "zstd", "lz4", "snappy"])
def test_a_topic_limits_what_a_batch_becomes(codec: str) -> None:
    """Answers of Apache Kafka 4.4.0 at max.decompressed.message.bytes=1000."""
    log = new_log(max_decompressed_message_bytes=1000)
    for size, code in ((900, 0), (5000, ErrorCode.INVALID_RECORD)):
        sent = encode_batch([Record(0, NOW_MS, None, bytes(size))], compression=codec)
        assert answer(log, sent) == code
    assert answer(log, encode_batch([Record(0, NOW_MS, None, bytes(5000))])) == 0


def test_a_duplicate_is_answered_as_before() -> None:
    log = new_log()
    data = batch(three(), 3, producer=(7, 0, 0))
    first = log.append_as_leader(data, 0, NOW_MS)
    again = log.append_as_leader(data, 0, NOW_MS)
    assert (again.base_offset, again.last_offset) == (first.base_offset, first.last_offset)
    assert again.duplicate
    wrong = batch(three() + b"\0", 3, producer=(7, 0, 0))
    assert answer(log, wrong) == ErrorCode.INVALID_RECORD


def test_producers_epochs_are_those_of_kafka() -> None:
    log = new_log()

    def told(*producer: int) -> int:
        return answer(log, batch(record(), producer=(producer[0], producer[1], producer[2])))

    assert told(1, -5, 0) == ErrorCode.INVALID_PRODUCER_EPOCH
    assert [told(2, -1, 0), told(2, 0, 5)] == [0, 0]
    assert [told(3, 0, 0), told(3, 1, 3)] == [0, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER]
