"""Prints log files as text, in the format of Apache Kafka's dump tool.

Scripts parse these lines, so spacing and names are exactly Kafka's. The functions never write: they
may read the files of a running broker, whose last batch may be incomplete. Inconsistencies (of an
index and its log, gaps) are returned separately, as findings.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from raftka.model.compression import NAMES as COMPRESSIONS
from raftka.model.crc import crc32c
from raftka.model.errors import KafkaError
from raftka.model.message_set import Message, iter_messages
from raftka.model.ports import Disk, File, read_file
from raftka.model.record_batch import (
    ATTRIBUTES_AT,
    COMPRESSION_MASK,
    BatchHeader,
    advance_sequence,
)
from raftka.model.records import Record, iter_records
from raftka.model.text import AS_JAVA
from raftka.storage.dump_entries import DumpOptions, Entry, Findings, read_entries
from raftka.storage.dump_indexes import is_number, offset_index_lines, time_index_lines
from raftka.storage.producer_snapshot import SUFFIX as SNAPSHOT_SUFFIX
from raftka.storage.producer_snapshot import SnapshotCorrupt, decode

_JOURNAL_SUFFIX: Final = ".journal"
_TXN_ENTRY: Final = struct.Struct(">hqqqq")
_END_MARKER: Final = struct.Struct(">hi")
_MARKERS: Final = {0: "ABORT", 1: "COMMIT"}


def dump(disk: Disk, path: str, options: DumpOptions, findings: Findings) -> Iterator[str]:
    """The lines for one file, by the type in its name. Raises OSError."""
    yield f"Dumping {path}"
    name = path.rpartition("/")[2]
    stem, dot, suffix = name.partition(".")
    suffix = dot + suffix
    if suffix == _JOURNAL_SUFFIX:
        where = path.removesuffix(name).rstrip("/") or "."
        raise OSError(0, f"a journal of the metadata quorum: use raftka metadata log {where}", path)
    if suffix == ".log" or suffix == ".checkpoint":
        file = disk.open(path)
        try:
            yield from _log_lines(file, path, options, findings)
        finally:
            file.close()
    elif suffix == ".index" and is_number(stem):
        yield from offset_index_lines(disk, path, int(stem), options, findings)
    elif suffix == ".timeindex" and is_number(stem):
        yield from time_index_lines(disk, path, int(stem), options, findings)
    elif suffix == SNAPSHOT_SUFFIX:
        yield from _snapshot_lines(read_file(disk, path))
    elif suffix == ".txnindex":
        yield from _transaction_lines(read_file(disk, path))
    else:
        yield f"Ignoring unknown file {name}"


# ---- logs


def _log_lines(file: File, path: str, options: DumpOptions, findings: Findings) -> Iterator[str]:
    name = path.rpartition("/")[2]
    stem = name.partition(".")[0].partition("-")[0]
    if is_number(stem):
        yield f"Log starting offset: {int(stem)}"
    size = file.size()
    end = 0
    gaps: list[str] = []
    last_offset: int | None = None
    is_deep = options.deep or options.data
    try:
        for entry in read_entries(file, path, min(size, options.max_bytes)):
            yield _entry_line(entry)
            end = entry.position + entry.size
            offsets: list[tuple[int, int]] = []
            if isinstance(entry.header, BatchHeader):
                offsets.append((entry.header.base_offset, entry.last_offset))
            if is_deep:
                try:
                    for offset, line in _deep_lines(entry, options):
                        if isinstance(entry.header, Message):
                            offsets.append((offset, offset))
                        if line:
                            yield line
                except KafkaError as error:
                    findings.fail(f"{path} at position {entry.position}: {error.message}")
            for first, last in offsets:
                if last_offset is not None and first != last_offset + 1:
                    gaps.append(f"  {last_offset} is followed by {first}")
                last_offset = last
    except KafkaError as error:
        findings.fail(error.message)
    if gaps:
        findings.lines += [f"Non-consecutive offsets in {options.full(path)}", *gaps]
    if end < size and size <= options.max_bytes:
        yield f"Found {size - end} invalid bytes at the end of {name}"


def _deep_lines(entry: Entry, options: DumpOptions) -> Iterator[tuple[int, str]]:
    """(offset, line) of each record; the line is empty if the record is not printed."""
    header = entry.header
    if isinstance(header, BatchHeader):
        for index, record in enumerate(iter_records(entry.data)):
            yield record.offset, _record_line(index, record, header, options)
    else:
        for message in iter_messages(header):
            yield message.offset, _message_line(message, header, options)


def _entry_line(entry: Entry) -> str:
    if isinstance(entry.header, BatchHeader):
        is_valid = crc32c(memoryview(entry.data)[ATTRIBUTES_AT:]) == entry.header.crc
        return _batch_line(entry.position, entry.header, is_valid)
    message = entry.header
    return (
        f"offset: {message.offset} position: {entry.position} "
        f"{message.timestamp_type}: {message.timestamp} size: {message.size} "
        f"magic: {message.magic} compresscodec: {_codec(message.codec)} "
        f"crc: {message.crc} isvalid: {_bool(message.is_valid)}"
    )


def _codec(number: int) -> str:
    return COMPRESSIONS[number] if number < len(COMPRESSIONS) else str(number)


def _batch_line(position: int, header: BatchHeader, is_valid: bool) -> str:
    horizon = header.delete_horizon_ms
    return (
        f"baseOffset: {header.base_offset} lastOffset: {header.last_offset} "
        f"count: {header.record_count} baseSequence: {header.base_sequence} "
        f"lastSequence: {header.last_sequence} producerId: {header.producer_id} "
        f"producerEpoch: {header.producer_epoch} "
        f"partitionLeaderEpoch: {header.leader_epoch} "
        f"isTransactional: {_bool(header.is_transactional)} "
        f"isControl: {_bool(header.is_control)} "
        f"deleteHorizonMs: {_optional(horizon)} position: {position} "
        f"{header.timestamp_type}: {header.max_timestamp} size: {header.size} "
        f"magic: {header.magic} compresscodec: {_codec(header.attributes & COMPRESSION_MASK)} "
        f"crc: {header.crc} isvalid: {_bool(is_valid)}"
    )


def _record_line(index: int, record: Record, header: BatchHeader, options: DumpOptions) -> str:
    """The line of one record; empty if it is not printed."""
    parts: list[str] = []
    if options.record_metadata:
        sequence = -1
        if header.base_sequence >= 0:
            sequence = advance_sequence(header.base_sequence, index)
        names = ",".join(name for name, _ in record.headers)
        parts += [
            f"offset: {record.offset}",
            f"{header.timestamp_type}: {record.timestamp}",
            f"keySize: {_size(record.key)}",
            f"valueSize: {_size(record.value)}",
            f"sequence: {sequence}",
            f"headerKeys: [{names}]",
        ]
    if header.is_control:
        if not options.record_metadata:
            return ""
        parts += _control_parts(record)
    elif options.data:
        parts += _content_parts(record, options)
    return "| " + " ".join(parts)


def _message_line(message: Message, wrapper: Message, options: DumpOptions) -> str:
    """The line of a message of magic 0 or 1, with its own CRC, without sequence and headers."""
    parts: list[str] = []
    if options.record_metadata:
        parts += [
            f"offset: {message.offset}",
            f"{wrapper.timestamp_type}: {message.timestamp}",
            f"keySize: {_size(message.key)}",
            f"valueSize: {_size(message.value)}",
            f"isValid: {_bool(message.is_valid)}",
            f"crc: {message.crc}",
        ]
    if options.data:
        record = Record(message.offset, message.timestamp, message.key, message.value)
        parts += _content_parts(record, options)
    return "| " + " ".join(parts)


def _content_parts(record: Record, options: DumpOptions) -> list[str]:
    key, payload = (options.decoder or decode_text)(record)
    parts: list[str] = []
    if key is not None:
        parts.append(f"key: {key}")
    if payload is not None:
        parts.append(f"payload: {payload}")
    return parts


def _control_parts(record: Record) -> list[str]:
    """The type and the coordinator of a control record."""
    kind = int.from_bytes((record.key or b"")[2:4], "big")
    if kind in _MARKERS and record.value is not None and len(record.value) >= _END_MARKER.size:
        _, epoch = _END_MARKER.unpack_from(record.value)
        return [f"endTxnMarker: {_MARKERS[kind]}", f"coordinatorEpoch: {epoch}"]
    return [f"controlType: {kind}"]


def decode_text(record: Record) -> tuple[str | None, str | None]:
    """Decode key and value as UTF-8, the tool's default."""
    return _text(record.key), _text(record.value)


def _text(data: bytes | None) -> str | None:
    return None if data is None else str(data, "utf-8", AS_JAVA)


def _size(data: bytes | None) -> int:
    return -1 if data is None else len(data)


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _optional(value: int | None) -> str:
    """A number that may be missing, as Java prints an OptionalLong."""
    return "OptionalLong.empty" if value is None else f"OptionalLong[{value}]"


# ---- producers and transactions


def _snapshot_lines(data: bytes) -> Iterator[str]:
    try:
        entries = decode(data)
    except SnapshotCorrupt as error:
        yield str(error)
        return
    for entry in entries:
        first_sequence = entry.last_sequence - entry.offset_delta
        if entry.last_sequence < 0:
            first_sequence = -1
        elif first_sequence < 0:
            first_sequence += 2**31
        transaction = entry.current_txn_first_offset
        line = (
            f"producerId: {entry.producer_id} producerEpoch: {entry.producer_epoch} "
            f"coordinatorEpoch: {entry.coordinator_epoch} "
            f"currentTxnFirstOffset: {_optional(transaction if transaction >= 0 else None)} "
            f"lastTimestamp: {entry.timestamp} "
        )
        if entry.last_offset >= 0:
            line += (
                f"firstSequence: {first_sequence} lastSequence: {entry.last_sequence} "
                f"lastOffset: {entry.last_offset} offsetDelta: {entry.offset_delta} "
                f"timestamp: {entry.timestamp}"
            )
        yield line


def _transaction_lines(data: bytes) -> Iterator[str]:
    whole = len(data) - len(data) % _TXN_ENTRY.size
    for version, producer_id, first, last, stable in _TXN_ENTRY.iter_unpack(data[:whole]):
        yield (
            f"version: {version} producerId: {producer_id} firstOffset: {first} "
            f"lastOffset: {last} lastStableOffset: {stable}"
        )
