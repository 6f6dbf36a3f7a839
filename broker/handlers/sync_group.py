"""SyncGroup (key 14): the leader sends the assignment, the other members fetch theirs.

From version 5 on a member must name the protocol that it uses (KIP-559).
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.sync_group import SyncGroupRequest
from raftka.net.router import Pending

_PROTOCOL_REQUIRED_FROM = 5


@handles(SyncGroupRequest, versions=(0, 5), access=PER_RESOURCE)
def sync_group(context: Context, request: SyncGroupRequest) -> Pending:
    node = context.node
    context.require(Operation.READ, ResourceType.GROUP, request.group_id)
    names_protocol = request.protocol_type is not None and request.protocol_name is not None
    if context.api_version >= _PROTOCOL_REQUIRED_FROM and not names_protocol:
        raise KafkaError(
            ErrorCode.INCONSISTENT_GROUP_PROTOCOL, "SyncGroup has to name the group's protocol"
        )
    return node.groups.sync_group(request)
