"""The history of leaders in a node's metadata log, served over the network in bounded pieces.

It serves remote tools the data that local ones read in a node's directory (kraft/raft/inspect.py):
all committed batches while the log is complete, else the snapshot and the batches after it. Only
records about brokers, topics and partitions leave the node; credentials, tokens, ACLs and settings
do not. Like the flight recorder it uses a tagged field of DescribeCluster that is raftka's own
(KIP-482).

A cursor that the node created marks the position. A position in the snapshot's file is signed,
since bytes read from the middle of a record could be mistaken for other records.
"""

from __future__ import annotations

import hmac
import struct
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from raftka.kraft.codec import rows_at, rows_of
from raftka.kraft.raft.snapshots import CorruptSnapshot
from raftka.kraft.records import (
    BatchStampRecord,
    BrokerRegistrationChangeRecord,
    PartitionChangeRecord,
    PartitionRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnregisterBrokerRecord,
)
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.describe_cluster import MetadataLogBatch, MetadataLogPart

if TYPE_CHECKING:
    from raftka.kraft.raft.quorum import Quorum, SnapshotFile
    from raftka.model.ports import Dice

PART_BYTES: Final = 256 * 1024
"""Bytes per answer: some milliseconds of work. A larger record or batch is sent alone."""
_OF_LEADERS: Final = frozenset(
    {
        *(RegisterBrokerRecord.ID, UnregisterBrokerRecord.ID, BrokerRegistrationChangeRecord.ID),
        *(TopicRecord.ID, RemoveTopicRecord.ID, PartitionRecord.ID, PartitionChangeRecord.ID),
        BatchStampRecord.ID,
    }
)
_IN_SNAPSHOT: Final = struct.Struct(">QIQ")
"""Offset and epoch of the snapshot, position in its file."""
_IN_LOG: Final = struct.Struct(">Q")
"""The last offset that the client has."""
_SIGNATURE_BYTES: Final = 16


class MetadataHistory:
    """Reads the log of one running node."""

    def __init__(self, quorum: Quorum, node_id: int, dice: Dice) -> None:
        self._quorum, self._node_id = quorum, node_id
        self._key = dice.randbytes(_SIGNATURE_BYTES)

    def answer(self, cursor: bytes) -> MetadataLogPart:
        """Answer with `part`, or its error in the same fields: the rest stays valid."""
        try:
            return self.part(cursor)
        except KafkaError as error:
            return MetadataLogPart(
                error_code=int(error.code), error_message=error.message, node_id=self._node_id
            )

    def part(self, cursor: bytes) -> MetadataLogPart:
        """The next piece after this cursor; an empty cursor starts from the beginning.

        Raises KafkaError SNAPSHOT_NOT_FOUND if a newer snapshot has replaced the one of the cursor:
        the client starts again. INVALID_REQUEST for a cursor that this process did not create,
        KAFKA_STORAGE_ERROR for an unreadable snapshot.
        """
        if not cursor:
            if self._quorum.has_whole_log:  # A snapshot would hide what came before it.
                return self._of_log(0)
            snapshot = self._open_snapshot()
            if snapshot is None:
                raise _moved_on()
            return self._of_snapshot(snapshot, snapshot.payload_at)
        if len(cursor) == _IN_LOG.size:
            return self._of_log(*_IN_LOG.unpack(cursor))
        place, signature = cursor[: _IN_SNAPSHOT.size], cursor[_IN_SNAPSHOT.size :]
        if len(place) < _IN_SNAPSHOT.size or not hmac.compare_digest(self._sign(place), signature):
            raise KafkaError(
                ErrorCode.INVALID_REQUEST,
                "this cursor is not of this process: ask from the beginning, without one",
            )
        offset, epoch, position = _IN_SNAPSHOT.unpack(place)
        snapshot = self._open_snapshot()
        if snapshot is None or (snapshot.offset, snapshot.epoch) != (offset, epoch):
            if snapshot is not None:
                snapshot.file.close()
            raise _moved_on()
        return self._of_snapshot(snapshot, position)

    def _open_snapshot(self) -> SnapshotFile | None:
        try:
            return self._quorum.open_snapshot()
        except (CorruptSnapshot, OSError) as error:
            raise KafkaError(
                ErrorCode.KAFKA_STORAGE_ERROR,
                f"the metadata snapshot cannot be read: {error}; ask another node",
            ) from error

    def _of_snapshot(self, snapshot: SnapshotFile, position: int) -> MetadataLogPart:
        offset, epoch, file, payload_at = snapshot
        try:
            wanted, size = PART_BYTES, file.size()
            rows, used = b"", 0
            while position < size and not used:
                data = file.read(wanted, position)
                rows, used = rows_at(data, _OF_LEADERS, is_first=position == payload_at)
                if position + wanted >= size:
                    break
                wanted *= 4
        finally:
            file.close()
        ends = position + used >= size or not used
        place = _IN_SNAPSHOT.pack(offset, epoch, position + used)
        return MetadataLogPart(
            node_id=self._node_id,
            snapshot_offset=offset,
            snapshot_epoch=epoch,
            of_snapshot=[rows] if rows else [],
            cursor=_IN_LOG.pack(offset) if ends else place + self._sign(place),
        )

    def _of_log(self, after: int) -> MetadataLogPart:
        found = self._quorum.committed_after(after, PART_BYTES)
        if found is None:
            raise _moved_on()
        batches = [
            MetadataLogBatch(offset=each.offset, epoch=each.epoch, records=rows)
            for each in found.entries
            if each.kind == "proposal"
            and not each.void
            and (rows := rows_of(each.payload, _OF_LEADERS))
        ]
        ends = found.last >= self._quorum.last_committed
        cursor = b"" if ends else _IN_LOG.pack(found.last)
        return MetadataLogPart(node_id=self._node_id, batches=batches, cursor=cursor)

    def _sign(self, place: bytes) -> bytes:
        return blake2b(place, key=self._key, digest_size=_SIGNATURE_BYTES).digest()


def _moved_on() -> KafkaError:
    return KafkaError(
        ErrorCode.SNAPSHOT_NOT_FOUND,
        "a newer snapshot has taken this place in the metadata log: ask from the beginning",
    )
