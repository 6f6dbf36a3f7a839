"""ShareGroupHeartbeat (key 76): join, stay in or leave a share group (KIP-932).

Epoch 0 joins, -1 leaves. The answer has the member's partitions if they have changed.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.broker.share import requests
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.net.protocol.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
from raftka.net.router import Pending


@handles(ShareGroupHeartbeatRequest, versions=(1, 1), access=PER_RESOURCE)
def share_group_heartbeat(context: Context, request: ShareGroupHeartbeatRequest) -> Pending:
    requests.check_version(context)
    context.require(Operation.READ, ResourceType.GROUP, request.group_id)
    for name in request.subscribed_topic_names or ():
        context.require(Operation.DESCRIBE, ResourceType.TOPIC, name)
    return context.node.share_groups.heartbeat(
        request, context.client_id or "", f"/{context.client_address}"
    )
