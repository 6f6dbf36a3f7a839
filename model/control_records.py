"""Control batches: the batches that brokers write between those of producers.

Consumers skip them. The only kind in topic partitions is the end of a transaction: one record in a
batch of its own, whose header names the producer and the epoch. Its key is (version 0, type), its
value (version 0, epoch of the transaction coordinator). Source: KIP-98, "Control Messages"; Kafka's
protocol documentation, "Control Batches".
"""

from __future__ import annotations

import struct
from typing import Final

from raftka.model.named_tuple import NamedTuple
from raftka.model.ports import Buffer
from raftka.model.record_batch import BatchHeader
from raftka.model.records import Record, encode_batch, iter_records

_KEY: Final = struct.Struct(">hh")
_VALUE: Final = struct.Struct(">hi")
_ABORT, _COMMIT = 0, 1


class EndMarker(NamedTuple):
    """The end of a producer's transaction in one partition."""

    producer_id: int
    producer_epoch: int
    commit: bool
    """False for an abort."""
    coordinator_epoch: int
    """The coordinator epoch of the transaction coordinator: the leader epoch of its
    __transaction_state partition."""


def encode_end_marker(marker: EndMarker, timestamp_ms: int) -> bytes:
    """Encode a marker as a batch with offset 0, as `model.records.encode_batch` does."""
    key = _KEY.pack(0, _COMMIT if marker.commit else _ABORT)
    value = _VALUE.pack(0, marker.coordinator_epoch)
    return encode_batch(
        [Record(0, timestamp_ms, key, value)],
        producer_id=marker.producer_id,
        producer_epoch=marker.producer_epoch,
        is_transactional=True,
        is_control=True,
    )


def read_end_marker(header: BatchHeader, batch: Buffer) -> EndMarker | None:
    """The marker of a control batch; None for other control records, and for a batch that
    compaction has emptied.

    Raises KafkaError CORRUPT_MESSAGE for a malformed batch.
    """
    for record in iter_records(batch):
        key, value = record.key or b"", record.value or b""
        if len(key) < _KEY.size or len(value) < _VALUE.size:
            continue
        kind: int = _KEY.unpack_from(key)[1]
        if kind in (_ABORT, _COMMIT):
            epoch: int = _VALUE.unpack_from(value)[1]
            return EndMarker(header.producer_id, header.producer_epoch, kind == _COMMIT, epoch)
    return None
