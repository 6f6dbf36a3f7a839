"""Decodes the records in a batch, and encodes a batch of records.

model/record_batch.py has everything about a batch's header, which is re-exported here.

A record consists of zigzag varints and bytes: length, attributes, timestamp delta, offset delta,
key, value, headers. Source: Kafka's protocol documentation, "Record"; KIP-82 (headers).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from raftka.model import compression as codecs
from raftka.model.crc import crc32c
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_EPOCH, NO_PRODUCER_ID, NO_TIMESTAMP
from raftka.model.named_tuple import NamedTuple
from raftka.model.record_batch import (
    ATTRIBUTES_AT,
    CONTROL_BIT,
    CREATE_TIME,
    HEADER,
    HEADER_BYTES,
    LENGTH_OVERHEAD,
    LOG_APPEND_TIME,
    LOG_APPEND_TIME_BIT,
    MAGIC,
    TRANSACTIONAL_BIT,
    BatchHeader,
    Buffer,
    iter_batches,
    parse_header,
    patch,
    validate,
)
from raftka.model.text import decode_text

__all__ = [
    "CREATE_TIME",
    "LOG_APPEND_TIME",
    "BatchHeader",
    "Record",
    "encode_batch",
    "iter_batches",
    "iter_records",
    "parse_header",
    "patch",
    "validate",
]

Header = tuple[str, bytes | None]


class Record(NamedTuple):
    """One record. The offset and the timestamp (ms since 1970) are absolute."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()


Fields = tuple[int, int, bytes | None, bytes | None, Sequence[Header]]
"""The fields of a Record."""


def iter_records(batch: Buffer, limit: int = codecs.LIMIT_BYTES) -> Iterator[Record]:
    """The records of one batch in order, decompressed to at most `limit` bytes.

    Keys, values and header values are copies: they outlive `batch`. The CRC is not checked.
    Raises KafkaError: CORRUPT_MESSAGE for records that do not fill the batch exactly,
    RECORD_LIST_TOO_LARGE past the limit.
    """
    return map(Record._make, iter_fields(batch, limit))


def iter_fields(batch: Buffer, limit: int = codecs.LIMIT_BYTES) -> Iterator[Fields]:
    """The same as tuples of a Record's fields, for callers that create their own objects."""
    header = parse_header(batch)
    data = bytes(
        codecs.decompress(header.compression, memoryview(batch)[HEADER_BYTES : header.size], limit)
    )
    try:
        yield from _walk(header, data)
    except IndexError as error:
        raise _malformed(header, f"a record is cut off or of another length ({error})") from error


def _walk(header: BatchHeader, data: bytes) -> Iterator[Fields]:
    """The records in `data`. IndexError if they do not fill it exactly.

    Consumers spend their time here: short varints are decoded inline. A field that exceeds the end
    is detected at the next byte.
    """
    base_offset = header.base_offset
    fixed_time = header.attributes & LOG_APPEND_TIME_BIT
    base_timestamp = header.max_timestamp if fixed_time else header.base_timestamp
    varint, position = read_varint, 0
    for _ in range(header.record_count):
        size = data[position]
        if size < 0x80:
            size = (size >> 1) ^ -(size & 1)
            position += 1
        elif (high := data[position + 1]) < 0x80:
            size = (size & 0x7F | high << 7) >> 1 ^ -(size & 1)
            position += 2
        else:
            size, position = varint(data, position)
        end = position + size
        time_delta = data[position + 1]  # skip the attributes, of which none are defined
        if time_delta < 0x80:
            time_delta = (time_delta >> 1) ^ -(time_delta & 1)
            position += 2
        else:
            time_delta, position = varint(data, position + 1)
        offset_delta = data[position]
        if offset_delta < 0x80:
            offset_delta = (offset_delta >> 1) ^ -(offset_delta & 1)
            position += 1
        elif (high := data[position + 1]) < 0x80:
            offset_delta = (offset_delta & 0x7F | high << 7) >> 1 ^ -(offset_delta & 1)
            position += 2
        else:
            offset_delta, position = varint(data, position)
        size = data[position]
        if size < 0x80:
            size = (size >> 1) ^ -(size & 1)
            position += 1
        else:
            size, position = varint(data, position)
        key = None
        if size >= 0:
            key = data[position : position + size]
            position += size
        size = data[position]
        if size < 0x80:
            size = (size >> 1) ^ -(size & 1)
            position += 1
        elif (high := data[position + 1]) < 0x80:
            size = (size & 0x7F | high << 7) >> 1 ^ -(size & 1)
            position += 2
        else:
            size, position = varint(data, position)
        value = None
        if size >= 0:
            value = data[position : position + size]
            position += size
        headers: Sequence[Header] = ()
        if data[position]:
            headers, position = _read_headers(data, position)
        else:
            position += 1
        if position != end:
            raise IndexError(f"it ends at byte {position} and declares {end}")
        timestamp = base_timestamp if fixed_time else base_timestamp + time_delta
        yield (base_offset + offset_delta, timestamp, key, value, headers)
    if position != len(data):
        raise IndexError(f"{len(data) - position} bytes follow the last one")


def _malformed(header: BatchHeader, what: str) -> KafkaError:
    return KafkaError(
        ErrorCode.CORRUPT_MESSAGE,
        f"The batch at offset {header.base_offset} with {header.record_count} records is "
        f"malformed: {what}.",
    )


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """(value, position after it) of a zigzag varint. IndexError at the end of the data."""
    byte = data[position]
    position += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), position
    value = byte & 0x7F
    shift = 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position
        shift += 7
        if shift > 63:
            raise IndexError("a varint of more than ten bytes")


def _read_bytes(data: bytes, position: int) -> tuple[bytes | None, int]:
    """(bytes, or None for length -1; position after them)."""
    size, position = read_varint(data, position)
    if size < 0:
        return None, position
    end = position + size
    if end > len(data):
        raise IndexError("bytes past the end")
    return data[position:end], end


def _read_headers(data: bytes, position: int) -> tuple[list[Header], int]:
    count, position = read_varint(data, position)
    if not 0 <= count <= len(data) - position:
        raise IndexError("more headers than bytes")
    headers: list[Header] = []
    for _ in range(count):
        name, position = _read_bytes(data, position)
        value, position = _read_bytes(data, position)
        if name is None:
            raise IndexError("a header without a key")
        try:
            headers.append((name.decode(), value))
        except UnicodeDecodeError:
            headers.append((decode_text(name), value))
    return headers, position


def varint(value: int) -> bytes:
    """A signed integer as zigzag varint."""
    value = (value << 1) ^ (value >> 63)
    if value < 0x80:
        return _ONE_BYTE[value]
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_ONE_BYTE = [bytes([value]) for value in range(0x80)]
_NULL = b"\x01"  # the varint of length -1


def encode_record(offset_delta: int, time_delta: int, record: Record) -> bytes:
    """One encoded record, as in a batch."""
    _, _, key, value, headers = record
    if key is None:
        key_size, key = _NULL, b""
    else:
        key_size = varint(len(key))
    if value is None:
        value_size, value = _NULL, b""
    else:
        value_size = varint(len(value))
    time = varint(time_delta)
    place = varint(offset_delta)
    rest = _encode_headers(headers) if headers else b"\0"
    size = 1 + len(time) + len(place) + len(key_size) + len(key) + len(value_size) + len(value)
    return b"".join(
        (varint(size + len(rest)), b"\0", time, place, key_size, key, value_size, value, rest)
    )


def _encode_headers(headers: Sequence[Header]) -> bytes:
    parts = [varint(len(headers))]
    for name, value in headers:
        encoded = name.encode("utf-8")
        parts += (varint(len(encoded)), encoded)
        parts += (_NULL,) if value is None else (varint(len(value)), value)
    return b"".join(parts)


def encode_batch(
    records: Iterable[Record],
    *,
    base_offset: int = 0,
    compression: str = "none",
    compression_level: int | None = None,
    producer_id: int = NO_PRODUCER_ID,
    producer_epoch: int = NO_EPOCH,
    base_sequence: int = -1,
    leader_epoch: int = NO_EPOCH,
    is_transactional: bool = False,
    is_control: bool = False,
    timestamp_type: str = CREATE_TIME,
) -> bytes:
    """A batch of `records`, numbered from `base_offset` in their order.

    Offsets in the records are ignored; their timestamps are kept (-1 for none). Raises ValueError
    without records: clients must not send empty batches.
    """
    listed = list(records)
    if not listed:
        raise ValueError("a batch needs a record")
    base_timestamp = listed[0].timestamp
    body = b"".join(
        [
            encode_record(index, record.timestamp - base_timestamp, record)
            for index, record in enumerate(listed)
        ]
    )
    return wrap_records(
        body,
        len(listed),
        base_timestamp,
        max(record.timestamp for record in listed),
        base_offset=base_offset,
        compression=compression,
        compression_level=compression_level,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        leader_epoch=leader_epoch,
        is_transactional=is_transactional,
        is_control=is_control,
        timestamp_type=timestamp_type,
    )


def wrap_records(
    body: Buffer,
    count: int,
    base_timestamp: int,
    max_timestamp: int,
    *,
    base_offset: int = 0,
    compression: str = "none",
    compression_level: int | None = None,
    producer_id: int = NO_PRODUCER_ID,
    producer_epoch: int = NO_EPOCH,
    base_sequence: int = -1,
    leader_epoch: int = NO_EPOCH,
    is_transactional: bool = False,
    is_control: bool = False,
    timestamp_type: str = CREATE_TIME,
) -> bytes:
    """A batch of `count` encoded records, whose deltas match the batch."""
    if compression != "none":
        body = codecs.compress(compression, body, compression_level)
    attributes = (
        codecs.NAMES.index(compression)
        | (LOG_APPEND_TIME_BIT if timestamp_type == LOG_APPEND_TIME else 0)
        | (TRANSACTIONAL_BIT if is_transactional else 0)
        | (CONTROL_BIT if is_control else 0)
    )
    header = BatchHeader(
        base_offset=base_offset,
        length=HEADER_BYTES - LENGTH_OVERHEAD + len(body),
        leader_epoch=leader_epoch,
        magic=MAGIC,
        crc=0,
        attributes=attributes,
        last_offset_delta=count - 1,
        base_timestamp=base_timestamp,
        max_timestamp=max(NO_TIMESTAMP, max_timestamp),
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        record_count=count,
    )
    return seal(header, body)


def seal(header: BatchHeader, body: Buffer) -> bytes:
    """Build a batch of that header and (compressed) body, with its length and CRC."""
    header = header._replace(length=HEADER_BYTES - LENGTH_OVERHEAD + len(body))
    checked = HEADER.pack(*header)[ATTRIBUTES_AT:]
    crc = crc32c(body, crc32c(checked))
    return HEADER.pack(*header._replace(crc=crc)) + body
