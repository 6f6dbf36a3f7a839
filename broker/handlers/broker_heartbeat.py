"""BrokerHeartbeat (key 63): a broker reports that it is alive; the answer says whether it is
fenced, and whether it may shut down.

When the connection of a heartbeat breaks, the controller checks at once whether the process is
dead, instead of waiting for broker.session.timeout.ms.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.brokers import Heartbeat
from raftka.model.access import Cluster
from raftka.net.protocol.messages.broker_heartbeat import (
    BrokerHeartbeatRequest,
    BrokerHeartbeatResponse,
)


@handles(
    BrokerHeartbeatRequest, versions=(0, 2), access=Cluster.CLUSTER_ACTION, listeners="controller"
)
async def handle_broker_heartbeat(
    context: Context, request: BrokerHeartbeatRequest
) -> BrokerHeartbeatResponse:
    node = context.node
    beat = Heartbeat(
        broker_id=request.broker_id,
        broker_epoch=request.broker_epoch,
        metadata_offset=request.current_metadata_offset,
        want_fence=request.want_fence,
        want_shut_down=request.want_shut_down,
        offline_log_dirs=tuple(map(bytes, request.offline_log_dirs)),
        cordoned_log_dirs=None
        if request.cordoned_log_dirs is None
        else tuple(map(bytes, request.cordoned_log_dirs)),
    )
    answer = await node.controller.broker_heartbeat(beat, context.session)
    return BrokerHeartbeatResponse(
        is_caught_up=answer.is_caught_up,
        is_fenced=answer.is_fenced,
        should_shut_down=answer.should_shut_down,
    )
