"""The log of a coordinator's topic, on the replicas that this broker leads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raftka.broker.coordinators.outbox import Batch, Entry, Producer
from raftka.broker.coordinators.runtime import Done
from raftka.broker.coordinators.timers import Moment
from raftka.model import records as model_records
from raftka.model.control_records import EndMarker, read_end_marker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_EPOCH, NO_PRODUCER_ID
from raftka.model.ports import Buffer, Clock, bytes_of
from raftka.model.record_batch import BatchHeader
from raftka.storage.failure import LogDirFailure

if TYPE_CHECKING:
    from raftka.broker.replication.replica import Replica
    from raftka.broker.replication.replica_manager import ReplicaManager

_ALL_IN_SYNC = -1
_READ_BYTES = 256 * 1024
"""Bytes per read: replaying them takes some ten milliseconds, which blocks everything else on this
node."""

_NO_PRODUCER = Producer(NO_PRODUCER_ID, NO_EPOCH)


class _Acknowledgement:
    """Implements broker.replication.replica.AckWaiter for one append."""

    __slots__ = ("_call", "done")

    def __init__(self, call: Done) -> None:
        self.done = False
        self._call = call

    def acknowledged(self, slot: int, code: ErrorCode) -> None:
        self.done = True
        self._call(None if code is ErrorCode.NONE else KafkaError(code))


class ReplicatedLog:
    """Implements runtime.CoordinatorLog for one topic."""

    def __init__(self, topic: str, replicas: ReplicaManager, clock: Clock) -> None:
        self._topic = topic
        self._replicas = replicas
        self._clock = clock

    def check(self, partition: int, *, writing: bool) -> None:
        replica = self._led(partition)
        self._replicas.check_serving(replica, self._clock.monotonic())
        if writing:
            replica.state.check_enough_replicas()

    def append(
        self,
        partition: int,
        entry: Entry,
        now: Moment,
        done: Done,
        *,
        transaction_version: int = 0,
    ) -> None:
        replica = self._led(partition)
        if isinstance(entry, EndMarker):
            info = self._replicas.append_marker(
                replica, entry, transaction_version, now.monotonic_s
            )
        else:
            info = self._replicas.append(
                replica, bytearray(_encoded(entry, now)), _ALL_IN_SYNC, now.monotonic_s,
                from_client=False, guard=entry.guard,
            )  # fmt: skip
        replica.wait_for(info.last_offset + 1, _Acknowledgement(done), 0)

    def read(self, partition: int, offset: int) -> tuple[Sequence[Entry], int]:
        replica = self._led(partition)
        log = replica.log
        end_offset = log.log_end_offset
        offset = max(offset, log.log_start_offset)
        if offset >= end_offset:
            return [], end_offset
        try:
            pieces = log.read(offset, _READ_BYTES, end_offset).pieces
            data = b"".join(bytes_of(piece) for piece in pieces)
        except OSError as error:
            lost = LogDirFailure(log.directory.rpartition("/")[0], str(error))
            self._replicas.disk_failed(lost)
            raise lost from error
        found: list[Entry] = []
        next_offset = end_offset
        for header, batch in model_records.iter_batches(data):
            next_offset = header.next_offset
            entry = _decoded(header, batch, offset)
            if entry is not None:
                found.append(entry)
        return found, next_offset

    def end_offset(self, partition: int) -> int:
        return self._led(partition).log.log_end_offset

    def when_committed(self, partition: int, offset: int, done: Done) -> None:
        def reached(error: KafkaError | None) -> None:
            # An ISR that has shrunk does not affect records that it has committed.
            shrunk = error is not None and error.code is ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
            done(None if shrunk else error)

        self._led(partition).wait_for(offset, _Acknowledgement(reached), 0)

    def delete_before(self, partition: int, offset: int) -> None:
        replica = self._led(partition)
        replica.delete_records(min(offset, replica.state.high_watermark))

    def _led(self, partition: int) -> Replica:
        replica = self._replicas.get(self._topic, partition)
        if replica is None or not replica.state.is_leader:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        return replica


def _encoded(entry: Batch, now: Moment) -> bytes:
    """Encode a batch of records. Coordinators use no sequence numbers."""
    producer = entry.producer or _NO_PRODUCER
    return model_records.encode_batch(
        (model_records.Record(0, now.wall_ms, key, value) for key, value in entry.records),
        producer_id=producer.id,
        producer_epoch=producer.epoch,
        is_transactional=entry.producer is not None,
    )


def _decoded(header: BatchHeader, batch: Buffer, offset: int) -> Entry | None:
    """Decode a batch from `offset` on; None for control records other than end markers."""
    if header.is_control:
        return read_end_marker(header, batch)
    return Batch(
        [
            (record.key, record.value)
            for record in model_records.iter_records(batch)
            if record.offset >= offset and record.key is not None
        ],
        Producer(header.producer_id, header.producer_epoch) if header.is_transactional else None,
    )
