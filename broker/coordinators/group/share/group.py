"""A share group and its members, as values in memory. heartbeat.py changes them."""

from __future__ import annotations

from dataclasses import field
from typing import Final

from raftka.broker.coordinators.group.any_group import GroupType
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError

ASSIGNOR: Final = "simple"

Assignment = dict[bytes, frozenset[int]]
"""Partitions by topic id; topics without partitions are left out."""


@dataclass(slots=True)
class ShareMember:
    """A member, as described by its heartbeats so far."""

    member_id: str
    client_id: str = ""
    client_host: str = ""
    rack_id: str | None = None
    topics: frozenset[str] = frozenset()
    """The names of the topics that it subscribes to."""
    epoch: int = 0
    """The epoch of its assignment."""
    previous_epoch: int = 0
    """The epoch that a member repeats if an answer was lost."""
    assigned: Assignment = field(default_factory=dict)


@dataclass(slots=True)
class TopicState:
    """A topic's partitions, by the state of their initialization."""

    name: str
    partitions: frozenset[int] = frozenset()


@dataclass(slots=True)
class ShareGroup:
    """Implements any_group.AnyGroup."""

    group_id: str
    epoch: int = 0
    """Increases with every change of members, subscriptions or partitions."""
    assignment_epoch: int = 0
    """The group epoch for which `target` was computed."""
    members: dict[str, ShareMember] = field(default_factory=dict)
    target: dict[str, Assignment] = field(default_factory=dict)
    """The target assignment of each member."""
    initializing: dict[bytes, TopicState] = field(default_factory=dict)
    """By topic id: partitions whose state the share coordinator was asked to initialize."""
    initialized: dict[bytes, TopicState] = field(default_factory=dict)
    """By topic id: partitions that may be assigned."""
    deleting: dict[bytes, str] = field(default_factory=dict)
    """Ids and names of the topics whose state is being deleted."""
    too_large: str = ""
    """Transient: why this epoch has no target: a member's assignment is too large for a record."""

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
        """Never: its acknowledgements stay until a client deletes the group."""
        return False

    def is_subscribed_to(self, topic: str) -> bool:
        """Never: it commits no offsets."""
        return False

    def check_deleting_offsets(self) -> None:
        """Refused: DeleteShareGroupOffsets deletes its offsets."""
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {self.group_id} is a share group.")

    def offsets_unused_since_ms(self, topic: str, committed_ms: int) -> int | None:
        """None: it commits no offsets."""
        return None

    def subscribed(self) -> frozenset[str]:
        """The topics that any member subscribes to."""
        return frozenset().union(*(member.topics for member in self.members.values()))

    def known_partitions(self, topic_id: bytes) -> frozenset[int]:
        """The partitions whose state is initialized or being initialized."""
        states = (self.initializing.get(topic_id), self.initialized.get(topic_id))
        return frozenset().union(*(each.partitions for each in states if each is not None))
