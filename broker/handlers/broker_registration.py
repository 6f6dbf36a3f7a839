"""BrokerRegistration (key 62): a broker process registers with the controller (KIP-631).

Version notes: 2 brought the log directories (KIP-858), 3 the epoch before a clean shutdown
(KIP-966), which proves to the controller that the broker has lost no records.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.brokers import Registration
from raftka.kraft.image import ListenerEndpoint
from raftka.model.access import Cluster
from raftka.net.protocol.messages.broker_registration import (
    BrokerRegistrationRequest,
    BrokerRegistrationResponse,
)


@handles(
    BrokerRegistrationRequest,
    versions=(0, 4),
    access=Cluster.CLUSTER_ACTION,
    listeners="controller",
)
async def handle_broker_registration(
    context: Context, request: BrokerRegistrationRequest
) -> BrokerRegistrationResponse:
    node = context.node
    registration = Registration(
        broker_id=request.broker_id,
        incarnation_id=bytes(request.incarnation_id),
        endpoints=tuple(
            ListenerEndpoint(each.name, each.host, each.port, each.security_protocol)
            for each in request.listeners
        ),
        features=tuple(
            (each.name, each.min_supported_version, each.max_supported_version)
            for each in request.features
        ),
        rack=request.rack,
        log_dirs=tuple(bytes(each) for each in request.log_dirs),
        previous_broker_epoch=request.previous_broker_epoch,
    )
    epoch = await node.controller.register_broker(registration, request.cluster_id, context.session)
    return BrokerRegistrationResponse(broker_epoch=epoch)
