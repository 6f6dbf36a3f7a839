"""AllocateProducerIds (key 67): a broker requests a block of producer ids (KIP-730)."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.producer_ids import allocate
from raftka.kraft.image import PRODUCER_ID_BLOCK_SIZE
from raftka.model.access import Cluster
from raftka.net.protocol.messages.allocate_producer_ids import (
    AllocateProducerIdsRequest,
    AllocateProducerIdsResponse,
)


@handles(
    AllocateProducerIdsRequest,
    versions=(0, 0),
    access=Cluster.CLUSTER_ACTION,
    listeners="controller",
)
async def handle_allocate_producer_ids(
    context: Context, request: AllocateProducerIdsRequest
) -> AllocateProducerIdsResponse:
    node = context.node
    first = await node.controller.submit(
        lambda image: allocate(image, request.broker_id, request.broker_epoch)
    )
    return AllocateProducerIdsResponse(
        producer_id_start=first, producer_id_len=PRODUCER_ID_BLOCK_SIZE
    )
