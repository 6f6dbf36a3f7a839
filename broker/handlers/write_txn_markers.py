"""WriteTxnMarkers (key 27): writes end markers into partitions that this broker leads (KIP-98).

Transaction coordinators send it, and kafka-transactions for a hanging transaction (KIP-664). Each
partition is answered when all in-sync replicas have the marker. Version notes: from 2 on a marker
has its transaction's version (KIP-1228).

A marker for a group's offsets goes through the group's coordinator, which must apply it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_PRODUCER_ID, OFFSETS_TOPIC
from raftka.net.protocol.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)
from raftka.net.router import Pending

if TYPE_CHECKING:
    from raftka.broker.node import Node

_AS_LOG_ERROR: Final = {
    ErrorCode.NOT_COORDINATOR: ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS: ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.COORDINATOR_NOT_AVAILABLE: ErrorCode.NOT_LEADER_OR_FOLLOWER,
}
"""The sender of markers knows an unavailable group coordinator by this error, and retries."""

_NOBODYS: Final = frozenset({NO_PRODUCER_ID})
"""The producer id or epoch of a marker without a producer; such a marker ends nothing."""


def _refused(request: WriteTxnMarkersRequest, error: KafkaError) -> WriteTxnMarkersResponse:
    """Repeat an error of the whole request for each partition: the answer has no field for it."""
    return WriteTxnMarkersResponse(
        markers=[
            WritableTxnMarkerResult(
                producer_id=wanted.producer_id,
                topics=[
                    WritableTxnMarkerTopicResult(
                        name=topic.name,
                        partitions=[
                            WritableTxnMarkerPartitionResult(
                                partition_index=index, error_code=int(error.code)
                            )
                            for index in topic.partition_indexes
                        ],
                    )
                    for topic in wanted.topics
                ],
            )
            for wanted in request.markers
        ]
    )


@handles(WriteTxnMarkersRequest, versions=(1, 2), access=PER_RESOURCE, refusal=_refused)
def write_txn_markers(context: Context, request: WriteTxnMarkersRequest) -> Pending:
    if not context.may_with_cluster(Operation.ALTER, quietly=True):
        context.require_cluster(Operation.CLUSTER_ACTION)
    node = context.node
    waiting = _WaitingMarkers(node)
    response = WriteTxnMarkersResponse()
    for wanted in request.markers:
        answered = WritableTxnMarkerResult(producer_id=wanted.producer_id)
        response.markers.append(answered)
        for topic in wanted.topics:
            partitions = [
                WritableTxnMarkerPartitionResult(
                    partition_index=index, error_code=ErrorCode.REQUEST_TIMED_OUT
                )
                for index in topic.partition_indexes
            ]
            answered.topics.append(
                WritableTxnMarkerTopicResult(name=topic.name, partitions=partitions)
            )
            for partition in partitions:
                waiting.write(wanted, topic.name, partition)
    return waiting.start(response)


class _WaitingMarkers:
    """A request whose markers are in the leaders' logs and not all committed yet.

    Partitions without an outcome at the deadline are answered REQUEST_TIMED_OUT, which is the
    initial value in the answer.
    """

    __slots__ = ("_bucket", "_left", "_node", "_partitions", "_pending", "_response", "done")

    def __init__(self, node: Node) -> None:
        self.done = False
        self._node = node
        self._left = 1
        """The number of partitions without an outcome, plus one until `start`."""
        self._partitions: list[WritableTxnMarkerPartitionResult] = []
        self._pending = Pending()
        self._response: WriteTxnMarkersResponse | None = None
        self._bucket = -1

    def write(
        self, wanted: WritableTxnMarker, topic: str, partition: WritableTxnMarkerPartitionResult
    ) -> None:
        """Append one marker."""
        slot = len(self._partitions)
        self._partitions.append(partition)
        self._left += 1
        marker = EndMarker(
            wanted.producer_id,
            wanted.producer_epoch,
            wanted.transaction_result,
            wanted.coordinator_epoch,
        )
        index, version = partition.partition_index, wanted.transaction_version
        if _NOBODYS & {wanted.producer_id, wanted.producer_epoch}:
            self.acknowledged(slot, ErrorCode.UNKNOWN_SERVER_ERROR)  # As Kafka answers it.
            return
        if topic == OFFSETS_TOPIC:
            self._node.groups.complete_transaction(
                index, marker, version, lambda error: self._done(slot, error)
            )
            return
        try:
            replicas = self._node.replicas
            replica = replicas.find((topic, index))
            info = replicas.append_marker(replica, marker, version, self._node.clock.monotonic())
        except KafkaError as error:
            self._done(slot, error)
        else:
            replica.wait_for(info.last_offset + 1, self, slot)

    def start(self, response: WriteTxnMarkersResponse) -> Pending:
        """Answer with `response` once all written markers are committed, or at the deadline."""
        self._response = response
        self._answered()
        if not self.done:
            clock, timeout_ms = self._node.clock, self._node.config.int("request.timeout.ms")
            self._bucket = self._node.deadlines.add(self, clock.monotonic() + timeout_ms / 1000)
        return self._pending

    def _done(self, slot: int, error: KafkaError | None) -> None:
        code = ErrorCode.NONE if error is None else error.code
        self.acknowledged(slot, _AS_LOG_ERROR.get(code, code))

    def acknowledged(self, slot: int, code: ErrorCode) -> None:
        """Store the outcome of one partition."""
        if not self.done:
            self._partitions[slot].error_code = int(code)
            self._answered()

    def _answered(self) -> None:
        self._left -= 1
        if not self._left:
            if self._bucket >= 0:
                self._node.deadlines.remove(self, self._bucket)
            self.expire()

    def expire(self) -> None:
        """The deadline: answer with the outcomes so far."""
        self.done = True
        self._pending.resolve(self._response)
