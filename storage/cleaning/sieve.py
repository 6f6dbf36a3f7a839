"""What stays of one batch when a log is cleaned.

A record stays if it is the last of its key that the offset map knows. A tombstone stays for
delete.retention.ms from its first cleaning, which writes the time into the batch's header: the
delete horizon takes the place of the base timestamp (KIP-534). A record without a key cannot be
compacted and goes, as in Apache Kafka. An empty batch stays in place of a producer's last one,
whose sequence is still needed, and of the last one that a cleaning reaches, so that the log's
segments keep saying where they end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from raftka.model import compression as codecs
from raftka.model.control_records import read_end_marker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_TIMESTAMP
from raftka.model.record_batch import (
    COMPRESSION_MASK,
    DELETE_HORIZON_BIT,
    HEADER_BYTES,
    LOG_APPEND_TIME_BIT,
    BatchHeader,
)
from raftka.model.records import Record, encode_record, iter_records, seal
from raftka.storage.cleaning.offset_map import SHORT, OffsetMap, fingerprint
from raftka.storage.cleaning.transactions import TransactionsPassed

Bytes = bytes | bytearray | memoryview

_NO_OFFSET: Final = -1


class LastOfProducer(NamedTuple):
    """Where a producer that is still remembered wrote last."""

    last_offset: int
    """Of its last batch with records; -1 when only an end marker of it is known."""
    epoch: int


def records_of(header: BatchHeader, batch: memoryview) -> bytes:
    """The records of a batch as one run of bytes, decompressed."""
    return bytes(codecs.decompress(header.compression, batch[HEADER_BYTES : header.size]))


Place = tuple[int, int, int, int, bytes | None, bool]
"""(start, end, offset, time after the batch's base, key, is a tombstone) of a record in a batch."""


def walk(header: BatchHeader, data: bytes) -> list[Place]:
    """The places of a batch's records in `data`, without a look at values and headers.

    Raises KafkaError CORRUPT_MESSAGE when the records do not fill `data` exactly.
    """
    found: list[Place] = []
    base, position = header.base_offset, 0
    try:
        for _ in range(header.record_count):
            start = position
            size = data[position]
            position += 1
            if size < 0x80:
                size >>= 1
            else:
                size, position = _long_varint(data, position, size)
            end = position + size
            time = data[position + 1]  # behind the attributes, of which none are defined
            position += 2
            if time < 0x80:
                time = (time >> 1) ^ -(time & 1)
            else:
                time, position = _long_varint(data, position, time)
            delta = data[position]
            position += 1
            if delta < 0x80:
                delta >>= 1
            else:
                delta, position = _long_varint(data, position, delta)
            size = data[position]
            position += 1
            if size < 0x80:
                size = (size >> 1) ^ -(size & 1)
            else:
                size, position = _long_varint(data, position, size)
            key = None
            if size >= 0:
                key = data[position : position + size]
                position += size
            # The varint of -1: no value.
            found.append((start, end, base + delta, time, key, data[position] == 1))
            if position >= end:
                raise IndexError("a record is shorter than its key")
            position = end
    except IndexError as error:
        raise _malformed(header) from error
    if position != len(data):
        raise _malformed(header)
    return found


def _long_varint(data: bytes, position: int, first: int) -> tuple[int, int]:
    """(value, position after it) of a zigzag varint whose first byte was read."""
    value, shift = first & 0x7F, 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position
        shift += 7
        if shift > 63:
            raise IndexError("a varint of more than ten bytes")


def _malformed(header: BatchHeader) -> KafkaError:
    return KafkaError(
        ErrorCode.CORRUPT_MESSAGE,
        f"The records of the batch at offset {header.base_offset} do not fill it exactly.",
    )


def _sealed(header: BatchHeader, body: bytes) -> bytes:
    """A batch of that header, compressed as its attributes say."""
    codec = header.compression
    return seal(header, body if codec == "none" else codecs.compress(codec, body))


class Sieve:
    """One cleaning of a log, batch by batch in their order."""

    __slots__ = (
        "_last_of_producers",
        "_map",
        "_now_ms",
        "_retention_ms",
        "_transactions",
        "_upper_offset",
    )

    def __init__(
        self,
        offset_map: OffsetMap,
        transactions: TransactionsPassed,
        last_of_producers: Mapping[int, LastOfProducer],
        *,
        upper_offset: int,
        now_ms: int,
        delete_retention_ms: int,
    ) -> None:
        """`upper_offset` is the first offset that this cleaning could not reach at most."""
        self._map = offset_map
        self._transactions = transactions
        self._last_of_producers = last_of_producers
        self._upper_offset = upper_offset
        self._now_ms = now_ms
        self._retention_ms = delete_retention_ms

    def sift(self, header: BatchHeader, batch: memoryview) -> Bytes | None:
        """What stays of the batch: itself, another one at the same offsets, or None.

        Raises KafkaError CORRUPT_MESSAGE for records that cannot be read.
        """
        horizon = header.delete_horizon_ms
        if header.is_control:
            marker = read_end_marker(header, batch)
            is_spent = marker is not None and self._transactions.has_nothing_left(
                header, commits=marker.commit
            )
            if is_spent and horizon is not None and horizon <= self._now_ms:
                return self._empty(header)
            if is_spent and horizon is None:
                return self._rebuilt(header, list(iter_records(batch)))
            return batch if header.record_count else self._empty(header)
        if self._transactions.is_aborted(header) or not header.record_count:
            return self._empty(header)
        data = records_of(header, batch)
        found = walk(header, data)
        offsets, latest = self._map.offsets, self._map.latest
        drops_tombstones = horizon is not None and horizon <= self._now_ms
        kept = []
        has_tombstone = False
        for each in found:
            _, _, offset, _, key, is_tombstone = each
            if offset <= latest:
                if key is None or (is_tombstone and drops_tombstones):
                    continue
                if offsets.get(key if len(key) < SHORT else fingerprint(key), _NO_OFFSET) > offset:
                    continue
            kept.append(each)
            has_tombstone |= is_tombstone
        if not kept:
            return self._empty(header)
        needs_horizon = has_tombstone and horizon is None
        if len(kept) == len(found) and not needs_horizon:
            return batch
        is_stamped = header.attributes & LOG_APPEND_TIME_BIT
        if not needs_horizon and not is_stamped and (horizon is not None or kept[0][3] == 0):
            # The base of their times is the same as before: the bytes of the records stay.
            latest = header.base_timestamp + max(each[3] for each in kept)
            body = b"".join([data[each[0] : each[1]] for each in kept])
            return _sealed(header._replace(record_count=len(kept), max_timestamp=latest), body)
        wanted = {each[2] for each in kept}
        records = [record for record in iter_records(batch) if record.offset in wanted]
        return self._rebuilt(header, records, sets_horizon=needs_horizon)

    def _rebuilt(
        self, header: BatchHeader, records: list[Record], *, sets_horizon: bool = True
    ) -> bytes:
        """The batch with these records and, if it has no delete horizon yet, with one."""
        base = records[0].timestamp
        attributes = header.attributes
        if sets_horizon:
            base = self._now_ms + self._retention_ms
            attributes |= DELETE_HORIZON_BIT
        elif header.delete_horizon_ms is not None:
            base = header.delete_horizon_ms
        body = b"".join(
            encode_record(record.offset - header.base_offset, record.timestamp - base, record)
            for record in records
        )
        latest = header.max_timestamp
        if not attributes & LOG_APPEND_TIME_BIT:
            latest = max(record.timestamp for record in records)
        return _sealed(
            header._replace(
                attributes=attributes,
                base_timestamp=base,
                max_timestamp=latest,
                record_count=len(records),
            ),
            body,
        )

    def _empty(self, header: BatchHeader) -> bytes | None:
        """A batch without records where one is needed."""
        if not self._is_needed(header):
            return None
        attributes = header.attributes & ~(COMPRESSION_MASK | DELETE_HORIZON_BIT)
        return seal(
            header._replace(attributes=attributes, base_timestamp=NO_TIMESTAMP, record_count=0),
            b"",
        )

    def _is_needed(self, header: BatchHeader) -> bool:
        """Whether it must be told where this batch was: for its producer, or for the log."""
        if header.next_offset == self._upper_offset:
            return True
        last = self._last_of_producers.get(header.producer_id)
        if last is None:
            return False
        if last.last_offset >= 0:
            return header.last_offset == last.last_offset
        return header.is_control and header.producer_epoch == last.epoch
