"""Appends to the partitions that this broker leads: records of clients, and end markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raftka.broker.replication.replica import Replica
from raftka.broker.replication.replica_index import ReplicaIndex
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Buffer, Clock

if TYPE_CHECKING:
    from raftka.storage.log import AppendInfo
    from raftka.storage.verification import Guard

_ALL_IN_SYNC: Final = -1
_TOO_LARGE: Final = (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.RECORD_LIST_TOO_LARGE)


class Appender:
    """Appends to replicas that this broker leads and may write to now."""

    def __init__(self, replicas: ReplicaIndex, clock: Clock) -> None:
        self._replicas = replicas
        self._clock = clock

    def append(
        self,
        replica: Replica,
        records: Buffer,
        acks: int,
        now_s: float,
        *,
        from_client: bool = True,
        guard: Guard | None = None,
    ) -> AppendInfo:
        """Append records that a producer sent to the leader of their partition.

        `guard` is from `Replica.verify`, for a batch that may open a transaction. Raises KafkaError
        for the producer: NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS (acks=-1),
        KAFKA_STORAGE_ERROR, or the error in the records.
        """
        state = replica.state
        if not state.is_leader:
            state.check_leader()
        if now_s > self._replicas.lease_until_s:
            self._replicas.check_serving(replica, now_s)
        replica.traffic.produce_requests += 1
        try:
            if acks == _ALL_IN_SYNC:
                state.check_enough_replicas()
            return replica.append(
                records, now_s, self._clock.wall_ms(), from_client=from_client, guard=guard
            )
        except KafkaError as error:
            replica.traffic.failed_produce_requests += 1
            if error.code in _TOO_LARGE:
                replica.traffic.bytes_rejected += len(records)
            raise

    def append_marker(
        self, replica: Replica, marker: EndMarker, transaction_version: int, now_s: float
    ) -> AppendInfo:
        """Append the end of a transaction of that version (KIP-1228), with acks from all in-sync
        replicas.

        Raises KafkaError: the refusals of `append`, and INVALID_PRODUCER_EPOCH or
        TRANSACTION_COORDINATOR_FENCED if its sender was replaced.
        """
        replica.state.check_leader()
        self._replicas.check_serving(replica, now_s)
        replica.state.check_enough_replicas()
        return replica.append_marker(marker, transaction_version, now_s, self._clock.wall_ms())
