"""ConsumerGroupHeartbeat (key 68): join a consumer group, live in it, leave it (KIP-848).

Version notes: 1 has member ids that clients make, and subscriptions by regular expression.
"""

from __future__ import annotations

from raftka.broker.coordinators.group.consumer.heartbeat import Caller
from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from raftka.net.router import Pending


@handles(ConsumerGroupHeartbeatRequest, versions=(0, 1), access=PER_RESOURCE)
def consumer_group_heartbeat(
    context: Context, request: ConsumerGroupHeartbeatRequest
) -> Pending | ConsumerGroupHeartbeatResponse:
    context.require(Operation.READ, ResourceType.GROUP, request.group_id)
    for topic in request.subscribed_topic_names or ():
        if not context.may(Operation.DESCRIBE, ResourceType.TOPIC, topic):
            return ConsumerGroupHeartbeatResponse(
                error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
                error_message=f"Not authorized to describe topic {topic}.",
            )

    def may_describe(topic: str) -> bool:
        return context.may(Operation.DESCRIBE, ResourceType.TOPIC, topic, quietly=True)

    # As Java shows an address, which tools split at the slash.
    host = "/" + context.client_address
    caller = Caller(context.client_id or "", host, context.api_version, may_describe)
    return context.node.groups.consumer.heartbeat(request, caller)
