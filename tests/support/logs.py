"""Logs on a simulated disk, and batches for them."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from raftka.model.ids import TopicPartition, Uuid
from raftka.model.ports import Buffer, Disk, FileRegion
from raftka.model.record_batch import BatchHeader, iter_batches, parse_header
from raftka.model.records import Record, encode_batch, iter_records
from raftka.simulations.machines.disk import SimDisk
from raftka.simulations.machines.medium import Medium
from raftka.storage.config import LogConfig
from raftka.storage.log import Log, Slice
from raftka.storage.recovery import RecoveryReport, open_log
from raftka.storage.verification import Guard

NOW_MS = 1_700_000_000_000
TOPIC_ID = Uuid(bytes(range(16)))
PARTITION = TopicPartition("t", 0)
DIRECTORY = "/data/t-0"
FIRST_LOG = f"{DIRECTORY}/{0:020d}.log"


def new_disk(seed: int = 0) -> SimDisk:
    """An empty disk that loses what was not synced when its `medium` loses power."""
    return SimDisk(Medium(Random(seed)))


def reopen(
    disk: Disk,
    *,
    clean: bool = False,
    recovery_point: int = 0,
    log_start_offset: int = 0,
    config: LogConfig | None = None,
) -> tuple[Log, RecoveryReport]:
    """The log of PARTITION as a starting broker opens it."""
    return open_log(
        disk,
        DIRECTORY,
        PARTITION,
        TOPIC_ID,
        config or LogConfig(),
        now_ms=NOW_MS,
        clean=clean,
        recovery_point=recovery_point,
        log_start_offset=log_start_offset,
    )


def new_log(disk: Disk | None = None, **settings: Any) -> Log:
    """An empty log with those fields of LogConfig."""
    config = LogConfig(**settings)
    return reopen(disk or new_disk(), config=config)[0]


def batch(
    *values: str | None,
    key: bytes | None = b"k",
    timestamp: int = NOW_MS,
    compression: str = "none",
    producer_id: int = -1,
    producer_epoch: int = 0,
    base_sequence: int = -1,
    is_transactional: bool = False,
) -> bytearray:
    """A client's batch of those values."""
    return bytearray(
        encode_batch(
            [Record(0, timestamp, key, None if v is None else v.encode()) for v in values],
            compression=compression,
            producer_id=producer_id,
            producer_epoch=producer_epoch if producer_id >= 0 else -1,
            base_sequence=base_sequence,
            is_transactional=is_transactional,
        )
    )


def verified(log: Log, data: Buffer) -> Guard | None:
    """The verification that lets the first batch of a transaction in: its coordinator's consent."""
    header = parse_header(data)
    return log.producer_state.begin_verification(
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
        bumps_epoch=False,
        now_ms=NOW_MS,
    )


def append(log: Log, *values: str, epoch: int = 0, now_ms: int = NOW_MS) -> int:
    """Append one batch as the leader; its base offset."""
    return log.append_as_leader(batch(*values), epoch, now_ms).base_offset


def read_bytes(found: Slice) -> bytes:
    """The bytes that a slice sends on the wire."""
    parts = []
    for piece in found.pieces:
        if isinstance(piece, FileRegion):
            data = piece.file.read(piece.size, piece.offset)
            assert len(data) == piece.size
            parts.append(data)
        else:
            parts.append(bytes(piece))
    data = b"".join(parts)
    assert len(data) == found.size
    return data


def batches_in(found: Slice) -> list[BatchHeader]:
    """The headers in a slice, which holds whole batches only."""
    data = read_bytes(found)
    headers = [header for header, _ in iter_batches(data)]
    assert sum(header.size for header in headers) == len(data)
    return headers


def all_records(log: Log) -> Iterator[tuple[int, str]]:
    """(offset, value) of every record from the log's start on, read as a consumer reads."""
    offset = log.log_start_offset
    while offset < log.log_end_offset:
        data = read_bytes(log.read(offset, 100_000, log.log_end_offset))
        assert data, f"nothing at {offset}"
        for header, view in iter_batches(data):
            for record in iter_records(view):
                if record.offset >= offset:
                    yield record.offset, (record.value or b"").decode()
            offset = header.next_offset
