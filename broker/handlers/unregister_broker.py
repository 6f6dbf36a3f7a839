"""UnregisterBroker (key 64): forget a broker that will not come back (KIP-631)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.net.protocol.messages.unregister_broker import (
    UnregisterBrokerRequest,
    UnregisterBrokerResponse,
)
from raftka.net.router import Context, handles

if TYPE_CHECKING:
    from raftka.broker.node import Node


@handles(UnregisterBrokerRequest, versions=(0, 0), forward=True)
async def handle_unregister_broker(
    context: Context, request: UnregisterBrokerRequest
) -> UnregisterBrokerResponse:
    node: Node = context.node
    await node.controller.unregister_broker(request.broker_id)
    return UnregisterBrokerResponse()
