"""OffsetDelete (key 47): forget offsets of topics that a group does not read now (KIP-496)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.net.protocol.messages.offset_delete import OffsetDeleteRequest, OffsetDeleteResponse
from raftka.net.router import Context, handles

if TYPE_CHECKING:
    from raftka.broker.node import Node


@handles(OffsetDeleteRequest, versions=(0, 0))
async def offset_delete(context: Context, request: OffsetDeleteRequest) -> OffsetDeleteResponse:
    node: Node = context.node
    return OffsetDeleteResponse(topics=await node.groups.delete_offsets(request))
