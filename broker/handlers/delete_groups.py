"""DeleteGroups (key 42): deletes groups without members, and their offsets (KIP-229)."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.delete_groups import (
    DeletableGroupResult,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
)


@handles(DeleteGroupsRequest, versions=(0, 2), access=PER_RESOURCE)
async def delete_groups(context: Context, request: DeleteGroupsRequest) -> DeleteGroupsResponse:
    node = context.node
    results = []
    # A duplicate name is answered once.
    for group_id in dict.fromkeys(request.groups_names):
        code = ErrorCode.NONE
        try:
            context.require(Operation.DELETE, ResourceType.GROUP, group_id)
            await node.coordinators.delete_group(group_id)
        except KafkaError as error:
            code = error.code
        results.append(DeletableGroupResult(group_id=group_id, error_code=code))
    return DeleteGroupsResponse(results=results)
