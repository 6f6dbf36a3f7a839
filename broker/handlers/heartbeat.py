"""Heartbeat (key 12): a member of a group lives; REBALANCE_IN_PROGRESS tells it to join again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from raftka.net.router import Context, handles

if TYPE_CHECKING:
    from raftka.broker.node import Node


@handles(HeartbeatRequest, versions=(0, 4))
def heartbeat(context: Context, request: HeartbeatRequest) -> HeartbeatResponse:
    node: Node = context.node
    node.groups.heartbeat(request)
    return HeartbeatResponse()
