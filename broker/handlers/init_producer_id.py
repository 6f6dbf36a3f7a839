"""InitProducerId (key 22): an id that identifies a producer's batches (KIP-98).

Without a transactional id each call returns a new id with epoch 0, even if the producer sends its
current id (KIP-360). With one, its coordinator decides: the id stays, and the epoch is bumped,
which fences the previous producer. Version notes: 3 has the producer's current id and epoch
(KIP-360); 4 knows PRODUCER_FENCED (KIP-588). 6 is for two-phase commit (KIP-939), which Apache
Kafka 4.4.0 does not support either.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_EPOCH, NO_PRODUCER_ID
from raftka.net.protocol.messages.init_producer_id import (
    InitProducerIdRequest,
    InitProducerIdResponse,
)


@handles(InitProducerIdRequest, versions=(0, 5), access=PER_RESOURCE, concurrent=True)
async def init_producer_id(
    context: Context, request: InitProducerIdRequest
) -> InitProducerIdResponse:
    node = context.node
    if request.transactional_id is not None:
        if not context.may(
            Operation.WRITE, ResourceType.TRANSACTIONAL_ID, request.transactional_id
        ):
            return _refusal(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    # KIP-679: a client that may write to any topic may produce idempotently.
    elif not context.may_with_cluster(
        Operation.IDEMPOTENT_WRITE, quietly=True
    ) and not context.may_somewhere(Operation.WRITE, ResourceType.TOPIC):
        return _refusal(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    if (request.producer_id == NO_PRODUCER_ID) != (request.producer_epoch == NO_EPOCH):
        return _refusal(ErrorCode.INVALID_REQUEST)  # An id without an epoch, or the reverse.
    if request.transactional_id is not None:
        return await node.transactions.init_producer_id(request, context.api_version)
    try:
        producer_id = await node.producer_ids.allocate()
    except KafkaError as error:
        return _refusal(error.code)
    return InitProducerIdResponse(producer_id=producer_id, producer_epoch=0)


def _refusal(code: ErrorCode) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=int(code), producer_id=-1, producer_epoch=-1)
