"""Ends of transactions as control batches, against bytes that Apache Kafka 4.4.0 wrote."""

from __future__ import annotations

import struct

import pytest

from raftka.model.control_records import EndMarker, encode_end_marker, read_end_marker
from raftka.model.records import Record, encode_batch, patch, validate

COMMITTED = bytes.fromhex(
    "0000000000000016000000420000000002cf6ab98d003000000000000001a22af5b98c000001a22af5b98c"
    "00000000000000000001ffffffff000000012000000008000000010c00000000000000"
)
"""Offset 22, leader epoch 0: the end of producer 0's transaction, under epoch 1."""
ABORTED = bytes.fromhex(
    "000000000000004000000042000000000292a249c6003000000000000001a22af5e539000001a22af5e539"
    "00000000000000010001ffffffff000000012000000008000000000c00000000000000"
)


def control(key: bytes, value: bytes) -> bytes:
    return encode_batch([Record(0, 0, key, value)], is_control=True)


@pytest.mark.parametrize(
    ("written", "marker", "offset", "timestamp_ms"),
    [
        (COMMITTED, EndMarker(0, 1, True, 0), 22, 1796017076620),
        (ABORTED, EndMarker(1, 1, False, 0), 64, 1796017087801),
    ],
)
def test_markers_are_byte_for_byte_kafkas(
    written: bytes, marker: EndMarker, offset: int, timestamp_ms: int
) -> None:
    assert read_end_marker(validate(written), written) == marker
    ours = bytearray(encode_end_marker(marker, timestamp_ms))
    patch(ours, offset, 0)
    assert ours == written


def test_a_marker_names_the_coordinators_epoch() -> None:
    marker = EndMarker(2**40, 32_767, False, 2**31 - 1)
    batch = encode_end_marker(marker, 5)
    header = validate(batch)
    assert (header.is_control, header.is_transactional, header.base_sequence) == (True, True, -1)
    assert read_end_marker(header, batch) == marker


@pytest.mark.parametrize(
    "batch",
    [
        control(struct.pack(">hh", 0, 2), bytes(6)),
        control(b"\x00\x00\x00", bytes(6)),
        control(struct.pack(">hh", 0, 1), b"\x00"),
    ],
    ids=["the quorum's kind", "a short key", "a short value"],
)
def test_other_control_records_are_no_markers(batch: bytes) -> None:
    assert read_end_marker(validate(batch), batch) is None
