"""What an assignor is given, and what it answers."""

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
    """Ids of the topics that it subscribes to, all of which exist."""
    has: Partitions
    """Its share of the target before."""

    @property
    def rank(self) -> tuple[bool, str]:
        """Static members first, by their instance ids: a restart changes nothing."""
        return self.instance_id is None, self.instance_id or self.member_id


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """A group as an assignor sees it. The order of members and topics decides draws."""

    members: Sequence[MemberSpec]
    """By rank."""
    partition_counts: Mapping[bytes, int]
    """Of all topics that a member subscribes to, by name."""
    racks: Mapping[bytes, Sequence[frozenset[str]]]
    """The racks of each partition's replicas; empty where no member and no broker has racks."""

    @property
    def is_homogeneous(self) -> bool:
        """All members subscribe to the same topics."""
        return all(each.topics == self.members[0].topics for each in self.members)


def empty_shares(spec: GroupSpec) -> Shares:
    return {member.member_id: {} for member in spec.members}
