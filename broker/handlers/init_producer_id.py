"""InitProducerId (key 22): an id that makes a producer's batches recognizable (KIP-98).

Each call gives a new id with epoch 0, also to a producer that names the id it has (KIP-360): only
transactional producers keep theirs. A transactional id asks for a transaction coordinator, which
this cluster does not have; the answer is the one for a principal that may not use that id.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE
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
        return _refusal(
            ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            if request.transactional_id
            else ErrorCode.INVALID_REQUEST
        )
    if (request.producer_id == NO_PRODUCER_ID) != (request.producer_epoch == NO_EPOCH):
        return _refusal(ErrorCode.INVALID_REQUEST)  # an id without its epoch, or the reverse
    try:
        producer_id = await node.producer_ids.allocate()
    except KafkaError as error:
        return _refusal(error.code)
    return InitProducerIdResponse(producer_id=producer_id, producer_epoch=0)


def _refusal(code: ErrorCode) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=int(code), producer_id=-1, producer_epoch=-1)
