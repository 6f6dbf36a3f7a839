"""AddOffsetsToTxn (key 25): adds a group's offsets to a transaction (KIP-98).

It adds the group's partition of __consumer_offsets. The topic is created here if it is missing: a
producer may name a group before any client has asked for its coordinator.

Version notes: 2 knows PRODUCER_FENCED (KIP-588); 4 knows TRANSACTION_ABORTABLE (KIP-890). A
producer of transaction.version 2 does not send it: its TxnOffsetCommit adds the partition.
"""

from __future__ import annotations

from typing import cast

from raftka.broker.auto_creation import ensure_internal_topic
from raftka.broker.coordinators.host import PendingAnswer
from raftka.broker.coordinators.outbox import Producer
from raftka.broker.coordinators.transaction.service import known_code
from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode
from raftka.model.ids import OFFSETS_TOPIC, TopicPartition
from raftka.model.internal_topics import OFFSETS
from raftka.net.futures import Future
from raftka.net.protocol.messages.add_offsets_to_txn import (
    AddOffsetsToTxnRequest,
    AddOffsetsToTxnResponse,
)

_KNOWS_FENCED_FROM = 2


@handles(AddOffsetsToTxnRequest, versions=(0, 4), access=PER_RESOURCE)
async def add_offsets_to_txn(
    context: Context, request: AddOffsetsToTxnRequest
) -> AddOffsetsToTxnResponse:
    node = context.node
    context.require(Operation.WRITE, ResourceType.TRANSACTIONAL_ID, request.transactional_id)
    context.require(Operation.READ, ResourceType.GROUP, request.group_id)
    index = node.groups.partition_of(request.group_id)
    if index is None:
        await ensure_internal_topic(node, OFFSETS)
        index = node.groups.partition_of(request.group_id)
    if index is None:
        return AddOffsetsToTxnResponse(error_code=ErrorCode.COORDINATOR_NOT_AVAILABLE)
    knows_fenced = context.api_version >= _KNOWS_FENCED_FROM
    answer = PendingAnswer(
        lambda code: AddOffsetsToTxnResponse(error_code=known_code(code, knows_fenced))
    )
    node.transactions.add_partitions(
        request.transactional_id,
        Producer(request.producer_id, request.producer_epoch),
        [TopicPartition(OFFSETS_TOPIC, index)],
        0,
        answer,
        AddOffsetsToTxnResponse(),
    )
    answered: Future[AddOffsetsToTxnResponse] = Future()
    answer.on_resolved(
        lambda response: answered.set_result(cast(AddOffsetsToTxnResponse, response))
    )
    return await answered
