"""DeleteRecords (key 21): advances the log start offset of partitions (KIP-107).

Offset -1 stands for the high watermark. It is answered when every live replica has that log start
offset, or with REQUEST_TIMED_OUT after the request's timeout; the next retention check deletes
segments before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.internal_topics import INTERNAL_TOPICS
from raftka.net.protocol.messages.delete_records import (
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)
from raftka.net.router import Pending

if TYPE_CHECKING:
    from raftka.broker.node import Node
    from raftka.broker.replication.replica import Replica

_TO_HIGH_WATERMARK = -1


@handles(DeleteRecordsRequest, versions=(0, 2), access=PER_RESOURCE)
def delete_records(context: Context, request: DeleteRecordsRequest) -> Pending:
    node = context.node
    response = DeleteRecordsResponse()
    waits: list[tuple[DeleteRecordsPartitionResult, Replica, int]] = []
    # If a partition is repeated, its last offset counts, as in Kafka.
    topics: dict[str, dict[int, int]] = {}
    for topic in request.topics:
        offsets = topics.setdefault(topic.name, {})
        offsets.update({each.partition_index: each.offset for each in topic.partitions})
    for name, offsets in topics.items():
        results: list[DeleteRecordsPartitionResult] = []
        response.topics.append(DeleteRecordsTopicResult(name=name, partitions=results))
        allowed = context.may(Operation.DELETE, ResourceType.TOPIC, name)
        for index, offset in offsets.items():
            result = DeleteRecordsPartitionResult(partition_index=index)
            results.append(result)
            try:
                if not allowed:
                    raise KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
                replica = _leader(node, name, index)
                waits.append((result, replica, _delete(replica, offset)))
            except KafkaError as error:
                result.low_watermark = -1
                result.error_code = int(error.code)
    waiting = WaitingDeletion(node, response, waits)
    waiting.start(node.clock.monotonic() + request.timeout / 1000)
    return waiting.pending


def _leader(node: Node, topic: str, index: int) -> Replica:
    if topic in INTERNAL_TOPICS and topic in node.image.topics:
        raise KafkaError(
            ErrorCode.INVALID_TOPIC_EXCEPTION, f"records of {topic} are not for users to delete"
        )
    replica = node.replicas.find((topic, index))
    node.replicas.check_serving(replica, node.clock.monotonic())
    replica.state.check_leader()
    if not replica.log.config.deletes:
        raise KafkaError(
            ErrorCode.POLICY_VIOLATION, f"the cleanup.policy of {topic} does not delete records"
        )
    return replica


def _delete(replica: Replica, offset: int) -> int:
    """Advance the leader's log start offset; return the offset that other replicas must reach."""
    high_watermark = replica.state.high_watermark
    wanted = high_watermark if offset == _TO_HIGH_WATERMARK else offset
    if not 0 <= wanted <= high_watermark:
        raise KafkaError(
            ErrorCode.OFFSET_OUT_OF_RANGE,
            f"{replica.topic_partition} has records up to {high_watermark}, not up to {offset}",
        )
    replica.delete_records(wanted)
    return wanted


class WaitingDeletion:
    """A request whose records are deleted at the leaders, and not yet on all replicas."""

    __slots__ = ("_bucket", "_left", "_node", "_response", "_waits", "done", "pending")

    def __init__(
        self,
        node: Node,
        response: DeleteRecordsResponse,
        waits: list[tuple[DeleteRecordsPartitionResult, Replica, int]],
    ) -> None:
        self.done = False
        self.pending = Pending()
        self._node = node
        self._response = response
        self._waits = waits
        self._left = len(waits)
        self._bucket = -1

    def start(self, deadline_s: float) -> None:
        """Wait in all partitions until `deadline_s`."""
        for slot, (_, replica, offset) in enumerate(self._waits):
            replica.when_deleted(offset, self, slot)
        if self._left == 0:
            self._finish()
        else:
            self._bucket = self._node.data_plane.deadlines.add(self, deadline_s)

    def acknowledged(self, slot: int, code: ErrorCode) -> None:
        """Store the outcome of one partition."""
        if self.done:
            return
        result, replica, _ = self._waits[slot]
        result.error_code = int(code)
        result.low_watermark = replica.low_watermark if code is ErrorCode.NONE else -1
        self._left -= 1
        if self._left == 0 and self._bucket >= 0:
            self._node.data_plane.deadlines.remove(self, self._bucket)
            self._finish()

    def expire(self) -> None:
        """Some replica has not advanced its log start in time."""
        for result, replica, offset in self._waits:
            if result.error_code == 0 and replica.low_watermark < offset:
                result.error_code = int(ErrorCode.REQUEST_TIMED_OUT)
                result.low_watermark = -1
        self._finish()

    def _finish(self) -> None:
        self.done = True
        self.pending.resolve(self._response)
