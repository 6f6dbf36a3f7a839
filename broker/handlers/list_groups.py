"""ListGroups (key 16): the groups that this broker coordinates, filtered by state (KIP-518) and
type (KIP-848), ignoring case; unknown states and types match nothing."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.net.protocol.messages.list_groups import ListGroupsRequest, ListGroupsResponse


@handles(ListGroupsRequest, versions=(0, 5), access=PER_RESOURCE)
async def list_groups(context: Context, request: ListGroupsRequest) -> ListGroupsResponse:
    node = context.node
    groups = await node.groups.list_groups(request.states_filter, request.types_filter)
    if not context.may_with_cluster(Operation.DESCRIBE, quietly=True):
        groups = [
            each
            for each in groups
            if context.may(Operation.DESCRIBE, ResourceType.GROUP, each.group_id, quietly=True)
        ]
    return ListGroupsResponse(groups=groups)
