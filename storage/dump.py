"""Log files as text, line by line, laid out as Apache Kafka's dump tool lays them out.

Scripts parse these lines, so spacing and names are kept to the letter. The functions read and
never write: they may look at the files of a running broker, whose last batch may still be on its
way. What does not fit together (an index against its log, gaps) is returned apart, as findings.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from raftka.model.crc import crc32c
from raftka.model.errors import KafkaError
from raftka.model.ports import Disk, File, read_file
from raftka.model.record_batch import (
    ATTRIBUTES_AT,
    HEADER,
    HEADER_BYTES,
    MAGIC,
    BatchHeader,
    advance_sequence,
)
from raftka.model.records import Record, iter_records
from raftka.model.text import AS_JAVA
from raftka.storage.index import OffsetIndex, TimeIndex
from raftka.storage.producer_snapshot import SUFFIX as SNAPSHOT_SUFFIX
from raftka.storage.producer_snapshot import SnapshotCorrupt, decode

Decoder = Callable[[Record], tuple[str | None, str | None]]
"""(key, payload) of a record as text, None for what is not shown."""

_JOURNAL_SUFFIX: Final = ".journal"
_TXN_ENTRY: Final = struct.Struct(">hqqqq")
_END_MARKER: Final = struct.Struct(">hi")
_MARKERS: Final = {0: "ABORT", 1: "COMMIT"}


@dataclasses.dataclass(slots=True)
class DumpOptions:
    """What the dump tool's options ask for."""

    deep: bool = False
    """Show each record, not only the batches."""
    data: bool = False
    """Show keys and payloads; implies deep."""
    record_metadata: bool = True
    verify_only: bool = False
    sanity_check: bool = False
    max_bytes: int = 2**31 - 1
    decoder: Decoder | None = None


@dataclasses.dataclass(slots=True)
class Findings:
    """What does not fit together, in lines for the error stream."""

    lines: list[str] = dataclasses.field(default_factory=list)


def dump(disk: Disk, path: str, options: DumpOptions, findings: Findings) -> Iterator[str]:
    """The lines for one file, by the kind that its name tells. Raises OSError."""
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
    elif suffix in (".index", ".timeindex") and stem.isdigit():
        yield from _index_lines(disk, path, int(stem), options, findings)
    elif suffix == SNAPSHOT_SUFFIX:
        yield from _snapshot_lines(read_file(disk, path))
    elif suffix == ".txnindex":
        yield from _transaction_lines(read_file(disk, path))
    else:
        yield f"Ignoring unknown file {name}"


# ---- logs


def read_batches(file: File, end: int) -> Iterator[tuple[int, BatchHeader, bytes]]:
    """(position, header, bytes) of the whole batches before position `end`."""
    position = 0
    while position + HEADER_BYTES <= end:
        head = file.read(HEADER_BYTES, position)
        if len(head) < HEADER_BYTES:
            return
        header = BatchHeader._make(HEADER.unpack(head))
        if header.size < HEADER_BYTES or position + header.size > end or header.magic != MAGIC:
            return
        yield position, header, file.read(header.size, position)
        position += header.size


def _log_lines(file: File, path: str, options: DumpOptions, findings: Findings) -> Iterator[str]:
    name = path.rpartition("/")[2]
    stem = name.partition(".")[0].partition("-")[0]
    if stem.isdigit():
        yield f"Log starting offset: {int(stem)}"
    size = file.size()
    end = 0
    last_offset: int | None = None
    for position, header, batch in read_batches(file, min(size, options.max_bytes)):
        end = position + header.size
        is_valid = crc32c(memoryview(batch)[ATTRIBUTES_AT:]) == header.crc
        yield _batch_line(position, header, is_valid)
        if last_offset is not None and header.base_offset != last_offset + 1:
            findings.lines += [
                f"Non-consecutive offsets in {path}",
                f"  {last_offset} is followed by {header.base_offset}",
            ]
        last_offset = header.last_offset
        if options.deep or options.data:
            try:
                for index, record in enumerate(iter_records(batch)):
                    line = _record_line(index, record, header, options)
                    if line:
                        yield line
            except KafkaError as error:
                findings.lines.append(f"{path} at position {position}: {error.message}")
    if end < size and size <= options.max_bytes:
        yield f"Found {size - end} invalid bytes at the end of {name}"


def _batch_line(position: int, header: BatchHeader, is_valid: bool) -> str:
    horizon = header.delete_horizon_ms
    codec = header.attributes & 7
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
        f"magic: {header.magic} compresscodec: {header.compression if codec < 5 else codec} "
        f"crc: {header.crc} isvalid: {_bool(is_valid)}"
    )


def _record_line(index: int, record: Record, header: BatchHeader, options: DumpOptions) -> str:
    """One record; empty for what is not to be shown."""
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
        key, payload = (options.decoder or decode_text)(record)
        if key is not None:
            parts.append(f"key: {key}")
        if payload is not None:
            parts.append(f"payload: {payload}")
    return "| " + " ".join(parts)


def _control_parts(record: Record) -> list[str]:
    """What a control record says: of which kind, and by which coordinator."""
    kind = int.from_bytes((record.key or b"")[2:4], "big")
    if kind in _MARKERS and record.value is not None and len(record.value) >= _END_MARKER.size:
        _, epoch = _END_MARKER.unpack_from(record.value)
        return [f"endTxnMarker: {_MARKERS[kind]}", f"coordinatorEpoch: {epoch}"]
    return [f"controlType: {kind}"]


def decode_text(record: Record) -> tuple[str | None, str | None]:
    """Key and value as UTF-8, as the tool shows them unless told otherwise."""
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


# ---- indexes


def _index_lines(
    disk: Disk, path: str, base_offset: int, options: DumpOptions, findings: Findings
) -> Iterator[str]:
    kind = OffsetIndex if path.endswith(".index") else TimeIndex
    entry = kind.ENTRY
    data = read_file(disk, path)
    entries = list(entry.iter_unpack(data[: len(data) - len(data) % entry.size]))
    if options.sanity_check:
        out_of_order = any(a > b for a, b in pairwise(entries))
        if len(data) % entry.size or out_of_order:
            findings.lines.append(f"{path} failed sanity check.")
        else:
            yield f"{path} passed sanity check."
        return
    log = _open_log_of(disk, path)
    try:
        for number, (key, value) in enumerate(entries):
            offset = base_offset + (key if kind is OffsetIndex else value)
            if number and offset == base_offset:
                return  # what follows is reserved space
            if kind is OffsetIndex:
                findings.lines += _check_offset_entry(path, log, offset, value)
            if options.verify_only:
                continue
            if kind is OffsetIndex:
                yield f"offset: {offset} position: {value}"
            else:
                yield f"timestamp: {key} offset: {offset}"
    finally:
        if log is not None:
            log.close()


def _open_log_of(disk: Disk, path: str) -> File | None:
    log_path = path.rpartition(".")[0] + ".log"
    return disk.open(log_path) if disk.exists(log_path) else None


def _check_offset_entry(path: str, log: File | None, offset: int, position: int) -> list[str]:
    """What is wrong with an entry: it must point at the batch whose last offset it names."""
    if log is None:
        return []
    head = log.read(HEADER_BYTES, position)
    if len(head) == HEADER_BYTES:
        header = BatchHeader._make(HEADER.unpack(head))
        if header.last_offset == offset:
            return []
        found = str(header.last_offset)
    else:
        found = "none"
    return [f"Mismatches in :{path}", f"  Index offset: {offset}, log offset: {found}"]


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
