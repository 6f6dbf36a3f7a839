"""Produce (key 0): append record batches to the partitions that this broker leads.

acks=0 is never answered, and a failure closes the connection so that the producer notices; acks=1
is answered as soon as the leader has the records; acks=-1 (all) once every in-sync replica has
them, or with REQUEST_TIMED_OUT after the request's timeout, when the records may still make it.

Version notes: 8 names the records that a batch was refused for (KIP-467). 10 tells the new leader
to those who ask the wrong broker (KIP-951). 13 names topics by id (KIP-516). Transactional ids are
refused as long as there is no transaction coordinator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.handlers.endpoints import node_endpoints
from broker.handlers.record_errors import culprits
from model.errors import ErrorCode, KafkaError
from net.protocol.messages.produce import (
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from net.router import CloseConnection, Context, Pending, handles

if TYPE_CHECKING:
    from broker.node import Node
    from broker.replica import Replica

_ALL = -1


@handles(ProduceRequest, versions=(3, 13))
def produce(context: Context, request: ProduceRequest) -> ProduceResponse | Pending | None:
    node: Node = context.node
    acks = request.acks
    refusal = _refusal(request)
    now_s = node.clock.monotonic()
    by_id = context.api_version >= 13
    answers: list[TopicProduceResponse] = []
    waits: list[tuple[PartitionProduceResponse, Replica, int]] = []
    failed = False
    for topic in request.topic_data:
        name: str | bytes = topic.topic_id if by_id else topic.name
        parts: list[PartitionProduceResponse] = []
        answers.append(
            TopicProduceResponse(
                name=topic.name, topic_id=topic.topic_id, partition_responses=parts
            )
        )
        for data in topic.partition_data:
            part = PartitionProduceResponse(index=data.index)
            parts.append(part)
            try:
                if refusal is not None:
                    raise refusal
                replica, required = _append(node, (name, data.index), data, part, acks, now_s)
                if acks == _ALL:
                    waits.append((part, replica, required))
            except KafkaError as error:
                failed = True
                _tell(node, part, (name, data.index), error)
    if acks == 0:
        if failed:
            raise CloseConnection("records sent with acks=0 could not be appended")
        return None
    response = ProduceResponse(responses=answers)
    if failed and context.api_version >= 10:
        response.node_endpoints = _endpoints(node, context, answers)
    if not waits:
        return response
    waiting = WaitingProduce(node, response, waits)
    return waiting.start(now_s + request.timeout / 1000)


def _refusal(request: ProduceRequest) -> KafkaError | None:
    """What is wrong with the request as a whole; each partition is told."""
    if request.acks not in (-1, 0, 1):
        return KafkaError(
            ErrorCode.INVALID_REQUIRED_ACKS, f"acks must be -1, 0 or 1, not {request.acks}"
        )
    if request.transactional_id is not None:
        return KafkaError(
            ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            "this cluster has no transactions: produce without a transactional.id",
        )
    return None


def _append(
    node: Node,
    key: tuple[str | bytes, int],
    data: PartitionProduceData,
    part: PartitionProduceResponse,
    acks: int,
    now_s: float,
) -> tuple[Replica, int]:
    """Append one partition's records: the replica, and the offset that acks=all waits for."""
    replicas = node.replicas
    replica = replicas.find(key)
    records = data.records
    if not records or isinstance(records, list):
        raise KafkaError(ErrorCode.INVALID_RECORD, "a produce request must carry a record batch")
    try:
        info = replicas.append(replica, records, acks, now_s)
    except KafkaError as error:
        part.record_errors = culprits(error, records, replica.log.config, node.clock.wall_ms())
        raise
    part.base_offset = info.base_offset
    part.log_append_time = info.log_append_time
    part.log_start_offset = info.log_start_offset
    return replica, info.last_offset + 1


def _tell(
    node: Node,
    part: PartitionProduceResponse,
    key: tuple[str | bytes, int],
    error: KafkaError,
) -> None:
    part.error_code = int(error.code)
    part.error_message = error.message
    if part.record_errors:
        part.error_message = "One or more records have been rejected"
    part.base_offset = -1
    hint = node.replicas.leader_hint(key, error.code)
    if hint is not None:
        part.current_leader = LeaderIdAndEpoch(leader_id=hint[0], leader_epoch=hint[1])


def _endpoints(
    node: Node, context: Context, answers: list[TopicProduceResponse]
) -> list[NodeEndpoint]:
    leaders = [
        part.current_leader.leader_id
        for topic in answers
        for part in topic.partition_responses
        if part.error_code
    ]
    return node_endpoints(node.image, context.listener, leaders, NodeEndpoint)


class WaitingProduce:
    """A request with acks=all whose records are in the leader's log, and not yet committed."""

    __slots__ = ("_bucket", "_left", "_node", "_response", "_waits", "done", "pending")

    def __init__(
        self,
        node: Node,
        response: ProduceResponse,
        waits: list[tuple[PartitionProduceResponse, Replica, int]],
    ) -> None:
        self.done = False
        self.pending = Pending()
        self._node = node
        self._response = response
        self._waits = waits
        self._left = len(waits)
        self._bucket = -1

    def start(self, deadline_s: float) -> Pending:
        """Wait in all partitions until `deadline_s`."""
        for slot, (_, replica, required) in enumerate(self._waits):
            replica.wait_for(required, self, slot)
        if not self.done:
            self._bucket = self._node.data_plane.deadlines.add(self, deadline_s)
        return self.pending

    def acknowledged(self, slot: int, code: ErrorCode) -> None:
        """One partition's outcome."""
        if self.done:
            return
        if code is not ErrorCode.NONE:
            part, replica, _ = self._waits[slot]
            base_offset = part.base_offset
            _tell(self._node, part, (replica.topic, replica.index), KafkaError(code))
            part.base_offset = base_offset
        self._left -= 1
        if self._left == 0:
            self.done = True
            if self._bucket >= 0:
                self._node.data_plane.deadlines.remove(self, self._bucket)
            self.pending.resolve(self._response)

    def expire(self) -> None:
        """The producer's timeout: whatever is not committed by now is reported as such."""
        self.done = True
        for part, replica, required in self._waits:
            if part.error_code == 0 and replica.state.acknowledgement(required) is None:
                part.error_code = int(ErrorCode.REQUEST_TIMED_OUT)
                part.error_message = "the in-sync replicas did not have the records in time"
        self.pending.resolve(self._response)
