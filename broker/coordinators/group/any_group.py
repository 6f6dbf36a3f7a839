"""What all types of groups have in common.

A shard holds groups of several types in one namespace: the records of a group in the log determine
its type. kinds.py defines the operations of the coordinator on each type.
"""

from __future__ import annotations

import enum
from typing import NamedTuple, Protocol

from raftka.model.errors import ErrorCode, KafkaError


class GroupType(enum.Enum):
    """The types of groups; the values are the names that ListGroups filters by (KIP-848)."""

    CLASSIC = "classic"
    CONSUMER = "consumer"
    """KIP-848"""
    SHARE = "share"
    """KIP-932"""
    STREAMS = "streams"
    """KIP-1071"""


class AnyGroup(Protocol):
    """What operations on every type of group need from a group."""

    @property
    def group_id(self) -> str: ...

    @property
    def type(self) -> GroupType: ...

    @property
    def protocol_type(self) -> str | None:
        """The protocol type in ListGroups; None for a classic group that only ever held offsets."""
        ...

    @property
    def state_name(self) -> str:
        """The state's name as Kafka's tools print it: "Stable", "Empty", ..."""
        ...

    @property
    def member_count(self) -> int: ...

    @property
    def is_empty(self) -> bool:
        """Whether the group has no members, so that it can be deleted."""
        ...

    @property
    def is_unused(self) -> bool:
        """Whether the group has no members and expects none: it expires with its last offset."""
        ...

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member may read that topic; True if unknown. Its offsets are then kept."""
        ...

    def check_deleting_offsets(self) -> None:
        """Raise KafkaError if OffsetDelete is not allowed on this group."""
        ...

    def offsets_unused_since_ms(self, topic: str, committed_ms: int) -> int | None:
        """Wall time from which an offset counts as unused (KIP-211); None while it is in use."""
        ...


class Committing(NamedTuple):
    """The member that commits offsets, as OffsetCommit and TxnOffsetCommit identify it."""

    member_id: str
    instance_id: str | None
    generation_or_epoch: int
    """A classic member's generation, or another member's epoch; negative without a member."""
    version: int = 0
    """The version of OffsetCommit; 0 for other requests."""
    transactional: bool = False


def not_found(group_id: str, group: AnyGroup | None, wanted: GroupType) -> KafkaError:
    """The error for a group that does not exist or has another type, worded as in Kafka."""
    problem = "not found" if group is None else f"is not a {wanted.value} group"
    return KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} {problem}.")
