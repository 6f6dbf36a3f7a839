"""OffsetDelete (key 47): forget offsets of topics that a group does not read now (KIP-496)."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE
from raftka.net.protocol.messages.offset_delete import OffsetDeleteRequest, OffsetDeleteResponse


@handles(OffsetDeleteRequest, versions=(0, 0), access=PER_RESOURCE)
async def offset_delete(context: Context, request: OffsetDeleteRequest) -> OffsetDeleteResponse:
    node = context.node
    return OffsetDeleteResponse(topics=await node.groups.delete_offsets(request))
