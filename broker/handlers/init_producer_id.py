"""InitProducerId (key 22): an id under which a producer's batches are told apart (KIP-98).

Each call gives a new id with epoch 0; a producer that names its present id, to have its epoch
raised after an error (KIP-360), is given a new id as well, which the protocol allows. A
transactional id asks for a transaction coordinator, which this cluster does not have; in that the
answer is Kafka's for a principal that may not use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.errors import ErrorCode, KafkaError
from net.protocol.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from net.router import Context, handles

if TYPE_CHECKING:
    from broker.node import Node


@handles(InitProducerIdRequest, versions=(0, 5), concurrent=True)
async def init_producer_id(
    context: Context, request: InitProducerIdRequest
) -> InitProducerIdResponse:
    node: Node = context.node
    if request.transactional_id is not None:
        raise KafkaError(
            ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            "this cluster has no transactions: produce without a transactional.id",
        )
    return InitProducerIdResponse(producer_id=await node.producer_ids.allocate(), producer_epoch=0)
