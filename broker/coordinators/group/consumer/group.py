"""A consumer group as a value: members, epochs, the target, and the owners of partitions. Pure.

Times are milliseconds. All state is in the log, except fields marked as transient.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field

from raftka.broker.coordinators.group import fencing
from raftka.broker.coordinators.group.any_group import GroupType
from raftka.model.dataclass import dataclass

Partitions = Mapping[bytes, frozenset[int]]
"""Partitions by topic id; topics without partitions are left out."""

Owned = dict[bytes, dict[int, int]]
"""topic id -> partition -> the epoch at which the member got it (KIP-1251)"""

NOTHING: Partitions = {}

LEAVE_EPOCH = -1
"""The member epoch in a heartbeat of a member that leaves."""
STATIC_LEAVE_EPOCH = -2
"""The same for a static member that will return within its session."""


class MemberState(enum.IntEnum):
    """The member's state in the reconciliation; the values are those of its record."""

    STABLE = 0
    UNREVOKED_PARTITIONS = 1
    UNRELEASED_PARTITIONS = 2


@dataclass(frozen=True, slots=True)
class ClassicMetadata:
    """Metadata of a member that uses the classic protocol, during an upgrade or a downgrade."""

    session_timeout_ms: int
    protocols: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Subscription:
    """The metadata that a member sends about itself, as in its first record."""

    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    topics: tuple[str, ...] = ()
    """Names, sorted."""
    regex: str | None = None
    rebalance_timeout_ms: int = -1
    assignor: str | None = None
    classic: ClassicMetadata | None = None


@dataclass(slots=True, eq=False)
class Member:
    """One member of a consumer group."""

    member_id: str
    says: Subscription = field(default_factory=Subscription)
    epoch: int = 0
    previous_epoch: int = 0
    state: MemberState = MemberState.STABLE
    assigned: Owned = field(default_factory=dict)
    revoking: Owned = field(default_factory=dict)
    """Partitions that it must revoke and has not revoked yet."""
    may_describe: Callable[[str], bool] | None = None
    """Transient: whether its principal may describe a topic, as of its last heartbeat."""

    def owned(self) -> Iterator[tuple[bytes, int]]:
        """All partitions that no other member may get while this member owns them."""
        for partitions in (self.assigned, self.revoking):
            for topic_id, indexes in partitions.items():
                for index in indexes:
                    yield topic_id, index

    def move_to_epoch(self, epoch: int) -> None:
        if epoch != self.epoch:
            self.previous_epoch, self.epoch = self.epoch, epoch


@dataclass(frozen=True, slots=True)
class ResolvedRegex:
    """The topics that match a regular expression."""

    topics: frozenset[str]
    version: int
    """The metadata offset at which the topics were resolved."""
    timestamp_ms: int


@dataclass(slots=True, eq=False)
class ConsumerGroup:
    """A group of the consumer protocol. Implements AnyGroup."""

    group_id: str
    epoch: int = 0
    metadata_hash: int = 0
    assignment_epoch: int = 0
    assigned_at_ms: int = 0
    """Wall time when the last target was computed; 0 before the first."""
    members: dict[str, Member] = field(default_factory=dict)
    static_members: dict[str, str] = field(default_factory=dict)
    """group.instance.id -> member id"""
    targets: dict[str, Partitions] = field(default_factory=dict)
    """Each member's target assignment, by member id."""
    regexes: dict[str, ResolvedRegex] = field(default_factory=dict)
    assign_not_before_s: float = 0.0
    """Transient: when the next target may be computed, in monotonic seconds."""
    too_large: str = ""
    """Transient: why this epoch has no target: a member's assignment is too large for a record."""
    _owners: dict[tuple[bytes, int], str] = field(default_factory=dict)
    _topics: frozenset[str] | None = None
    """Caches `subscribed_topics`."""

    # ---- AnyGroup

    @property
    def type(self) -> GroupType:
        return GroupType.CONSUMER

    @property
    def protocol_type(self) -> str:
        return "consumer"

    @property
    def state_name(self) -> str:
        if not self.members:
            return "Empty"
        if self.epoch > self.assignment_epoch:
            return "Assigning"
        return "Stable" if all(map(self.is_reconciled, self.members.values())) else "Reconciling"

    @property
    def member_count(self) -> int:
        return len(self.members)

    @property
    def is_empty(self) -> bool:
        return not self.members

    @property
    def is_unused(self) -> bool:
        return not self.members

    def is_subscribed_to(self, topic: str) -> bool:
        return topic in self.subscribed_topics()

    def check_deleting_offsets(self) -> None:
        """Always allowed, for topics that no member subscribes to."""

    def offsets_unused_since_ms(self, topic: str, committed_ms: int) -> int | None:
        return None if self.is_subscribed_to(topic) else committed_ms

    # ---- members

    def is_reconciled(self, member: Member) -> bool:
        return member.state is MemberState.STABLE and member.epoch == self.assignment_epoch

    def member(self, member_id: str) -> Member:
        """Return a member. Raises KafkaError UNKNOWN_MEMBER_ID."""
        found = self.members.get(member_id)
        if found is None:
            raise fencing.unknown_member(member_id, self.group_id)
        return found

    def static_member(self, instance_id: str | None) -> Member | None:
        member_id = None if instance_id is None else self.static_members.get(instance_id)
        return None if member_id is None else self.members[member_id]

    def add(self, member: Member) -> None:
        self.members[member.member_id] = member
        if member.says.instance_id is not None:
            self.static_members[member.says.instance_id] = member.member_id
        self._topics = None

    def subscribe(self, member: Member, says: Subscription) -> None:
        """Replace the metadata that the member has sent."""
        before, member.says = member.says, says
        if before.instance_id != says.instance_id:
            self._forget_instance(member.member_id, before.instance_id)
            if says.instance_id is not None:
                self.static_members[says.instance_id] = member.member_id
        self._topics = None

    def remove(self, member_id: str) -> Member | None:
        """Remove a member, with its target and its partitions."""
        member = self.members.pop(member_id, None)
        self.targets.pop(member_id, None)
        if member is not None:
            self._release(member)
            self._forget_instance(member_id, member.says.instance_id)
            self._topics = None
        return member

    def _forget_instance(self, member_id: str, instance_id: str | None) -> None:
        if instance_id is not None and self.static_members.get(instance_id) == member_id:
            del self.static_members[instance_id]

    # ---- partitions

    def owner(self, topic_id: bytes, index: int) -> str | None:
        """The member that owns a partition, or has yet to revoke it."""
        return self._owners.get((topic_id, index))

    def give(self, member: Member, assigned: Owned, revoking: Owned) -> None:
        """Replace the partitions that a member owns and must revoke."""
        self._release(member)
        member.assigned, member.revoking = assigned, revoking
        for place in member.owned():
            self._owners[place] = member.member_id

    def _release(self, member: Member) -> None:
        for place in member.owned():
            if self._owners.get(place) == member.member_id:
                del self._owners[place]

    # ---- topics

    def subscribed_topics(self) -> frozenset[str]:
        """The names of all topics that members subscribe to, by name or by expression."""
        if self._topics is None:
            by_name = {topic for each in self.members.values() for topic in each.says.topics}
            resolved = [self.regexes[r].topics for r in self.used_regexes() if r in self.regexes]
            self._topics = frozenset(by_name.union(*resolved))
        return self._topics

    def used_regexes(self) -> frozenset[str]:
        """The regular expressions that members subscribe by."""
        found = (member.says.regex for member in self.members.values())
        return frozenset(each for each in found if each)

    def resolve(self, regex: str, resolved: ResolvedRegex | None) -> None:
        """Set the topics that match a regular expression; None if no member uses it."""
        if resolved is None:
            self.regexes.pop(regex, None)
        else:
            self.regexes[regex] = resolved
        self._topics = None

    def topics_of(self, member: Member) -> Collection[str]:
        """The names of the topics that one member subscribes to."""
        resolved = None if member.says.regex is None else self.regexes.get(member.says.regex)
        if resolved is None:
            return member.says.topics
        return resolved.topics.union(member.says.topics)


def as_partitions(owned: Owned) -> Partitions:
    return {topic_id: frozenset(indexes) for topic_id, indexes in owned.items()}


def contains(all_of: Partitions | Owned, some: Iterable[tuple[bytes, int]]) -> bool:
    """Whether the first set of partitions contains the second."""
    return all(index in all_of.get(topic_id, ()) for topic_id, index in some)
