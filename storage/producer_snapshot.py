"""Producer snapshots: X.snapshot has the state of each idempotent producer before offset X.

The format is Kafka's, version 1: version int16, CRC32C uint32 over the rest, then an array of
(producer id, epoch, last sequence, last offset, offset delta, timestamp, coordinator epoch, first
offset of the open transaction).

Apache Kafka writes one entry per producer, its last batch. raftka writes up to five, oldest first,
so that duplicates are detected after a restart as well; when Apache Kafka reads the file, later
entries replace earlier ones, so it ends up with the last batch.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from raftka.model.crc import crc32c
from raftka.model.named_tuple import NamedTuple

VERSION: Final = 1
SUFFIX: Final = ".snapshot"

_PREFIX: Final = struct.Struct(">hI")
_COUNT: Final = struct.Struct(">i")
_ENTRY: Final = struct.Struct(">qhiqiqiq")
_COUNT_AT: Final = _PREFIX.size


class SnapshotCorrupt(ValueError):
    """A snapshot file is invalid; the message has the reason."""


class SnapshotEntry(NamedTuple):
    """One remembered batch of a producer; -1 for missing values."""

    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp: int
    coordinator_epoch: int
    current_txn_first_offset: int


def encode(entries: Iterable[SnapshotEntry]) -> bytes:
    """Encode these entries as a snapshot file."""
    packed = [_ENTRY.pack(*entry) for entry in entries]
    body = _COUNT.pack(len(packed)) + b"".join(packed)
    return _PREFIX.pack(VERSION, crc32c(body)) + body


def decode(data: bytes) -> list[SnapshotEntry]:
    """Decode the entries of a snapshot file. Raises SnapshotCorrupt."""
    if len(data) < _COUNT_AT + _COUNT.size:
        raise SnapshotCorrupt(f"{len(data)} bytes are too few for a snapshot")
    version, crc = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise SnapshotCorrupt(f"version {version} is unknown; only {VERSION} is known")
    body = memoryview(data)[_COUNT_AT:]
    if crc32c(body) != crc:
        raise SnapshotCorrupt("its checksum is wrong")
    (count,) = _COUNT.unpack_from(body)
    entries = body[_COUNT.size :]
    if count < 0 or len(entries) < count * _ENTRY.size:
        raise SnapshotCorrupt(f"{len(entries)} bytes cannot hold {count} entries")
    return [SnapshotEntry._make(e) for e in _ENTRY.iter_unpack(entries[: count * _ENTRY.size])]
