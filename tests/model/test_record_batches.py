"""Batches and records survive a round trip, also through Kafka's own libraries."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.record_batch import (
    advance_sequence,
    complete_size,
    parse_header,
    restamp,
)
from raftka.model.records import (
    LOG_APPEND_TIME,
    Record,
    encode_batch,
    iter_batches,
    iter_records,
    patch,
    validate,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about its own use of importlib.resources
    from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")

octets = st.none() | st.binary(max_size=200)
headers = st.lists(st.tuples(st.text(max_size=10), octets), max_size=3)
records = st.builds(
    Record,
    offset=st.just(0),
    timestamp=st.integers(0, 2**45),
    key=octets,
    value=octets,
    headers=headers,
)


def numbered(given_records: list[Record], base: int) -> list[Record]:
    return [
        record._replace(offset=base + index, headers=record.headers or ())
        for index, record in enumerate(given_records)
    ]


@given(
    st.lists(records, min_size=1, max_size=20),
    st.integers(0, 2**60),
    st.sampled_from(CODECS),
)
@settings(max_examples=60, deadline=None)
def test_what_is_encoded_is_read(written: list[Record], base_offset: int, compression: str) -> None:
    batch = encode_batch(written, base_offset=base_offset, compression=compression)
    header = validate(batch)
    assert header.record_count == len(written)
    assert header.last_offset == base_offset + len(written) - 1
    assert header.max_timestamp == max(record.timestamp for record in written)
    assert list(iter_records(batch)) == numbered(written, base_offset)


@given(st.lists(records, min_size=1, max_size=8), st.sampled_from(CODECS[:2]))
@settings(max_examples=40, deadline=None)
def test_another_library_reads_it(written: list[Record], compression: str) -> None:
    batch = encode_batch(written, base_offset=7, compression=compression, producer_id=3)
    theirs: Any = DefaultRecordBatch(memoryview(batch))
    assert theirs.validate_crc()
    got = [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in theirs]
    assert got == [(*r[:4], list(r.headers)) for r in numbered(written, 7)]


@given(st.lists(records, min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_what_another_library_writes_is_read(written: list[Record]) -> None:
    builder: Any = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=False,
        producer_id=5,
        producer_epoch=1,
        base_sequence=9,
        batch_size=1 << 20,
    )
    for index, r in enumerate(written):
        builder.append(index, r.timestamp, r.key, r.value, list(r.headers))
    batch = bytes(builder.build())
    header = validate(batch)
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (5, 1, 9)
    assert list(iter_records(batch)) == numbered(written, 0)


def test_a_patched_batch_is_still_valid() -> None:
    batch = bytearray(encode_batch([Record(0, 1, b"a", b"b")]))
    patch(batch, 1234, 56)
    header = validate(batch)
    assert (header.base_offset, header.leader_epoch) == (1234, 56)
    assert [record.offset for record in iter_records(batch)] == [1234]


def test_log_append_time_is_the_time_of_every_record() -> None:
    batch = bytearray(encode_batch([Record(0, 1, None, b"a"), Record(0, 99, None, b"b")]))
    restamp(batch, 5000, LOG_APPEND_TIME)
    header = validate(batch)
    assert header.timestamp_type == LOG_APPEND_TIME
    assert [record.timestamp for record in iter_records(batch)] == [5000, 5000]


@given(st.integers(0, 300), st.integers(0, 7))
@settings(max_examples=200, deadline=None)
def test_a_flipped_bit_is_noticed(position: int, bit: int) -> None:
    """Anywhere except in the two fields that the broker writes."""
    batch = bytearray(encode_batch([Record(0, 1, b"key", b"v" * 250)]))
    position = min(position, len(batch) - 1)
    batch[position] ^= 1 << bit
    if 0 <= position < 8 or 12 <= position < 16:
        validate(batch)
    else:
        with pytest.raises(KafkaError) as caught:
            validate(batch)
        assert caught.value.code is ErrorCode.CORRUPT_MESSAGE


@given(st.binary(max_size=300), st.sampled_from(CODECS))
@settings(max_examples=300, deadline=None)
def test_random_bytes_raise_only_kafka_errors(garbage: bytes, compression: str) -> None:
    good = encode_batch([Record(0, 1, b"key", b"value")], compression=compression)
    broken = bytearray(good[:61] + garbage)
    broken[8:12] = (len(broken) - 12).to_bytes(4, "big")
    try:
        list(iter_records(broken))
        list(iter_batches(garbage))
    except KafkaError as error:
        assert error.code in (ErrorCode.CORRUPT_MESSAGE, ErrorCode.RECORD_LIST_TOO_LARGE)


def test_a_lying_record_count_costs_nothing() -> None:
    batch = bytearray(encode_batch([Record(0, 1, b"key", b"value")]))
    batch[57:61] = (2**31 - 1).to_bytes(4, "big")
    with pytest.raises(KafkaError):
        list(iter_records(batch))


def test_cut_off_batches_are_left_out() -> None:
    first = encode_batch([Record(0, 1, None, b"a")])
    second = encode_batch([Record(0, 1, None, b"b")], base_offset=1)
    both = first + second
    for cut in range(len(both)):
        found = [header.base_offset for header, _ in iter_batches(both[:cut])]
        assert found == ([0] if cut >= len(first) else [])
    assert complete_size(both) == len(first)
    with pytest.raises(KafkaError):
        complete_size(bytes(12))
    with pytest.raises(KafkaError):
        parse_header(bytes(60))


def test_sequences_wrap() -> None:
    assert advance_sequence(2**31 - 1, 1) == 0
    assert advance_sequence(2**31 - 2, 3) == 1
    assert advance_sequence(-1, 1) == 0


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="record"):
        encode_batch([])
