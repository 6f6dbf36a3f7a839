"""UnregisterBroker (key 64): removes a broker that will not return (KIP-631)."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import Cluster
from raftka.net.protocol.messages.unregister_broker import (
    UnregisterBrokerRequest,
    UnregisterBrokerResponse,
)


@handles(UnregisterBrokerRequest, versions=(0, 0), access=Cluster.ALTER, forward=True)
async def handle_unregister_broker(
    context: Context, request: UnregisterBrokerRequest
) -> UnregisterBrokerResponse:
    node = context.node
    await node.controller.unregister_broker(request.broker_id)
    return UnregisterBrokerResponse()
