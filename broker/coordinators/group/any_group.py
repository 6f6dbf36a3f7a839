"""What all kinds of groups have in common.

A shard holds groups of several kinds side by side under one name space: a name is of the kind whose
records it has. kinds.py has what the coordinator does with each kind.
"""

from __future__ import annotations

import enum
from typing import NamedTuple, Protocol

from raftka.model.errors import ErrorCode, KafkaError


class GroupType(enum.Enum):
    """The kinds of groups; the values are the names that ListGroups filters by (KIP-848)."""

    CLASSIC = "classic"
    CONSUMER = "consumer"
    """KIP-848"""
    SHARE = "share"
    """KIP-932"""
    STREAMS = "streams"
    """KIP-1071"""


class AnyGroup(Protocol):
    """A group as operations on all kinds see it."""

    @property
    def group_id(self) -> str: ...

    @property
    def type(self) -> GroupType: ...

    @property
    def protocol_type(self) -> str | None:
        """What ListGroups calls it; None for a classic group that only ever held offsets."""
        ...

    @property
    def state_name(self) -> str:
        """As Kafka's tools show it: "Stable", "Empty", ..."""
        ...

    @property
    def member_count(self) -> int: ...

    @property
    def is_empty(self) -> bool:
        """It has no members: it can be deleted."""
        ...

    @property
    def is_unused(self) -> bool:
        """It has no members and expects none: it expires with its last offset."""
        ...

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether deleting that topic's offsets would take them from a member; yes in doubt."""
        ...

    def check_deleting_offsets(self) -> None:
        """Whether OffsetDelete may ask for offsets at all. Raises KafkaError."""
        ...

    def offsets_unused_since_ms(self, topic: str, committed_ms: int) -> int | None:
        """From when on (wall time) an offset counts as unused (KIP-211); None: it is in use."""
        ...


class Committing(NamedTuple):
    """The member that commits offsets, as OffsetCommit and TxnOffsetCommit name it."""

    member_id: str
    instance_id: str | None
    generation_or_epoch: int
    """The generation of a classic member, the epoch of any other; negative for no member."""
    version: int = 0
    """Of the request, where it is OffsetCommit."""
    transactional: bool = False


def not_found(group_id: str, group: AnyGroup | None, wanted: GroupType) -> KafkaError:
    """As Kafka refuses an operation on a group that is not there, or is one of another kind."""
    problem = "not found" if group is None else f"is not a {wanted.value} group"
    return KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} {problem}.")
