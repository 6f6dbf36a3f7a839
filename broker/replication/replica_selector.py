"""Selects the replica for a consumer to read from: one in its own rack, if possible (KIP-392).

`replica.selector.class` names Kafka's RackAwareReplicaSelector; without it, or with the
LeaderSelector, consumers read from leaders only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from raftka.broker.replication.replica import Replica
from raftka.kraft.image import MetadataImage
from raftka.model.ids import NO_BROKER

_RACK_AWARE: Final = "RackAwareReplicaSelector"
_LEADER: Final = "LeaderSelector"


def selector_name(configured: str | None) -> str | None:
    """The selector that a setting names, by the last part of the class name; None for leaders.

    Raises ValueError for a class other than Kafka's.
    """
    if not configured:
        return None
    name = configured.rpartition(".")[2]
    if name == _LEADER:
        return None
    if name != _RACK_AWARE:
        raise ValueError(
            f"replica.selector.class={configured}: only {_RACK_AWARE} and {_LEADER} are known"
        )
    return name


def rack_aware(image: Callable[[], MetadataImage]) -> Callable[[Replica, str, int], int]:
    """The replica in the consumer's rack that has most of the requested records.

    The leader (NO_BROKER) for consumers without a rack, if it is in their rack itself, and if no
    replica there has the requested offset.
    """

    def select(replica: Replica, rack: str, offset: int) -> int:
        state = replica.state
        if not rack or not state.is_leader:
            return NO_BROKER
        brokers = image().brokers
        own = brokers.get(state.local_id)
        if own is not None and own.rack == rack:
            return NO_BROKER
        best, best_end = NO_BROKER, -1
        for follower in state.followers:
            broker = brokers.get(follower.replica_id)
            if broker is None or broker.rack != rack or not broker.is_active:
                continue
            holds = follower.log_start_offset <= offset <= follower.log_end_offset
            if holds and follower.log_end_offset > best_end:
                best, best_end = follower.replica_id, follower.log_end_offset
        return best

    return select
