"""JoinGroup (key 11): become, or stay, a member of a classic group's next generation.

It is answered when the join phase ends, which may take as long as the slowest member. Version
notes: 0 has no rebalance timeout. 4: a member without an id gets one and joins again (KIP-394). 5:
group.instance.id (KIP-345). 7: the protocol is null in errors, before an empty string. 9: a
returning static leader skips the assignment (KIP-814).
"""

from __future__ import annotations

from raftka.broker.coordinators.group.join import Client
from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse
from raftka.net.router import Pending

_NULLABLE_FROM = 7


@handles(JoinGroupRequest, versions=(0, 9), access=PER_RESOURCE)
def join_group(context: Context, request: JoinGroupRequest) -> Pending | JoinGroupResponse:
    node = context.node
    if not context.may(Operation.READ, ResourceType.GROUP, request.group_id):
        name = None if context.api_version >= _NULLABLE_FROM else ""
        code = int(ErrorCode.GROUP_AUTHORIZATION_FAILED)
        return JoinGroupResponse(error_code=code, protocol_name=name)
    # Java formats an address like this, and tools split it at the slash.
    host = "/" + context.client_address
    client = Client(context.client_id or "", host, context.api_version)
    return node.groups.join_group(request, client)
