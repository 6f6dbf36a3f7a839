"""Liveness and readiness of a node, for supervisors and load balancers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from raftka.broker.node import Node

_BEHIND_MAX: Final = 100
"""Batches of metadata that a broker may be behind the known committed offset."""


def not_ready(node: Node) -> list[str]:
    """Why the node is not ready, in words; empty if it is.

    A broker is ready while it is unfenced and has caught up with the metadata; a controller while
    it knows the quorum's leader, which may be itself.
    """
    reasons = []
    leader, _ = node.quorum.leader
    if leader is None:
        reasons.append("no controller is elected, as far as this node knows")
    behind = node.quorum.last_committed - node.image.offset
    if node.is_broker:
        me = node.image.brokers.get(node.node_id)
        if me is None or me.epoch != node.broker_epoch:
            reasons.append("the broker is not registered yet")
        elif me.fenced:
            reasons.append("the broker is fenced: the controller hears no heartbeats of it")
        if behind > _BEHIND_MAX:
            reasons.append(f"the broker is {behind} batches behind the metadata")
        if node.is_stopping:
            reasons.append("the broker is shutting down")
    return reasons
