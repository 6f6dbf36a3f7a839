"""The input and the output of an assignor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raftka.broker.coordinators.group.consumer.group import Partitions
from raftka.model.dataclass import dataclass

Shares = dict[str, dict[bytes, set[int]]]
"""member id -> topic id -> partitions"""


@dataclass(frozen=True, slots=True)
class MemberSpec:
    """A member as an assignor sees it."""

    member_id: str
    instance_id: str | None
    rack_id: str | None
    topics: frozenset[bytes]
    """Ids of the existing topics that the member subscribes to."""
    has: Partitions
    """Its previous target assignment."""

    @property
    def rank(self) -> tuple[bool, str]:
        """Sorts static members first, by instance id, so that a restart changes nothing."""
        return self.instance_id is None, self.instance_id or self.member_id


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """A group as an assignor sees it. The order of members and topics breaks ties."""

    members: Sequence[MemberSpec]
    """Sorted by rank."""
    partition_counts: Mapping[bytes, int]
    """By the id of each subscribed topic, in the order of topic names."""
    racks: Mapping[bytes, Sequence[frozenset[str]]]
    """The racks of each partition's replicas; empty if no member or no broker has a rack."""

    @property
    def is_homogeneous(self) -> bool:
        """Whether all members subscribe to the same topics."""
        return all(each.topics == self.members[0].topics for each in self.members)


def empty_shares(spec: GroupSpec) -> Shares:
    return {member.member_id: {} for member in spec.members}
