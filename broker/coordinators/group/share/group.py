"""A share group and its members, as values in memory. What changes them: heartbeat.py."""

from __future__ import annotations

from dataclasses import field
from typing import Final

from raftka.broker.coordinators.group.any_group import GroupType
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError

ASSIGNOR: Final = "simple"

Assignment = dict[bytes, frozenset[int]]
"""Partitions by topic id; no topic without any."""


@dataclass(slots=True)
class ShareMember:
    """A member, as its last heartbeats have it."""

    member_id: str
    client_id: str = ""
    client_host: str = ""
    rack_id: str | None = None
    topics: frozenset[str] = frozenset()
    """The names that it is subscribed to."""
    epoch: int = 0
    """The epoch of its assignment."""
    previous_epoch: int = 0
    """A member whose answer was lost repeats this one."""
    assigned: Assignment = field(default_factory=dict)


@dataclass(slots=True)
class TopicState:
    """How far a topic's partitions have come at the share coordinator."""

    name: str
    partitions: frozenset[int] = frozenset()


@dataclass(slots=True)
class ShareGroup:
    """Implements any_group.AnyGroup."""

    group_id: str
    epoch: int = 0
    """Goes up with every change of members, subscriptions or partitions."""
    assignment_epoch: int = 0
    """That of the group for which `target` was made."""
    members: dict[str, ShareMember] = field(default_factory=dict)
    target: dict[str, Assignment] = field(default_factory=dict)
    """The target: the partitions of each member."""
    initializing: dict[bytes, TopicState] = field(default_factory=dict)
    """By topic id: state that the share coordinator has been asked to begin."""
    initialized: dict[bytes, TopicState] = field(default_factory=dict)
    """By topic id: partitions that may be assigned."""
    deleting: dict[bytes, str] = field(default_factory=dict)
    """Topic ids and names whose state is being deleted."""
    too_large: str = ""
    """Transient: why its epoch has no target, in words: no record holds a share of it."""

    @property
    def type(self) -> GroupType:
        return GroupType.SHARE

    @property
    def protocol_type(self) -> str:
        return "share"

    @property
    def state_name(self) -> str:
        return "Stable" if self.members else "Empty"

    @property
    def member_count(self) -> int:
        return len(self.members)

    @property
    def is_empty(self) -> bool:
        return not self.members

    @property
    def is_unused(self) -> bool:
        """Never: what it has acknowledged stays until a client deletes the group."""
        return False

    def is_subscribed_to(self, topic: str) -> bool:
        """It commits no offsets."""
        return False

    def check_deleting_offsets(self) -> None:
        """Its offsets are deleted by DeleteShareGroupOffsets."""
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {self.group_id} is a share group.")

    def offsets_unused_since_ms(self, topic: str, committed_ms: int) -> int | None:
        """It commits no offsets."""
        return None

    def subscribed(self) -> frozenset[str]:
        """The topics that any member wants."""
        return frozenset().union(*(member.topics for member in self.members.values()))

    def known_partitions(self, topic_id: bytes) -> frozenset[int]:
        """Those whose state has begun, or is beginning."""
        states = (self.initializing.get(topic_id), self.initialized.get(topic_id))
        return frozenset().union(*(each.partitions for each in states if each is not None))
